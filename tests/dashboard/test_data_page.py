"""The Data page: counts, samples and views of a data set that is here, and the way to one that is not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO
from unittest.mock import MagicMock

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.views.data import download
from deit_core.data import preview, splits
from deit_core.data.sources import downloads as published

RunPage = Callable[..., AppTest]


def sound(page: AppTest) -> AppTest:
    assert not page.exception
    return page


@pytest.fixture
def digits_page(run_page: RunPage) -> AppTest:
    return sound(run_page("data", data="Digits"))


@pytest.fixture
def no_fashion_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(published, "SYSTEM_FASHION_MNIST", tmp_path / "nowhere")


def test_it_counts_the_images_of_each_split(digits_page: AppTest) -> None:
    captions = "\n".join(caption.value for caption in digits_page.caption)
    assert "1,293 train, 144 validation, 360 test" in captions
    digits_page.slider(key="fraction").set_value(0.5).run()
    assert "646 train, 72 validation, 360 test" in "\n".join(caption.value for caption in sound(digits_page).caption)


def test_it_shows_samples_of_each_class_and_views_of_one(digits_page: AppTest) -> None:
    assert len(digits_page.get("image")) == 10 + 2


def test_pages_end_with_the_largest_class(digits_page: AppTest) -> None:
    last = digits_page.number_input(key="samples_page").max
    assert last == 9
    digits_page.number_input(key="samples_page").set_value(last).run()
    digits_page.slider(key="fraction").set_value(0.47).run()
    assert digits_page.number_input(key="samples_page").value == 1, "there is no such page of fewer images"
    last = digits_page.number_input(key="samples_page").max
    assert last == 5
    digits_page.number_input(key="samples_page").set_value(last).run()
    assert "No more images." in [caption.value for caption in sound(digits_page).caption]
    assert 2 < len(digits_page.get("image")) < 10 + 2


def test_images_are_counted_from_one_to_the_last_of_the_class(digits_page: AppTest) -> None:
    image = digits_page.number_input(key="view_image")
    assert (image.value, image.min) == (1, 1)
    assert 100 < image.max < 150


def test_views_change_with_the_seed_and_the_image_does_not(digits_page: AppTest) -> None:
    before = pictures(digits_page)
    digits_page.number_input(key="view_seed").set_value(1).run()
    after = pictures(sound(digits_page))
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]


def test_views_show_what_the_strengths_do(digits_page: AppTest) -> None:
    before = pictures(digits_page)
    digits_page.number_input(key="view_random_erasing").set_value(1.0).run()
    erased = pictures(sound(digits_page))
    assert erased[:-1] == before[:-1]
    assert erased[-1] != before[-1]
    digits_page.number_input(key="view_mixup_alpha").set_value(0.8).run()
    assert len(pictures(sound(digits_page))) == len(before) + 1, "the image that is mixed in"


def test_digits_are_never_mirrored(digits_page: AppTest) -> None:
    assert digits_page.toggle(key="digits_flip").disabled


def test_a_fraction_too_small_is_a_sentence(digits_page: AppTest) -> None:
    digits_page.slider(key="fraction").set_value(0.01).run()
    assert "too few images of a class" in sound(digits_page).error[0].value


def test_what_does_not_fit_is_refused_before_it_is_resized(
    digits_page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr(splits, "total_memory", lambda: 500_000_000)
    monkeypatch.setattr(preview, "resize", lambda *asked: read.append(asked))
    digits_page.number_input(key="digits_size").set_value(512).run()
    assert "half of this machine" in sound(digits_page).error[0].value
    assert not read


@pytest.mark.usefixtures("no_fashion_mnist")
def test_what_is_not_here_can_be_fetched(run_page: RunPage, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = Downloads(None)
    monkeypatch.setattr(download, "subprocess", downloads)
    page = sound(run_page("data"))
    assert "not on this machine" in page.info[0].value
    sound(page.button[0].click().run())
    (command,) = downloads.commands
    data_dir = str(state.settings().data_dir)
    assert command == [sys.executable, "-m", "deit_core", "data", "fashion-mnist", "--data-dir", data_dir]
    assert "Downloading Fashion-MNIST" in page.info[0].value
    assert not page.button


@pytest.mark.usefixtures("no_fashion_mnist")
def test_a_download_that_fails_says_why(run_page: RunPage, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = Downloads(2)
    monkeypatch.setattr(download, "subprocess", downloads)
    page = sound(run_page("data"))
    sound(page.button[0].click().run())
    assert page.error[0].value.replace("\\", "") == "There is no network here."
    downloads.words = b"Traceback: no sentence\n"
    sound(page.button[0].click().run())
    message = page.error[0].value.replace("\\", "")
    assert "could not be downloaded" in message
    log = Path(message.removeprefix("Fashion-MNIST could not be downloaded; ").removesuffix(" says why."))
    assert log.read_bytes() == downloads.words


class Downloads:
    """Stands for the module subprocess: a process that writes `words` and ends with `status`, or goes on at None."""

    DEVNULL = subprocess.DEVNULL

    def __init__(self, status: int | None) -> None:
        self.returncode = status
        self.words = b"noise\nError: There is no network here.\n"
        self.commands: list[list[str]] = []
        self.Popen = MagicMock(side_effect=self.start)  # its type takes another in brackets, as Popen's does

    def start(self, command: list[str], *, stdout: IO[bytes], start_new_session: bool, **_: object) -> "Downloads":
        assert start_new_session, "it goes on when the dashboard ends"
        stdout.write(self.words)
        self.commands.append(command)
        return self

    def poll(self) -> int | None:
        return self.returncode


def pictures(page: AppTest) -> list[str]:
    return [element.proto.imgs[0].url for element in page.get("image")]
