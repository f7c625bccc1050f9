"""The Predict page, driven without a browser, over untrained models saved as runs save theirs."""

import io
import json
import shutil
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image
from shown_models import save_checkpoints
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.pictures import images
from dashboard.pictures.images import Checkpoint
from dashboard.views.predict.bars import bars
from deit_core import presets
from deit_core.attention import Viewer
from deit_core.data import load_source
from deit_core.data.sources.source import find_examples, source_picture
from deit_core.errors import DeitError
from deit_core.layout import run_folder
from deit_core.runs import Status, Store, enqueue
from deit_core.spec import replace

RunPage = Callable[..., AppTest]

HEADS = ["Teacher one head", "ViT one head", "DeiT mean of both heads", "DeiT class head", "DeiT distillation head"]
# The page that was switched to has the models in the session.
_PREDICT_THEN_ATTENTION = """
import streamlit as st
from dashboard.navigation import pages, show
st.navigation(pages(), position="hidden")
show("attention" if "att_left" in st.session_state else "predict")
"""
STROKES = (((140, 40), (140, 240)),)


def heads(page: AppTest) -> list[str]:
    """Which heads answer, in the page's order."""
    assert not page.exception
    lines = [element.value.split("  \n") for element in page.markdown if "-badge[" in element.value]
    return [f"{name.strip('*')} {head.removeprefix(':small[').removesuffix(']')}" for name, head, _ in lines]


def verdicts(page: AppTest) -> list[str]:
    return [element.value.split("  \n")[2] for element in page.markdown if "-badge[" in element.value]


def charts(page: AppTest) -> list[str]:
    return [element.value for element in page.html if "<ul" in element.value]


def panels(page: AppTest, name: str) -> list[dict[str, Any]]:
    """The one panel of each table whose key begins with this name."""
    found = [element.proto for element in page.get("bidi_component") if f"-predict_{name}" in element.proto.id]
    return [json.loads(proto.json)["rows"][0][0] for proto in found]


def finish(store: Store, *names: str, preset: str = "digits-quick") -> dict[str, str]:
    """Runs of a preset, of which these have finished: name -> id."""
    ids = {store.run(run_id).name: run_id for run_id in enqueue(store, presets.get(preset))}
    for name in names:
        save_checkpoints(store, ids[name])
        store.set_status(ids[name], Status.RUNNING)
        store.set_status(ids[name], Status.COMPLETED)
    return ids


def test_says_what_to_do_before_the_first_run(run_page: RunPage) -> None:
    page = run_page("predict")
    assert "Train digits-quick first" in page.info[0].value
    assert page.page_link[0].value == "Train digits-quick"


def test_says_to_wait_while_runs_are_under_way(run_page: RunPage, store: Store) -> None:
    finish(store)
    page = run_page("predict")
    assert "No run has finished yet" in page.info[0].value
    assert page.page_link[0].value == "See how far the runs are"


def test_all_heads_of_teacher_vit_and_deit_answer_at_once(
    run_page: RunPage, looked: dict[str, str], store: Store
) -> None:
    finish(store, "smoke", preset="smoke")  # newer, but no trio
    page = run_page("predict")
    assert page.multiselect[0].value == [looked[name] for name in ("teacher", "vit", "deit")]
    assert heads(page) == HEADS
    assert len(charts(page)) == len(panels(page, "map")) == 5
    assert all(chart.count("<li>") in (5, 6) for chart in charts(page))
    maps = panels(page, "map")
    assert len({one["src"] for one in maps}) == 5
    assert maps[0]["alt"].startswith("Grad-CAM over the picture")
    assert all(one["alt"].startswith("Attention over the picture, strongest at row") for one in maps[1:])
    assert panels(page, "seen")[0]["caption"] == "0, 16 × 16 px"


