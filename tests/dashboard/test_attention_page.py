"""The Attention page, driven without a browser, over untrained models saved as runs save theirs."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from shown_models import save_checkpoints
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.fields import label_of
from dashboard.pictures import images
from dashboard.views.attention import save
from deit_core import presets
from deit_core.attention import Viewer
from deit_core.catalog import METHODS
from deit_core.data.sources import demo_images
from deit_core.data.sources import downloads as published
from deit_core.layout import run_folder
from deit_core.runs import Status, Store, enqueue
from deit_core.spec import AnySpec, RolloutSpec, bounds, replace

RunPage = Callable[..., AppTest]


def submit(store: Store, spec: AnySpec) -> list[str]:
    return enqueue(store, spec)


def table(page: AppTest, key: str = "att_table") -> dict[str, Any]:
    """What the browser is told of a table of panels."""
    assert not page.exception
    found = [element.proto for element in page.get("bidi_component") if element.proto.id.endswith(f"-{key}")]
    assert len(found) == 1, key
    data: dict[str, Any] = json.loads(found[0].json)
    return data


def pictures(page: AppTest, key: str = "att_table") -> list[str]:
    """The pictures of the first row, which tell their content; an empty place is ""."""
    return [cell["src"] if cell else "" for cell in table(page, key)["rows"][0]]


def png(*size: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_says_what_to_do_before_the_first_run(run_page: RunPage) -> None:
    page = run_page("attention")
    assert "Train digits-quick first" in page.info[0].value
    assert page.page_link[0].value == "Train digits-quick"


def test_says_what_to_do_when_only_cnns_are_there(run_page: RunPage, store: Store) -> None:
    submit(store, presets.get("digits-quick").runs[0])
    assert "a CNN has no attention" in run_page("attention").info[0].value


def test_says_to_wait_for_the_first_epoch(run_page: RunPage, store: Store) -> None:
    submit(store, presets.get("digits-quick"))
    page = run_page("attention")
    assert "first epoch" in page.info[0].value
    assert page.page_link[0].value == "See how far the runs are"


COLUMNS = ["Picture", "ViT", "DeiT, class token", "DeiT, distillation token", "DeiT, class − distillation"]
TEACHER = "Teacher, Grad-CAM"


def test_a_vit_stands_beside_the_tokens_of_its_deit_and_the_teacher(
    run_page: RunPage, looked: dict[str, str], store: Store
) -> None:
    (other,) = submit(store, presets.get("smoke"))
    store.set_status(other, Status.RUNNING)
    store.set_status(other, Status.COMPLETED)
    save_checkpoints(store, other)
    page = run_page("attention")
    assert (page.selectbox(key="att_left").value, page.selectbox(key="att_right").value) == (
        looked["vit"],
        looked["deit"],
    )
    assert looked["teacher"] not in " ".join(page.selectbox(key="att_left").options)
    shown = table(page)
    assert shown["columns"] == [*COLUMNS, TEACHER]
    (row,) = shown["rows"]
    assert len({cell["src"] for cell in row}) == 6
    assert row[0]["caption"] == "0"
    assert all("%" in cell["caption"] for cell in (*row[1:4], row[5]))
    assert np.shape(row[1]["values"]) == (8, 8)
    difference = np.subtract(row[2]["values"], row[3]["values"])
    np.testing.assert_allclose(difference, row[4]["values"], atol=2e-3)
    assert sum(bar.value.count("uniform") for bar in page.html) == 3


def test_the_address_names_the_models_that_are_shown_at_first(
    run_page: RunPage, looked: dict[str, str], store: Store
) -> None:
    names = {"att_left": looked["vit"], "att_right": looked["deit"]}
    page = run_page("attention")
    assert {key: page.query_params[key] for key in names} == names
    newer = {store.run(run_id).name: run_id for run_id in submit(store, presets.get("digits-quick"))}
    for run_id in newer.values():
        save_checkpoints(store, run_id)
        store.set_status(run_id, Status.RUNNING)
        store.set_status(run_id, Status.COMPLETED)
    assert run_page("attention").selectbox(key="att_left").value == newer["vit"]
    linked = run_page("attention", **names)
    assert linked.selectbox(key="att_left").value == looked["vit"]
    assert linked.selectbox(key="att_right").value == looked["deit"]
    linked.selectbox(key="att_right").set_value("").run()
    assert table(linked)["columns"] == ["Picture", "ViT"]
    assert table(run_page("attention", att_left=names["att_left"]))["columns"] == ["Picture", "ViT"]


def test_a_model_that_is_gone_is_said(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_left="6 gone1", att_right="7 *gone2*")
    assert [info.value for info in page.info] == [
        f"Run {name} is not here: deleted since, of another store, without attention, or before its first epoch."
        for name in ("6 gone1", "7 \\*gone2\\*")
    ]
    assert table(page)["columns"] == ["Picture", "ViT"]
    page.selectbox(key="att_right").set_value(looked["deit"]).run()
    assert table(page)["columns"] == [*COLUMNS, TEACHER]


def test_columns_can_be_left_out(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_shown=["Both tokens", "Teacher"])
    assert table(page)["columns"] == ["Picture", "ViT", "DeiT, both tokens", TEACHER]


def test_only_columns_that_are_there_can_be_left_out(run_page: RunPage, looked: dict[str, str], store: Store) -> None:
    page = run_page("attention", att_shown=["Both tokens", "Teacher"])
    page.segmented_control(key="att_query").set_value("Patch").run()
    (pills,) = page.pills
    assert pills.options == ["Teacher"]
    pills.set_value([]).run()
    assert table(page)["columns"] == ["Picture", "ViT", "DeiT"]
    page.segmented_control(key="att_query").set_value("Output tokens").run()
    assert table(page)["columns"] == ["Picture", "ViT", "DeiT, both tokens", TEACHER]
    page.selectbox(key="att_left").set_value(looked["deit"])
    page.selectbox(key="att_right").set_value("").run()
    page.pills(key="att_shown").set_value([]).run()
    assert [info.value for info in page.info] == ["Choose a token to show."]


def test_each_attention_map_is_read_in_words(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    (words,) = [caption.value for caption in page.caption if "Where each map takes from" in caption.value]
    for column in ("ViT", "DeiT, class token", "DeiT, distillation token"):
        assert f"{column}: half of it comes from" in words.replace("\\", "")
    assert "Grad-CAM" not in words


def test_a_slider_move_changes_maps_and_looks_at_nothing_again(
    run_page: RunPage, looked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = run_page("attention")
    before = pictures(page)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the model was asked again")

    monkeypatch.setattr(Viewer, "look", refuse)
    for key, value in (
        ("att_discard", 0.9),
        ("att_layers", (2, 3)),
        ("att_opacity", 0.1),
        ("att_residual", 0.1),
    ):
        page.slider(key=key).set_value(value).run()
        after = pictures(page)
        assert after[0] == before[0], "what the model saw stays"
        assert after[1] != before[1], key
        before = after
    page.selectbox(key="att_heads").set_value("max").run()
    assert pictures(page)[1] != before[1]
    before = pictures(page)
    for key, value in (("att_scope", "row"), ("att_norm", "attention")):
        page.segmented_control(key=key).set_value(value).run()
        assert pictures(page)[1] != before[1], key
        before = pictures(page)
    for key in ("att_compat", "att_shared", "att_smooth"):
        toggle = page.toggle(key=key)
        toggle.set_value(not toggle.value).run()
        assert pictures(page)[1] != before[1], key
        before = pictures(page)
    page.toggle(key="att_shared").set_value(True).run()
    page.selectbox(key="att_colours").set_value("cividis").run()
    assert "rgb(0, 34, 78)" in page.html[0].value


def test_one_head_can_be_followed(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    shown = {pictures(page)[1]}
    for head in ("head 1", "head 2"):
        page.selectbox(key="att_heads").set_value(head).run()
        shown.add(pictures(page)[1])
    assert len(shown) == 3


def test_several_pictures_are_several_rows(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_count="3")
    rows = table(page)["rows"]
    assert len({row[1]["src"] for row in rows}) == len(rows) == 3
    page.selectbox(key="att_class").set_value("One of each class").run()
    assert [row[0]["caption"] for row in table(page)["rows"]] == list("0123456789")


@pytest.mark.parametrize("method", ["Last-layer attention", "Gradient rollout", "Attention relevance"])
def test_every_method_of_the_list_draws_its_own_map(run_page: RunPage, looked: dict[str, str], method: str) -> None:
    rolled = run_page("attention")
    page = run_page("attention", att_method=method)
    assert all(new != old for new, old in zip(pictures(page)[1:5], pictures(rolled)[1:5], strict=True))
    assert "att_discard" not in {slider.key for slider in page.slider}


def test_another_class_moves_what_is_class_specific_and_no_rollout(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_method="Attention relevance", att_target="3")
    before = pictures(page)
    page.selectbox(key="att_target").set_value("7").run()
    after = pictures(page)
    assert all(new != old for new, old in zip(after[1:], before[1:], strict=True))
    rolled = run_page("attention")
    assert "att_target" not in {box.key for box in rolled.selectbox}


def test_another_epoch_is_another_model(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    before = pictures(page)
    assert page.selectbox(key="att_left_weights").options == ["Best epoch", "Last epoch", "Epoch 1", "Epoch 2"]
    page.selectbox(key="att_left_weights").set_value("Epoch 1").run()
    assert pictures(page)[1] != before[1]


def test_nothing_beside_leaves_one_model(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_right="Nothing")
    assert table(page)["columns"] == ["Picture", "ViT"]


def test_a_patch_can_be_queried(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    page.segmented_control(key="att_query").set_value("Patch").run()
    assert table(page)["columns"] == ["Picture", "ViT", "DeiT", TEACHER]
    before = pictures(page)
    page.number_input(key="att_row").set_value(8).run()
    page.number_input(key="att_column").set_value(1).run()
    after = table(page)["rows"][0]
    assert after[0]["outlined"] == [7, 0]
    assert all(new["src"] != old for new, old in zip(after[1:3], before[1:3], strict=True))


def test_a_click_makes_a_patch_the_query(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    assert table(page)["pick"] == "patch"
    page.session_state["att_query"], page.session_state["att_row"], page.session_state["att_column"] = "Patch", 3, 5
    page.run()
    assert table(page)["rows"][0][0]["outlined"] == [2, 4]


def test_an_empty_map_says_why(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_discard="0.99", att_layers=["2", "2"])
    assert "Leave out fewer weak links" in page.warning[0].value
    assert any("stays in the distillation token" in caption.value for caption in page.caption)
    page.segmented_control(key="att_scope").set_value("row").run()
    assert not page.warning
    page.slider(key="att_residual").set_value(1.0).run()
    assert "lower the residual" in page.warning[0].value
    assert "discard" not in page.warning[0].value


def test_layers_in_the_address_may_stand_in_any_order(run_page: RunPage, looked: dict[str, str]) -> None:
    assert pictures(run_page("attention", att_layers=["3", "2"])) == pictures(
        run_page("attention", att_layers=["2", "3"])
    )


def test_the_address_restores_the_view(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page(
        "attention", att_discard="0.9", att_heads="head 2", att_class="7", att_image="3", att_closer="Heads"
    )
    assert page.slider(key="att_discard").value == 0.9
    assert page.selectbox(key="att_heads").value == "head 2"
    assert page.selectbox(key="att_class").value == "7"
    assert page.number_input(key="att_image").value == 3
    assert table(page, "att_head_grid")
    assert pictures(page) != pictures(run_page("attention"))


def test_a_damaged_checkpoint_leaves_the_other_model(run_page: RunPage, looked: dict[str, str]) -> None:
    file = run_folder(state.settings().runs_dir, looked["vit"]) / "best.safetensors"
    file.write_bytes(file.read_bytes()[:500])
    page = run_page("attention")
    assert "is damaged" in page.warning[0].value
    assert [bool(source) for source in pictures(page)] == [True, False, True, True, True, True]


@pytest.mark.parametrize("stray", ["._0001", "0001 (copy)", "best", "0002~", "٣"])
def test_a_stray_file_beside_the_epochs_is_left_out(run_page: RunPage, looked: dict[str, str], stray: str) -> None:
    for run_id in looked.values():
        epochs = run_folder(state.settings().runs_dir, run_id) / "epochs"
        (epochs / f"{stray}.safetensors").write_bytes(b"not ours")
    page = run_page("attention")
    assert not page.exception
    assert page.selectbox(key="att_left_weights").options == ["Best epoch", "Last epoch", "Epoch 1", "Epoch 2"]


def test_an_epoch_that_is_gone_gives_way_to_the_best(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_left_weights="Epoch 1")
    (run_folder(state.settings().runs_dir, looked["vit"]) / "epochs" / "0001.safetensors").unlink()
    page.run()
    assert len(pictures(page)) == 6
    assert page.selectbox(key="att_left_weights").value == "Best epoch"


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
    (run_id,) = submit(store, presets.get("fashion-classroom").runs[1])
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
    (run_id,) = submit(store, spec)
    save_checkpoints(store, run_id, classes=("disc", "ring"))
    shapes.rename(tmp_path / "moved")
    page = run_page("attention", att_method="Attention relevance")
    assert "The test images of folder shapes cannot be read any more" in page.error[0].value
    assert page.selectbox(key="att_target").options == ["Predicted class", "disc", "ring"]
    page.segmented_control(key="att_picture").set_value("Upload").run()
    page.file_uploader[0].upload("shoe.png", png(90, 120)).run()
    assert all(pictures(page))


def test_one_layer_needs_no_choice_of_layers(run_page: RunPage, store: Store) -> None:
    spec = replace(presets.get("smoke"), {"model.depth": 1, "name": "<b>*one*</b>"})
    (run_id,) = submit(store, spec)
    save_checkpoints(store, run_id)
    page = run_page("attention", att_closer="Depth")
    assert len(pictures(page)) == 2
    assert not {"att_layers", "att_passed"} & {slider.key for slider in page.slider}


def test_models_of_other_shapes_stand_side_by_side(run_page: RunPage, looked: dict[str, str], store: Store) -> None:
    (small,) = submit(store, presets.get("smoke"))  # two layers and 4 x 4 patches, beside three and 8 x 8
    save_checkpoints(store, small)
    label = f"{store.run(small).number} smoke"
    page = run_page("attention", att_right=label, att_query="Patch", att_row="8", att_column="8")
    assert [np.shape(cell["values"]) for cell in table(page)["rows"][0][1:]] == [(8, 8), (4, 4)]
    page.slider(key="att_layers").set_value((3, 3)).run()
    assert "has 2 layers" in page.warning[0].value
    assert [bool(source) for source in pictures(page)] == [True, True, False]


def test_depth_follows_the_information_down(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_closer="Depth", att_at="DeiT, class token")
    (steps,) = table(page, "att_depth")["rows"]
    assert [step["caption"] for step in steps] == ["Below layer 3", "Below layer 2", "Below layer 1"]
    assert [step["chosen"] for step in steps] == [False, False, True]
    assert steps[-1]["values"] == table(page)["rows"][0][2]["values"]
    page.slider(key="att_passed").set_value(1).run()
    assert pictures(page, "att_depth_large") == [steps[0]["src"]]
    audit = page.dataframe[0].value
    assert audit["Links kept"].tolist() == [100.0] * 3
    assert audit["Residual"].tolist() == pytest.approx([50.0] * 3)
    page.slider(key="att_discard").set_value(0.9).run()
    assert page.dataframe[0].value["Links kept"].max() < 15


def test_a_wiped_row_is_said(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_closer="Depth", att_discard="0.99")
    assert any("its row is empty" in warning.value for warning in page.warning)


def test_heads_are_a_grid_by_layer(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_closer="Heads")
    grid = table(page, "att_head_grid")
    assert len(grid["rows"]) == 3
    assert grid["rowTitles"] == ["Layer 1", "Layer 2", "Layer 3"]
    assert len(set(pictures(page, "att_head_grid"))) == len(grid["columns"])


def test_variants_hold_what_is_drawn_above(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_closer="Variants", att_heads="max", att_discard="0.9")
    variants = table(page, "att_variants")
    chosen = [cell for row in variants["rows"] for cell in row if cell["chosen"]]
    assert [cell["values"] for cell in chosen] == [table(page)["rows"][0][1]["values"]]
    assert variants["rowTitles"] == ["mean", "max", "min"]


def test_faithfulness_says_how_a_map_does_against_chance(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_closer="Faithfulness", att_randomise="true")
    assert any("5 random orders" in caption.value for caption in page.caption)
    steps = [cell["caption"] for row in table(page, "att_randomised")["rows"] for cell in row if cell]
    assert steps[0].startswith("trained, ρ 1.00")
    assert steps[1].startswith("head, ρ 1.00")  # a rollout knows no classes
    page.segmented_control(key="att_query").set_value("Patch").run()
    assert any("explains that patch" in info.value for info in page.info)


def test_a_film_needs_the_weights_of_its_epochs(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_closer="Film", att_epoch="2")
    assert table(page, "att_film_large")["columns"] == ["Epoch 2"]
    page.select_slider(key="att_epoch").set_value(1).run()
    assert table(page, "att_film_large")["columns"] == ["Epoch 1"]
    first, second = table(page, "att_film")["rows"][0]
    assert (first["chosen"], second["chosen"]) == (True, False)
    assert pictures(page, "att_film_large") == [first["src"]]
    (run_folder(state.settings().runs_dir, looked["vit"]) / "epochs" / "0001.safetensors").unlink()
    page.run()
    assert any("there is no film" in info.value for info in page.info)


def test_a_film_too_large_to_keep_leaves_epochs_out_and_says_so(
    run_page: RunPage, looked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "LOOK_BYTES", 1)
    page = run_page("attention", att_closer="Film", att_epoch="1")
    assert len(table(page, "att_film")["rows"][0]) == 1
    assert any("1 of 2 epochs" in caption.value for caption in page.caption)


def test_a_film_plays_from_epoch_to_epoch(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_closer="Film", att_epoch="1")
    page.toggle(key="att_film_plays").set_value(True).run()
    assert table(page, "att_film_large")["columns"] == ["Epoch 2"]
    assert table(page.run(), "att_film_large")["columns"] == ["Epoch 1"]  # it begins again
    page.toggle(key="att_film_plays").set_value(False).run()
    assert table(page.run(), "att_film_large")["columns"] == ["Epoch 1"]


def test_a_grad_cam_of_few_cells_is_called_coarse(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    assert "has only 2 × 2 cells here" in "\n".join(caption.value for caption in page.caption)
    page.pills(key="att_shown").set_value(["Class token"]).run()
    assert "cells here" not in "\n".join(caption.value for caption in page.caption)


def test_predictions_stand_side_by_side(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_closer="Predictions")
    said = [element.value.split("**")[1] for element in page.markdown if "**" in element.value]
    heads = ["DeiT\\, output", "DeiT\\, class head", "DeiT\\, distillation head"]
    assert said == ["ViT", *heads, "Teacher"]
    assert sum("87" in caption.value for caption in page.caption) == 3  # once a model


def test_a_wrong_prediction_is_said(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_class="One of each class")
    for truth, *answers in table(page)["rows"]:
        for answer in answers[:3]:
            sign, named = answer["caption"].split(", ")[0].split(" ", 1)
            is_right = named == truth["caption"]
            assert (sign, answer["verdict"]) == (("✓", "right") if is_right else ("✗", "wrong"))


def test_a_closer_look_can_be_at_any_of_the_pictures(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_count="3", att_closer="Depth", att_of="2. 0")
    rows = table(page)["rows"]
    assert table(page, "att_depth")["rows"][0][-1]["values"] == rows[1][1]["values"] != rows[0][1]["values"]


def test_two_epochs_of_one_run_are_told_apart(run_page: RunPage, looked: dict[str, str], store: Store) -> None:
    name = f"{store.run(looked['vit']).number} vit"
    page = run_page("attention", att_left=name, att_right=name)
    assert table(page)["columns"] == ["Picture", "ViT"]
    page.selectbox(key="att_right_weights").set_value("Epoch 1").run()
    assert table(page)["columns"] == ["Picture", f"{name}, best epoch", f"{name}, epoch 1"]


def test_the_example_by_hand_follows_the_panel(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_closer="By hand")
    before = [element.value for element in page.html]
    page.slider(key="att_discard").set_value(0.5).run()
    assert [element.value for element in page.html] != before


def test_files_hold_the_numbers_and_how_they_came_about(monkeypatch: pytest.MonkeyPatch) -> None:
    packs: dict[str, Callable[[], bytes]] = {}
    monkeypatch.setattr(save, "button", lambda title, file_name, pack, **_: packs.update({file_name: pack}))
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    sheet = np.zeros((4, 4, 3), np.uint8)
    save.offer("heads", lambda: sheet, {"map": values}, {"discard_ratio": 0.9})
    loaded = np.load(io.BytesIO(packs["attention-heads.npz"]()))
    np.testing.assert_array_equal(loaded["map"], values)
    assert json.loads(str(loaded["settings"])) == {"discard_ratio": 0.9}
    picture = Image.open(io.BytesIO(packs["attention-heads.png"]()))
    assert json.loads(picture.text["deit_lab"]) == {"discard_ratio": 0.9}


def test_the_page_offers_the_methods_of_the_list(run_page: RunPage, looked: dict[str, str]) -> None:
    titles = [facts.title for facts in METHODS.values() if facts.family == "vit"]
    assert run_page("attention").selectbox(key="att_method").options == titles


def test_the_mark_of_the_scale_stands_at_one() -> None:
    assert "left:25.0%" in images.colour_bar("inferno", 4, "Attention")
    assert "left" not in images.colour_bar("grey", 0.5, "Attention").replace("to right", "")
    assert "left:50.0%" in images.colour_bar("coolwarm", 0.5, "Difference")


def words_of(page: AppTest) -> dict[str, str]:
    """The help of every widget of the panel by its label."""
    kinds = ("selectbox", "slider", "toggle", "number_input", "segmented_control")
    widgets = [widget for kind in kinds for widget in getattr(page, kind)]
    return {widget.label: widget.proto.help for widget in widgets}


def test_the_panel_has_every_field_of_a_rollout_in_its_own_words(run_page: RunPage, looked: dict[str, str]) -> None:
    words = words_of(run_page("attention", att_query="Patch"))
    words |= words_of(run_page("attention", att_method="Gradient rollout"))
    for name, info in RolloutSpec.model_fields.items():
        help = words[label_of(name, info)]
        assert str(info.description) in help
        assert bounds(info) in help


def test_the_end_of_the_scale_can_be_set(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_vmax="2.5")
    assert page.number_input(key="att_vmax").value == 2.5
    assert "≥ 2.5" in page.html[0].value
    page.toggle(key="att_shared").set_value(False).run()
    assert page.number_input(key="att_vmax").disabled
    assert not page.exception
