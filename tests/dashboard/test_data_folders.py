"""Folders of images on the Data page: uploaded, chosen, shown, and refused with a sentence."""

import asyncio
import io
import shutil
import threading
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.uploads.inbox import Inbox
from dashboard.views.data import uploads
from deit_core.data import splits
from deit_core.errors import DataError

RunPage = Callable[..., AppTest]


def write_images(root: Path, classes: tuple[str, ...] = ("bee", "<b>cow</b>".replace("/", "-"))) -> Path:
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(15):
            pixels = np.random.default_rng(number).integers(0, 256, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def zip_of(root: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        for path in root.rglob("*.png"):
            content.write(path, path.relative_to(root))
    return file.getvalue()


def send(page: AppTest, content: bytes) -> None:
    """Let a zip arrive as the field in the page sends it, and draw the page again."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    inbox: Inbox = page.session_state["zip_inbox"]
    asyncio.run(inbox.receive(chunks(), "animals.zip", len(content)))
    page.run()


def unpack(page: AppTest) -> None:
    """Click, and look again when it is over, unless it was over before the page was drawn: it is told once."""
    page.button[0].click().run()
    wait_until_unpacked()
    if not page.success:
        page.run()


def test_a_zip_that_is_unpacked_while_the_page_is_drawn_is_shown_at_once(
    run_page: RunPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = run_page("data", data="Folder of images")
    send(page, zip_of(write_images(tmp_path / "zip")))
    may_end, list_zip, zip_upload = threading.Event(), uploads.list_zip, uploads.zip_upload

    def list_late(file: BinaryIO) -> Any:
        may_end.wait()
        return list_zip(file)

    def end_and_draw(**options: Any) -> Any:
        may_end.set()
        wait_until_unpacked()
        return zip_upload(**options)

    monkeypatch.setattr(uploads, "list_zip", list_late)
    monkeypatch.setattr(uploads, "zip_upload", end_and_draw)
    page.button[0].click().run()
    assert not page.exception
    assert "Unpacked" in page.success[0].value


def wait_until_unpacked() -> None:
    while uploads.is_unpacking():
        time.sleep(0.01)


def captions(page: AppTest) -> str:
    assert not page.exception
    return "\n".join(caption.value for caption in page.caption).replace("\\", "").replace("\u2060", "")


def test_an_uploaded_zip_is_unpacked_and_shown(run_page: RunPage, tmp_path: Path) -> None:
    page = run_page("data", data="Folder of images")
    assert "One folder per class" in captions(page)
    assert "at most 500 MB" in captions(page)
    assert not page.file_uploader, "it would keep the zip in the server's memory"
    send(page, zip_of(write_images(tmp_path / "zip")))
    unpack(page)
    assert "folders" in page.success[0].value
    assert "18 train, 6 validation, 6 test" in captions(page.slider(key="val_fraction").set_value(0.25).run())
    assert not page.success
    assert any("&lt;b&gt;cow" in one.proto.json for one in page.get("bidi_component")), "a chart takes tags"
    assert "Mean 0." in captions(page)
    assert len(page.get("image")) == 2 + 2
    assert (state.settings().data_dir / "folders" / "animals" / "bee" / "0.png").exists()


def test_a_zip_that_leads_out_of_its_folder_is_a_sentence(run_page: RunPage) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        content.writestr("../bee/1.png", b"x")
    page = run_page("data", data="Folder of images")
    send(page, file.getvalue())
    unpack(page)
    assert "outside its folder" in page.error[0].value
    assert "outside its folder" in run_page("data", data="Folder of images").error[0].value, "after a reload too"
    assert not state.settings().data_dir.exists() or not list(state.settings().data_dir.rglob("*.png"))


class SlowZip:
    """Stands for `import_zip`: half of the zip is unpacked, then it waits."""

    def __init__(self) -> None:
        self.half_done, self.go_on = threading.Event(), threading.Event()

    def __call__(self, file: object, name: str, data_dir: Path, note: Callable[[float], None]) -> str:
        note(0.5)
        self.half_done.set()
        assert self.go_on.wait(10)
        raise DataError("It ended well.")


def test_the_page_says_how_far_it_is_and_does_not_wait(
    run_page: RunPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SlowZip()
    monkeypatch.setattr(uploads, "import_zip", slow)
    page = run_page("data", data="Folder of images")
    send(page, zip_of(write_images(tmp_path / "zip")))
    page.button[0].click().run()
    assert slow.half_done.wait(10)
    assert page.run().button[0].disabled
    reloaded = run_page("data", data="Folder of images")
    for visitor in (page, reloaded):
        (progress,) = visitor.get("progress")
        assert (progress.proto.value, progress.proto.text.split("…")[0]) == (50, "Unpacking animals")
    slow.go_on.set()
    wait_until_unpacked()
    assert not page.run().get("progress")
    assert "It ended well" in page.error[0].value


def test_a_folder_anywhere_is_shown_in_grey_without_what_is_corrupt(run_page: RunPage, tmp_path: Path) -> None:
    root = write_images(tmp_path / "animals")
    (root / "bee" / "3.png").write_bytes(b"words")
    page = run_page("data", data="Folder of images", path=str(root), val_fraction="0.25")
    assert "3.png is damaged" in page.error[0].value.replace("\\", "").replace("\u2060", "")
    page.toggle(key="skip").set_value(True).run()
    assert "Skipped, because they cannot be read: bee/3.png." in captions(page)
    page.toggle(key="colour").set_value(False).run()
    mean = next(line for line in captions(page).splitlines() if line.startswith("Mean"))
    assert mean.split(" and ")[0].count("0") < 4  # one channel


@pytest.mark.parametrize(("make", "words"), [(False, "There is no folder"), (True, "There is no image")])
def test_what_is_no_data_set_is_a_sentence(run_page: RunPage, tmp_path: Path, make: bool, words: str) -> None:
    if make:
        (tmp_path / "nothing").mkdir()
    page = run_page("data", data="Folder of images", path=str(tmp_path / "nothing"))
    assert words in page.error[0].value
    assert not page.exception


@pytest.mark.parametrize(
    ("path", "words"), [("~nouser/x", "home"), ("a" * 1001, "path has more than 1,000 characters; make it shorter.")]
)
def test_a_path_that_no_folder_can_have_is_a_sentence(run_page: RunPage, path: str, words: str) -> None:
    page = run_page("data", data="Folder of images", path=path)
    assert not page.exception
    assert words in page.error[0].value.replace("\\", "")


def test_a_path_of_spaces_is_none(run_page: RunPage) -> None:
    page = run_page("data", data="Folder of images", path="   ")
    assert not page.exception
    assert not page.error


def test_the_form_takes_a_folder(run_page: RunPage, tmp_path: Path) -> None:
    page = run_page("train", preset="smoke")
    assert not [box for box in page.text_input if "data.path" in (box.help or "")]
    next(box for box in page.selectbox if "data.source" in (box.help or "")).set_value("folder").run()
    assert "needs data" in page.error[0].value
    next(box for box in page.text_input if "data.path" in (box.help or "")).set_value("folders/animals").run()
    assert not page.exception
    assert not [error for error in page.error if "data" in error.value]
    assert "folder animals" in "\n".join(text.value for text in page.markdown).replace("\\", "").replace("\u2060", "")


def test_many_classes_are_shown_ten_at_a_time(run_page: RunPage, tmp_path: Path) -> None:
    root = write_images(tmp_path / "many", tuple(f"class {number:02}" for number in range(12)))
    page = run_page("data", data="Folder of images", path=str(root))
    assert not page.exception
    assert len(page.get("image")) == 10 + 2
    chooser = next(box for box in page.selectbox if box.label == "Classes")
    assert chooser.options == ["class 00 to class 09", "class 10 to class 11"]
    chooser.set_value(10).run()
    assert not page.exception
    assert len(page.get("image")) == 2 + 2


def test_what_a_run_would_stream_is_said(run_page: RunPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_images(tmp_path / "animals")
    assert "in each epoch" not in captions(run_page("data", data="Folder of images", path=str(root)))
    state.st.cache_data.clear()
    monkeypatch.setattr(splits, "total_memory", lambda: 0)
    shown = captions(run_page("data", data="Folder of images", path=str(root)))
    assert "A run reads them from their files in each epoch" in shown


def warnings(page: AppTest) -> list[str]:
    assert not page.exception
    return [warning.value.replace("\\", "").replace("\u2060", "") for warning in page.warning]


def test_copies_in_two_parts_and_grey_of_sixteen_bits_are_warned_of(run_page: RunPage, tmp_path: Path) -> None:
    root = tmp_path / "parted"
    write_images(root / "train", ("bee",))
    shutil.copytree(root / "train" / "bee", root / "test" / "bee")
    for part, value in (("train", 100), ("test", 200)):
        (root / part / "cow").mkdir()
        for number in range(15):
            pixels = np.full((20, 30), value + number, np.uint16) * 16
            Image.fromarray(pixels).save(root / part / "cow" / f"{number}.png")
    page = run_page("data", data="Folder of images", path=str(root))
    *pairs, grey = warnings(page)
    assert any(said.startswith("The same content in training and test: ") for said in pairs)
    assert any(said.startswith("The same content in validation and test: ") for said in pairs)
    assert grey.startswith(
        "Images with grey of more than 8 bits: 30, scaled to 256 levels by their range (12 bits in 30)"
    )


def test_images_that_stand_once_are_not_warned_of(run_page: RunPage, tmp_path: Path) -> None:
    root = write_images(tmp_path / "single", ("bee", "cow"))
    for number, file in enumerate(sorted((root / "cow").iterdir())):
        Image.fromarray(np.full((20, 30, 3), number, np.uint8)).save(file)
    assert warnings(run_page("data", data="Folder of images", path=str(root))) == []


def test_what_is_left_out_is_shown_and_why(run_page: RunPage, tmp_path: Path) -> None:
    root = write_images(tmp_path / "animals" / "train")
    write_images(root.parent / "test_set")
    for number in range(20):
        (root / "bee" / f"{number}.HEIC").write_bytes(b"a photo")
    (root / "labels").mkdir()
    (root / "labels" / "1.xml").write_text("<x/>")
    page = run_page("data", data="Folder of images", path=str(root.parent))
    assert not page.exception
    assert page.info[0].value == "21 files are left out, for these reasons."
    left_out, parts = (frame.value for frame in page.dataframe)
    assert left_out.to_numpy().tolist() == [
        [20, "with ending .heic", "train/bee/0.HEIC"],
        [1, "with ending .xml", "train/labels/1.xml"],
    ]
    assert parts.columns.tolist() == ["Class", "train", "test"]
    assert parts[["train", "test"]].to_numpy().tolist() == [[15, 15], [15, 15]]
    assert page.warning[0].value.startswith("labels contains no image")


def test_what_is_not_unpacked_of_a_zip_is_said(run_page: RunPage, tmp_path: Path) -> None:
    file = io.BytesIO(zip_of(write_images(tmp_path / "zip")))
    with zipfile.ZipFile(file, "a") as content:
        content.writestr("bee/1.heic", b"a photo")
    page = run_page("data", data="Folder of images")
    send(page, file.getvalue())
    unpack(page)
    said = page.info[0].value.replace("\\", "").replace("\u2060", "")
    assert said == "1 file is left out: 1 with ending .heic (bee/1.heic)."


def test_nothing_left_out_says_nothing(run_page: RunPage, tmp_path: Path) -> None:
    page = run_page("data", data="Folder of images", path=str(write_images(tmp_path / "animals")))
    assert not page.exception
    assert not page.info
    assert len(page.dataframe) == 1