def test_the_probabilities_are_those_of_the_models(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("predict", predict_class="7", predict_image="2")
    source = load_source("digits", state.settings().data_dir)
    pixels = source_picture(source, find_examples(source, 7)[1])
    shown = dict(zip(HEADS, charts(page), strict=True))
    for name, head in (("teacher", HEADS[0]), ("vit", HEADS[1]), ("deit", HEADS[2])):
        file = run_folder(state.settings().runs_dir, looked[name]) / "best.safetensors"
        fitted = images.fit(Checkpoint.at(file), images.Picture("one", "one", pixels))
        chances = Viewer.load(file).predict(fitted[None])[0]
        assert f"likeliest is {chances.argmax()} with {chances.max():.1%}" in shown[head]


def test_right_and_wrong_are_signs_and_colours(run_page: RunPage, looked: dict[str, str]) -> None:
    signs = set()
    for truth in "0123456789":
        page = run_page("predict", predict_class=truth)
        for verdict, chart in zip(verdicts(page), charts(page), strict=True):
            is_right = f"likeliest is {truth} with" in chart
            assert verdict.startswith(":green-badge[✓" if is_right else ":red-badge[✗")
            assert f"✓ {truth}<" in chart
            assert ("✗" in chart) != is_right
            signs.add(is_right)
    assert signs == {True, False}


def test_one_finished_run_is_asked_alone(run_page: RunPage, store: Store) -> None:
    finish(store, "vit")
    page = run_page("predict")
    assert heads(page) == ["ViT one head"]
    assert len(page.multiselect[0].options) == 1


def test_a_cnn_alone_has_no_way_to_attention(run_page: RunPage, store: Store) -> None:
    finish(store, "teacher")
    page = run_page("predict")
    assert heads(page) == ["ResNet\\-9 one head"]
    assert "predict_open" not in {button.key for button in page.button}


def test_two_of_a_kind_go_by_the_names_of_their_runs(run_page: RunPage, looked: dict[str, str], store: Store) -> None:
    other = finish(store, "vit")["vit"]
    page = run_page("predict", predict_models=[looked["vit"], other])
    assert heads(page) == [f"{store.run(one).number} vit one head" for one in (looked["vit"], other)]


def test_the_address_names_models_and_picture(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("predict")
    assert page.query_params["predict_models"] == [looked[name] for name in ("teacher", "vit", "deit")]
    page = run_page("predict", predict_models=looked["deit"], predict_class="4", predict_image="3")
    assert heads(page) == HEADS[2:]
    assert (page.selectbox(key="predict_class").value, page.number_input(key="predict_image").value) == ("4", 3)
    page.multiselect[0].set_value([]).run()
    assert not heads(page)
    assert any("Choose a model" in caption.value for caption in page.caption)


def test_a_run_that_is_not_here_is_said(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("predict", predict_models=["gone", looked["vit"]])
    assert page.info[0].value == "Run gone is not here: deleted since, of another store, or not finished."
    assert heads(page) == ["ViT one head"]


def test_a_run_that_is_deleted_meanwhile_leaves_the_others(
    run_page: RunPage, looked: dict[str, str], store: Store
) -> None:
    page = run_page("predict")
    store.delete(looked["deit"])
    shutil.rmtree(run_folder(state.settings().runs_dir, looked["deit"]))
    page.run()
    assert heads(page) == ["ResNet\\-9 one head", "ViT one head"]


def test_a_damaged_model_leaves_the_others(run_page: RunPage, looked: dict[str, str]) -> None:
    file = run_folder(state.settings().runs_dir, looked["vit"]) / "best.safetensors"
    file.write_bytes(file.read_bytes()[:500])
    page = run_page("predict")
    assert "is damaged" in page.warning[0].value
    assert heads(page) == [HEADS[0], *HEADS[2:]]


def test_a_cnn_without_a_map_answers_all_the_same(
    run_page: RunPage, looked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_map(*_: object) -> NoReturn:
        raise DeitError("This network has no stages to read.")

    monkeypatch.setattr("dashboard.views.predict.answers.grad_cam_map", no_map)
    page = run_page("predict")
    assert heads(page) == HEADS
    assert (len(charts(page)), len(panels(page, "map"))) == (5, 4)
    assert "This network has no stages to read\\." in [one.value for one in page.caption]


def test_a_model_of_another_data_set_knows_no_class_of_the_picture(
    run_page: RunPage, looked: dict[str, str], store: Store
) -> None:
    spec = replace(presets.get("smoke"), {"data.source": "fashion-mnist", "name": "shoes"})
    (run_id,) = enqueue(store, spec)
    save_checkpoints(store, run_id)
    store.set_status(run_id, Status.RUNNING)
    store.set_status(run_id, Status.COMPLETED)
    page = run_page("predict", predict_models=[looked["deit"], run_id])
    assert any("does not know the class of this picture" in info.value for info in page.info)
    assert verdicts(page)[-1].startswith(":gray-badge[")
    assert verdicts(page)[0].startswith((":green-badge[", ":red-badge["))


def test_an_upload_is_asked_about_without_a_verdict(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("predict", predict_picture="Upload")
    assert "Choose a picture" in page.info[0].value
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(buffer, "PNG")
    page.file_uploader[0].upload("shoe.png", buffer.getvalue()).run()
    assert heads(page) == HEADS
    assert all(verdict.startswith(":gray-badge[") for verdict in verdicts(page))
    before = charts(page)
    page.toggle(key="predict_invert").set_value(True).run()
    assert charts(page) != before


def test_an_upload_that_is_no_image_says_so(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("predict", predict_picture="Upload")
    page.file_uploader[0].upload("shoe.png", b"these are words").run()
    assert "not an image that can be read" in page.error[0].value
    assert not heads(page)


def test_a_drawing_is_asked_about(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("predict", predict_picture="Draw")
    assert "Draw something" in page.info[0].value
    assert any(caption.value.endswith("large and in the middle.") for caption in page.caption)
    page.session_state["predict_drawing_picture"] = STROKES
    page.run()
    assert heads(page) == HEADS
    first = panels(page, "seen")[0]
    page.session_state["predict_drawing_picture"] = (*STROKES, ((40, 140), (240, 140)))
    page.run()
    assert panels(page, "seen")[0]["src"] != first["src"]


@pytest.mark.parametrize("kind", ["Test set", "Draw"])
def test_attention_shows_the_same_picture_and_models(looked: dict[str, str], kind: str) -> None:
    page = AppTest.from_string(_PREDICT_THEN_ATTENTION, default_timeout=600)
    page.query_params["predict_picture"] = kind
    page.query_params["predict_models"] = [looked["teacher"], looked["deit"]]
    if kind == "Draw":
        page.session_state["predict_drawing_picture"] = STROKES
        page.run()
    else:
        page.run()
        page.selectbox(key="predict_class").set_value("6").run()
        page.number_input(key="predict_image").set_value(4).run()
    shown = panels(page, "seen")[0]["src"]
    page.button(key="predict_open").click().run()
    assert not page.exception
    assert page.title[0].value == "Attention"
    assert (page.selectbox(key="att_left").value, page.selectbox(key="att_right").value) == (looked["deit"], "")
    (table,) = [one.proto for one in page.get("bidi_component") if one.proto.id.endswith("-att_table")]
    assert json.loads(table.json)["rows"][0][0]["src"] == shown


def test_the_next_picture_loads_no_model_again(
    run_page: RunPage, looked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = run_page("predict")

    def refuse(*_: object) -> None:
        raise AssertionError("a model was loaded again")

    monkeypatch.setattr(Viewer, "load", refuse)
    before = charts(page)
    page.number_input(key="predict_image").set_value(2).run()
    assert charts(page) != before


def test_class_names_show_literally() -> None:
    name = '<img src=x onerror="alert(1)">\x1b'
    chart = bars("ViT", np.array([0.75, 0.25], np.float32), [name, "b"], truth="b", colour="#000")
    assert "<img" not in chart
    assert "\x1b" not in chart
    assert "75.0%" in chart


def test_the_true_class_is_shown_though_it_is_unlikely() -> None:
    chances = np.linspace(0.2, 0.01, 10, dtype=np.float32)
    chart = bars("ViT", chances, list("0123456789"), truth="9", colour="#000")
    assert chart.count("<li>") == 6
    assert "✓ 9<" in chart
    assert bars("ViT", chances[:3], list("012"), truth=None, colour="#000").count("<li>") == 3
