"""What is said of a run's status."""

from dataclasses import replace

import pytest

from dashboard.run_status import choice_label, explain, is_live, word
from deit_core.runs import Run, RunUpdate, Status, Store
from deit_core.wording import duration


def of(store: Store, run_id: str) -> tuple[Run, list[Run]]:
    return store.run(run_id), store.runs()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.7, "1 min"), (83, "1 min 23 s"), (3600, "1 h"), (7890, "2 h 11 min")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_student_waits_while_its_teacher_can_still_be_completed(store: Store, every_status: dict[str, str]) -> None:
    student, teacher = every_status["blocked"], every_status["failed"]
    assert word(*of(store, student)) == "blocked"
    assert not is_live(*of(store, student))
    store.resume(teacher)
    assert word(*of(store, student)) == "waiting"
    assert is_live(*of(store, student))
    store.set_status(teacher, Status.COMPLETED)
    assert word(*of(store, student)) == "queued"


def test_places_in_the_queue(store: Store, every_status: dict[str, str]) -> None:
    assert "Next in the queue" in explain(*of(store, every_status["queued"]))
    store.resume(every_status["stopped"])
    assert explain(*of(store, every_status["queued"])) == "Place 2 in the queue."


def test_a_running_run_says_how_far_it_is(store: Store, every_status: dict[str, str]) -> None:
    assert explain(*of(store, every_status["running"])) == "Epoch 2 of 2, about 1 min 23 s left."
    store.stop(every_status["running"])
    assert word(*of(store, every_status["running"])) == "stopping"


def test_a_resumed_run_says_how_far_it_has_read(store: Store, every_status: dict[str, str]) -> None:
    store.add_points(every_status["running"], [], RunUpdate(message="Reading the images: 5 of 60, about 2 s left."))
    assert explain(*of(store, every_status["running"])) == "Reading the images: 5 of 60, about 2 s left."


def test_a_run_that_just_began_is_loading(store: Store, every_status: dict[str, str]) -> None:
    store.set_status(every_status["queued"], Status.RUNNING)
    assert explain(*of(store, every_status["queued"])) == "Loading the data and the model."
    store.add_points(every_status["queued"], [], RunUpdate(message="Reading the images: 5 of 60, about 2 s left."))
    assert explain(*of(store, every_status["queued"])) == "Reading the images: 5 of 60, about 2 s left."


def test_a_run_that_ended_says_why(store: Store, every_status: dict[str, str]) -> None:
    assert explain(*of(store, every_status["interrupted"])) == "Its worker is gone; resume continues from here."


def test_a_box_names_a_run_by_number_name_and_accuracy(store: Store, every_status: dict[str, str]) -> None:
    known = RunUpdate(results={"test_accuracy": 0.8125, "best_val_accuracy": 0.9})
    run_id = every_status["completed"]
    store.set_status(run_id, Status.COMPLETED, update=known)
    run, _ = of(store, run_id)
    assert choice_label(run) == f"{run.number} {run.name} · 81.2%"
    searched = replace(run, spec=run.spec.with_changes(tags=("search",), name="x" * 60))
    assert choice_label(searched).endswith(" · 90.0%"), "a search is judged on validation images"
    assert len(choice_label(searched)) < 40
    assert choice_label(replace(run, results={})) == f"{run.number} {run.name}"
