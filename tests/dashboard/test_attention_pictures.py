"""The pictures of the Attention page: of the test set, of an upload, and of a data set that is not here."""

import io
from pathlib import Path

import numpy as np
import pytest
from attention_tables import RunPage, pictures, table
from PIL import Image
from shown_models import save_checkpoints

from deit_core import presets
from deit_core.data.sources import demo_images
from deit_core.data.sources import downloads as published
from deit_core.runs import Store, enqueue
from deit_core.spec import replace


def png(*size: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_several_pictures_are_several_rows(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_count="3")
    rows = table(page)["rows"]
    assert len({row[1]["src"] for row in rows}) == len(rows) == 3
    page.selectbox(key="att_class").set_value("One of each class").run()
    assert [row[0]["caption"] for row in table(page)["rows"]] == list("0123456789")


def test_an_upload_is_shown_to_all_and_survives_another_look(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_picture="Upload")
    assert "Choose a picture" in page.info[0].value
    assert any("gone when you reload" in caption.value for caption in page.caption)
    page.file_uploader[0].upload("shoe.png", png(90, 120)).run()
    shown = pictures(page)
    assert len(shown) == 6
    page.toggle(key="att_invert").set_value(True).run()
    assert pictures(page)[0] != shown[0]
    page.segmented_control(key="att_picture").set_value("Camera").run()
    assert "Choose a picture" in page.info[0].value
    page.segmented_control(key="att_picture").set_value("Test set").run()
    page.segmented_control(key="att_picture").set_value("Upload").run()
    assert pictures(page)[0]


def test_a_picture_of_twenty_megapixels_is_made_smaller(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_picture="Upload")
    buffer = io.BytesIO()
    Image.new("RGB", (5000, 4000), "grey").save(buffer, "JPEG")
    page.file_uploader[0].upload("large.jpg", buffer.getvalue()).run()
    assert table(page)["rows"][0][0]["width"] == 16


def test_an_upload_that_is_no_image_says_so(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_picture="Upload")
    page.file_uploader[0].upload("shoe.png", b"these are words").run()
    assert "not an image that can be read" in page.error[0].value
    assert not page.get("bidi_component")


def test_a_data_set_that_is_not_here_says_where_to_get_it(
    run_page: RunPage, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(published, "SYSTEM_FASHION_MNIST", Path("nowhere"))
    monkeypatch.setattr(demo_images, "DEMO_FOLDER", tmp_path)
    (run_id,) = enqueue(store, presets.get("fashion-classroom").runs[1])
    save_checkpoints(store, run_id)
    page = run_page("attention")
    assert "Fashion-MNIST is not on this machine" in page.error[0].value
    assert "Get Fashion-MNIST" in [link.value for link in page.page_link]


def test_a_model_whose_folder_is_gone_can_be_shown_an_upload(run_page: RunPage, store: Store, tmp_path: Path) -> None:
    shapes = tmp_path / "shapes"
    for name in ("train/disc", "train/ring"):
        (shapes / name).mkdir(parents=True)
        for index in range(10):
            (shapes / name / f"{index}.png").write_bytes(png(16, 16))
    spec = replace(presets.get("smoke"), {"data.source": "folder", "data.path": str(shapes)})
    (run_id,) = enqueue(store, spec)
    save_checkpoints(store, run_id, classes=("disc", "ring"))
    shapes.rename(tmp_path / "moved")
    page = run_page("attention", att_method="Attention relevance")
    assert "The test images of folder shapes cannot be read any more" in page.error[0].value
    assert page.selectbox(key="att_target").options == ["Predicted class", "disc", "ring"]
    page.segmented_control(key="att_picture").set_value("Upload").run()
    page.file_uploader[0].upload("shoe.png", png(90, 120)).run()
    assert all(pictures(page))
