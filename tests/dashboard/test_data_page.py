"""The Data page: counts, samples and views of a data set that is here, and the way to one that is not."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

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
    monkeypatch.setattr(splits, "_MEMORY_SHARE", 1e-6)
    monkeypatch.setattr(preview, "resize", lambda *asked: read.append(asked))
    digits_page.number_input(key="digits_size").set_value(512).run()
    assert "half of this machine" in sound(digits_page).error[0].value
    assert not read


@pytest.mark.usefixtures("no_fashion_mnist")
def test_what_is_not_here_can_be_fetched(run_page: RunPage, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(download, "_start_download", lambda name: started.append(name) or FakeDownload(None))
    page = sound(run_page("data"))
    assert "not on this machine" in page.info[0].value
    sound(page.button[0].click().run())
    assert started == ["fashion-mnist"]
    assert "Downloading Fashion-MNIST" in page.info[0].value
    assert not page.button


@pytest.mark.usefixtures("no_fashion_mnist")
def test_a_download_that_fails_says_why(run_page: RunPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_start_download", lambda name: FakeDownload(2))
    page = sound(run_page("data"))
    download._download_log("fashion-mnist").parent.mkdir(parents=True)
    download._download_log("fashion-mnist").write_text("noise\nError: There is no network here.\n")
    sound(page.button[0].click().run())
    assert page.error[0].value.replace("\\", "") == "There is no network here."
    download._download_log("fashion-mnist").write_text("Traceback: no sentence\n")
    assert "could not be downloaded" in sound(page.run()).error[0].value


@pytest.mark.usefixtures("store")
def test_the_download_is_a_command_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(download.subprocess, "Popen", lambda command, **options: asked.update(options, command=command))
    download._start_download("fashion-mnist")
    assert asked["command"][:5] == [sys.executable, "-m", "deit_core", "data", "fashion-mnist"]  # type: ignore[index]
    assert asked["start_new_session"] is True
    assert download._download_log("fashion-mnist").exists()


class FakeDownload:
    def __init__(self, returncode: int | None) -> None:
        self.returncode = returncode

    def poll(self) -> int | None:
        return self.returncode


def pictures(page: AppTest) -> list[str]:
    return [element.proto.imgs[0].url for element in page.get("image")]
