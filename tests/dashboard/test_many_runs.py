"""The Runs page over thousands of runs: a page of rows at a time, and actions on many at once."""

import dataclasses
import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks.filling import add_copies
from dashboard.views.runs.page import SHOWN
from deit_core import presets
from deit_core.runs import Status, Store, enqueue
from deit_core.runs.condition import explain

RunPage = Callable[..., AppTest]


@pytest.fixture
def many(store: Store) -> Store:
    """120 queued runs, that no worker takes."""
    enqueue(store, presets.smoke(), reserved_for="nobody")
    add_copies(store, 120)
    return store


def numbers(page: AppTest) -> list[int]:
    assert not page.exception
    return [int(number) for number in page.dataframe[0].value["number"]]


def messages(page: AppTest, kind: str) -> str:
    return " ".join(element.value for element in page.get(kind)).replace("\\", "")


def test_the_table_has_a_page_of_rows_at_a_time(many: Store, run_page: RunPage) -> None:
    assert numbers(run_page("runs")) == list(range(120, 70, -1))
    page = run_page("runs", run_page="3")
    assert numbers(page) == list(range(20, 0, -1))
    assert "Runs 101 to 120 of 120, the newest first." in messages(page, "caption")
    page.text_input(key="run_search").set_value("run 7").run()
    assert numbers(page) == [*range(79, 69, -1), 7]


def test_a_page_that_is_not_there_is_the_first(many: Store, run_page: RunPage) -> None:
    page = run_page("runs", run_page="9")
    assert numbers(page)[0] == 120


def test_runs_of_another_page_stay_chosen(many: Store, run_page: RunPage) -> None:
    ids = [run.id for run in many.runs()]
    page = run_page("runs", runs=[ids[0], ids[60]])
    page.session_state["run_page"] = 2
    page.run()
    assert numbers(page)[10] == 60
    assert page.session_state["run_table"]["selection"]["rows"] == [10]
    assert page.multiselect(key="runs").value == [ids[0], ids[60]]


def test_of_many_chosen_runs_the_first_are_drawn(many: Store, run_page: RunPage) -> None:
    page = run_page("runs", runs=[run.id for run in many.runs()][: SHOWN + 5])
    assert not page.exception
    assert len([button for button in page.button if str(button.key).startswith("Stop-")]) == SHOWN
    assert f"The first {SHOWN} of {SHOWN + 5} chosen runs" in messages(page, "caption")


def test_chosen_runs_are_stopped_together_once_that_is_confirmed(many: Store, run_page: RunPage) -> None:
    chosen = many.runs()[:3]
    page = run_page("runs", runs=[run.id for run in chosen])
    page.button(key="stop_chosen").click().run()
    assert "This stops **3 runs**: 120 run 120, 119 run 119, 118 run 118. Each" in messages(page, "markdown")
    assert {run.status for run in many.runs()} == {Status.QUEUED}
    page.button(key="many").click().run()
    assert [run.id for run in many.runs() if run.status == Status.STOPPED] == [run.id for run in chosen]
    assert messages(page, "success") == "3 runs asked to stop."


def test_all_runs_of_the_filter_are_deleted_together(many: Store, run_page: RunPage) -> None:
    page = run_page("runs", runs=[many.runs()[0].id])
    page.text_input(key="run_search").set_value("run 7").run()
    page.button(key="delete_listed").click().run()
    page.button(key="cancel_many").click().run()
    assert len(many.runs()) == 120
    page.button(key="delete_listed").click().run()
    page.button(key="many").click().run()
    assert not page.exception
    assert messages(page, "success") == "11 runs deleted."
    assert {run.number for run in many.runs()} == {*range(1, 121)} - {7, *range(70, 80)}


def test_what_is_refused_for_one_run_does_not_keep_the_others(store: Store, run_page: RunPage) -> None:
    trio, (running,) = enqueue(store, presets.digits_quick()), enqueue(store, presets.smoke())
    store.set_status(running, Status.RUNNING)
    page = run_page("runs", runs=[*trio, running])
    page.button(key="delete_chosen").click().run()
    page.button(key="many").click().run()
    assert [run.id for run in store.runs()] == [running]  # the teacher last, when nothing needs it any more
    assert messages(page, "success") == "3 runs deleted."
    assert messages(page, "error") == "Run 4 smoke is running; stop it first, then delete it."


def test_too_many_runs_in_one_experiment_are_refused_when_they_are_started(store: Store, run_page: RunPage) -> None:
    page = run_page("train", preset="fashion-fractions", set="seeds=20")
    page.button(key="start").click().run()
    assert not page.exception
    assert "This experiment asks for 164 runs, and 100 can be submitted at once; lower its seeds" in messages(
        page, "error"
    )
    assert store.runs() == []


def test_a_place_among_thousands_is_counted_at_once(store: Store) -> None:
    enqueue(store, presets.digits_quick())
    deit, vit, teacher = store.runs()
    students = [dataclasses.replace(deit, id=f"a{number}", number=number) for number in range(2003, 3, -1)]
    last = dataclasses.replace(vit, id="last", number=3000)
    runs = [last, *students, deit, vit, teacher]
    began = time.process_time()
    assert explain(last, runs) == "Place 2,004 in the queue."
    assert time.process_time() - began < 0.1  # it took half a second for each chosen run
