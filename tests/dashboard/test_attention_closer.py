"""A closer look at one map of the Attention page: depth, heads, variants, faithfulness, film, predictions, files."""

import io
import json
from collections.abc import Callable

import numpy as np
import pytest
from attention_tables import RunPage, pictures, table
from PIL import Image

from dashboard import state
from dashboard.pictures import images
from dashboard.views.attention import save
from deit_core.layout import run_folder


def test_a_closer_look_can_be_at_any_of_the_pictures(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_count="3", att_closer="Depth", att_of="2. 0")
    rows = table(page)["rows"]
    assert table(page, "att_depth")["rows"][0][-1]["values"] == rows[1][1]["values"] != rows[0][1]["values"]


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


def test_predictions_stand_side_by_side(run_page: RunPage, looked: dict[str, str]) -> None:
    page = run_page("attention", att_closer="Predictions")
    said = [element.value.split("**")[1] for element in page.markdown if "**" in element.value]
    heads = ["DeiT\\, output", "DeiT\\, class head", "DeiT\\, distillation head"]
    assert said == ["ViT", *heads, "Teacher"]
    assert sum("87" in caption.value for caption in page.caption) == 3  # once a model


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
