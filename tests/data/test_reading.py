"""Where reading the images takes long, it is told how far it is, and may be ended."""

from pathlib import Path

import pytest
from image_files import spec_of, write_images

from deit_core.data import load_data, splits
from deit_core.data.sources import progress as reading
from deit_core.events import Reading


@pytest.fixture
def animals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """20 images of each of three classes, one of which is damaged; every image read is told."""
    write_images(tmp_path / "animals", 20)
    (tmp_path / "animals" / "cow" / "004.jpg").write_bytes(b"no image")
    monkeypatch.setattr(reading, "EVERY_S", 0.0)
    monkeypatch.setattr(splits, "READ_AT_ONCE", 4)
    return tmp_path / "animals"


@pytest.mark.parametrize(
    ("memory_bytes", "last"),
    [(0, "Computing mean and standard deviation of the pixels"), (1e9, "Reading the test images")],
    ids=["streamed", "in memory"],
)
def test_each_pass_over_the_files_is_told_to_its_end(animals: Path, memory_bytes: float, last: str) -> None:
    reports: list[Reading] = []
    load_data(spec_of(animals, corrupt_images="skip"), animals.parent, memory_bytes, reports.append)
    ends = {one.what: one for one in reports}
    tried, hashed, *_, read = ends
    assert (ends[tried].total, ends[hashed].total) == (60, 59)
    assert read == last
    assert all((end.done, end.time_left_s) == (end.total, 0.0) for end in ends.values())
    assert [one.done for one in reports if one.what == tried] == list(range(1, 61))
    assert all(one.time_left_s > 0 for one in reports if one.done < one.total)


def test_what_hears_it_may_end_it(animals: Path) -> None:
    class EnoughError(Exception):
        pass

    def refuse(_reading: Reading) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        load_data(spec_of(animals, corrupt_images="skip"), animals.parent, on_progress=refuse)
    assert load_data(spec_of(animals, corrupt_images="skip"), animals.parent).in_chans == 3
