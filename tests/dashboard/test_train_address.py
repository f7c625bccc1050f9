"""The address of the Train page: it holds the preset and the changes, and what it asks too much of is a sentence."""

import re

import pytest
from train_pages import RunPage, document, sound, words

from deit_core import presets
from deit_core.runs import Store


def test_the_address_holds_the_changes(train_page: RunPage) -> None:
    page = train_page()
    form = page.session_state["train_form"]
    page.number_input(key=f"form{form}/teacher+vit+deit/optim.lr").set_value(1).run()
    page.segmented_control(key=f"form{form}/runs").set_value("deit").run()
    page.selectbox(key=f"form{form}/deit/distillation.kind").set_value("hard").run()
    changes = page.query_params["set"]
    assert changes == ["optim.lr=1.0", "deit.distillation.kind=hard"]
    again = train_page(preset="digits-quick", set=["optim.lr=1", *changes[1:]])  # as a person writes it
    assert document(again) == document(page)
    form = again.session_state["train_form"]
    assert again.number_input(key=f"form{form}/teacher+vit+deit/optim.lr").value == 1.0
    assert "Changed: optim.lr = 1.0" in words(again).replace("\\", "")
    sound(again.button(key="undo").click().run())
    assert document(again) == presets.get("digits-quick")
    assert "set" not in again.query_params


def test_the_address_keeps_what_can_be_trained(train_page: RunPage) -> None:
    page = train_page(set=["optim.lr=0.001"])
    form = page.session_state["train_form"]
    sound(page.number_input(key=f"form{form}/teacher+vit+deit/optim.lr").set_value(-1).run())
    assert page.error
    assert page.query_params["set"] == "optim.lr=0.001"


@pytest.mark.parametrize(
    ("change", "words"),
    [("optim.lr", "FIELD=VALUE"), ("optim.speed=3", "no field optim.speed"), ("optim.epochs=many", "epochs")],
)
def test_a_change_in_the_address_that_cannot_be_made_is_a_sentence(
    change: str, words: str, train_page: RunPage
) -> None:
    page = train_page(set=[change])
    assert words in page.error[0].value.replace("\\", "")
    assert document(page) == presets.get("digits-quick")


def test_an_address_with_a_wrong_field_is_told_the_nearest_right_one(run_page: RunPage) -> None:
    page = run_page("train", set="vit.patch_size=7")
    assert "did you mean vit.model.patch_size?" in page.error[0].value.replace("\\", "")


def test_another_preset_starts_without_the_changes_of_the_address(train_page: RunPage) -> None:
    page = train_page(preset="digits-quick", set=["optim.lr=0.5"])
    sound(page.selectbox(key="preset").set_value("fashion-full").run())
    assert document(page) == presets.get("fashion-full")
    assert "set" not in page.query_params


def test_a_single_run_in_the_address_may_have_another_name(train_page: RunPage) -> None:
    page = train_page(preset="smoke", set=["name=mine", 'tags=["a"]'])
    run = document(page)
    assert (run.name, run.tags) == ("mine", ("a",))


def test_a_link_that_needs_more_memory_than_there_is_measures_and_starts_nothing(
    run_page: RunPage, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring: list[object] = []
    monkeypatch.setattr("deit_core.memory.check.total_memory", lambda: 24 * 10**9)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("deit_core.runs.estimates.subprocess.Popen", lambda *_, **__: measuring.append(1))
    changes = ["model.embed_dim=2048", "model.depth=48", "model.num_heads=16", "model.mlp_ratio=8"]
    page = sound(run_page("train", preset="smoke", set=changes))
    sentence = page.warning[0].value.replace("\\", "")
    assert re.match(r"'smoke' needs about 1\d\d\.\d GB of memory \(1\d\d\.\d GB for the model", sentence)
    assert sentence.endswith("and this machine grants 24.0 GB; choose a smaller model.")
    sound(page.button(key="start").click().run())
    assert page.error[0].value.replace("\\", "") == sentence
    assert store.runs() == []
    assert measuring == []
