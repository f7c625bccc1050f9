"""The Attention page: which models and epochs stand side by side, and what it says where something is missing."""

import numpy as np
import pytest
from attention_tables import TEACHER, RunPage, pictures, table
from shown_models import save_checkpoints

from dashboard import state
from deit_core import presets
from deit_core.layout import run_folder
from deit_core.runs import Status, Store, enqueue

COLUMNS = ["Picture", "ViT", "DeiT, class token", "DeiT, distillation token", "DeiT, class − distillation"]


def test_says_what_to_do_before_the_first_run(run_page: RunPage) -> None:
    page = run_page("attention")
    assert "Train digits-quick first" in page.info[0].value
    assert page.page_link[0].value == "Train digits-quick"


def test_says_what_to_do_when_only_cnns_are_there(run_page: RunPage, store: Store) -> None:
    enqueue(store, presets.get("digits-quick").runs[0])
    assert "a CNN has no attention" in run_page("attention").info[0].value


def test_says_to_wait_for_the_first_epoch(run_page: RunPage, store: Store) -> None:
    enqueue(store, presets.get("digits-quick"))
    page = run_page("attention")
    assert "first epoch" in page.info[0].value
    assert page.page_link[0].value == "See how far the runs are"


def test_a_vit_stands_beside_the_tokens_of_its_deit_and_the_teacher(
    run_page: RunPage, looked: dict[str, str], store: Store
) -> None:
    (other,) = enqueue(store, presets.get("smoke"))
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
    newer = {store.run(run_id).name: run_id for run_id in enqueue(store, presets.get("digits-quick"))}
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


def test_only_columns_that_are_there_can_be_left_out(run_page: RunPage, looked: dict[str, str], store: Store) -> None:
    page = run_page("attention", att_shown=["Both tokens", "Teacher"])
    assert table(page)["columns"] == ["Picture", "ViT", "DeiT, both tokens", TEACHER]
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


def test_models_of_other_shapes_stand_side_by_side(run_page: RunPage, looked: dict[str, str], store: Store) -> None:
    (small,) = enqueue(store, presets.get("smoke"))  # two layers and 4 x 4 patches, beside three and 8 x 8
    save_checkpoints(store, small)
    label = f"{store.run(small).number} smoke"
    page = run_page("attention", att_right=label, att_query="Patch", att_row="8", att_column="8")
    assert [np.shape(cell["values"]) for cell in table(page)["rows"][0][1:]] == [(8, 8), (4, 4)]
    page.slider(key="att_layers").set_value((3, 3)).run()
    assert "has 2 layers" in page.warning[0].value
    assert [bool(source) for source in pictures(page)] == [True, True, False]


def test_two_epochs_of_one_run_are_told_apart(run_page: RunPage, looked: dict[str, str], store: Store) -> None:
    name = f"{store.run(looked['vit']).number} vit"
    page = run_page("attention", att_left=name, att_right=name)
    assert table(page)["columns"] == ["Picture", "ViT"]
    page.selectbox(key="att_right_weights").set_value("Epoch 1").run()
    assert table(page)["columns"] == ["Picture", f"{name}, best epoch", f"{name}, epoch 1"]


def test_another_epoch_is_another_model(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    before = pictures(page)
    assert page.selectbox(key="att_left_weights").options == ["Best epoch", "Last epoch", "Epoch 1", "Epoch 2"]
    page.selectbox(key="att_left_weights").set_value("Epoch 1").run()
    assert pictures(page)[1] != before[1]


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


def test_a_wrong_prediction_is_said(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_class="One of each class")
    for truth, *answers in table(page)["rows"]:
        for answer in answers[:3]:
            sign, named = answer["caption"].split(", ")[0].split(" ", 1)
            is_right = named == truth["caption"]
            assert (sign, answer["verdict"]) == (("✓", "right") if is_right else ("✗", "wrong"))


def test_each_attention_map_is_read_in_words(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    (words,) = [caption.value for caption in page.caption if "Where each map takes from" in caption.value]
    for column in ("ViT", "DeiT, class token", "DeiT, distillation token"):
        assert f"{column}: half of it comes from" in words.replace("\\", "")
    assert "Grad-CAM" not in words


def test_a_grad_cam_of_few_cells_is_called_coarse(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention")
    assert "has only 2 × 2 cells here" in "\n".join(caption.value for caption in page.caption)
    page.pills(key="att_shown").set_value(["Class token"]).run()
    assert "cells here" not in "\n".join(caption.value for caption in page.caption)
