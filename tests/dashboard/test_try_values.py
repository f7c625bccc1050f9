"""Try several values on Train: what the form starts, and that the address keeps it."""

from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

from deit_core.runs import Store

RunPage = Callable[..., AppTest]


def widget(kind: Any, label: str) -> Any:
    return next(one for one in kind if one.label == label)


def test_several_values_are_started_as_one_experiment(store: Store, run_page: RunPage) -> None:
    page = run_page("train", preset="digits-quick")
    widget(page.multiselect, "Fields to vary").set_value(["optim.lr"]).run()
    assert page.button(key="start").label == "Start all 3 runs", "no values are typed yet"
    widget(page.text_input, "Values of optim.lr").set_value("1e-3, 2e-3").run()
    assert not page.exception
    assert page.button(key="start").label == "Start all 5 runs"
    assert any("**5 trainings.** Roughly" in one.value for one in page.markdown)
    assert "--sweep optim.lr=0.001,0.002" in page.code[0].value
    page.button(key="start").click().run()
    assert [run.name for run in store.runs()[::-1]] == [
        *("teacher", "vit lr 0.001", "deit lr 0.001", "vit lr 0.002", "deit lr 0.002"),
    ]


def test_values_that_cannot_be_tried_are_a_sentence(run_page: RunPage) -> None:
    page = run_page("train", preset="smoke")
    widget(page.multiselect, "Fields to vary").set_value(["optim.lr"]).run()
    widget(page.text_input, "Values of optim.lr").set_value("1e-4..1e-2").run()
    assert page.button(key="start").disabled
    assert "are a range" in page.error[0].value
    widget(page.number_input, "Combinations (trials)").set_value(7).run()
    assert not page.error
    assert page.button(key="start").label == "Start all 7 runs"


def test_the_address_keeps_what_is_tried(run_page: RunPage) -> None:
    page = run_page("train", preset="smoke")
    widget(page.multiselect, "Fields to vary").set_value(["optim.lr"]).run()
    widget(page.text_input, "Values of optim.lr").set_value("1e-4..1e-2").run()
    widget(page.number_input, "Combinations (trials)").set_value(7).run()
    widget(page.number_input, "Seed of the draw").set_value(3).run()
    widget(page.toggle, "Stop weak runs early").set_value(True).run()
    kept = {"sweep": "optim.lr=1e-4..1e-2", "trials": "7", "sweep-seed": "3", "stop-early": "true"}
    assert {name: page.query_params[name] for name in kept} == kept
    again = run_page("train", preset="smoke", **kept)
    assert again.button(key="start").label == "Start all 7 runs"
    assert "--trials 7 --sweep-seed 3 --stop-early" in again.code[0].value
    assert {name: again.query_params[name] for name in kept} == kept
    widget(again.multiselect, "Fields to vary").set_value([]).run()
    assert not again.query_params.keys() & kept.keys()


def test_what_the_address_cannot_have_is_left_out(run_page: RunPage) -> None:
    page = run_page("train", preset="smoke", sweep=["name=a,b", "optim.lr=1e-3,2e-3", "colour=1"], trials="none")
    assert page.button(key="start").label == "Start all 2 runs"
    words = [one.value.replace("\\", "") for one in page.info]
    assert any("vary colour, name, which cannot be varied here" in one for one in words)
    assert any("trials=none, which is no whole number from 1 to 1000" in one for one in words)
    assert not page.exception


def test_the_example_fits_the_kind_of_the_field(run_page: RunPage) -> None:
    page = run_page("train", preset="digits-quick")
    paths = ["model.depth", "model.skip_connections", "optim.optimizer", "optim.lr"]
    widget(page.multiselect, "Fields to vary").set_value(paths).run()
    examples = [widget(page.text_input, f"Values of {path}").placeholder for path in paths]
    assert examples == ["2, 4 or 2..8", "true, false", "adamw, sgd", "1e-3, 2e-3 or 1e-4..1e-2"]
