"""`stop` and `delete` take several runs, and an experiment; what is refused for one does not keep the others."""

import io

import pytest
from program import Program

from deit_core import presets
from deit_core.runs import Status, Store, enqueue, open_store
from deit_core.settings import Settings
from deit_core.spec import replace


@pytest.fixture
def store(deit: Program) -> Store:
    return open_store(Settings.from_env().store_url)


def statuses(store: Store) -> dict[str, Status]:
    return {run.id: run.status for run in store.runs()}


def test_several_runs_are_stopped_and_each_refusal_is_said(deit: Program, store: Store) -> None:
    (first,), (second,), (third,) = (enqueue(store, presets.smoke(), reserved_for="nobody") for _ in range(3))
    store.set_status(second, Status.COMPLETED)
    done = deit("stop", first, second, "ffffffff", "3")
    assert done.code == 2
    assert statuses(store) == {first: Status.STOPPED, second: Status.COMPLETED, third: Status.STOPPED}
    assert done.stdout.decode().count("is stopped; `resume") == 2
    refused = done.stderr.decode().splitlines()
    assert len(refused) == 2
    assert refused[0].startswith("Error: There is no run whose id begins with 'ffffffff'")
    assert refused[1].startswith("Error: Run 2 smoke is completed already")


@pytest.mark.parametrize("reference", ["name", "id"])
def test_an_experiment_is_stopped_and_deleted_as_a_whole(deit: Program, store: Store, reference: str) -> None:
    ids = enqueue(store, presets.digits_quick(), reserved_for="nobody")
    (alone,) = enqueue(store, presets.smoke(), reserved_for="nobody")
    experiment = "digits-quick" if reference == "name" else (store.run(ids[0]).experiment_id or "")[:5]
    assert deit("stop", "--experiment", experiment).code == 0
    assert statuses(store) == dict.fromkeys(ids, Status.STOPPED) | {alone: Status.QUEUED}
    assert deit("delete", "--experiment", experiment, "--yes").code == 0
    assert statuses(store) == {alone: Status.QUEUED}


def test_a_teacher_and_its_student_are_deleted_in_any_order(deit: Program, store: Store) -> None:
    teacher, vit, student = enqueue(store, presets.digits_quick(), reserved_for="nobody")
    done = deit("delete", teacher, student, teacher, "--yes")
    assert (done.code, done.stdout.decode().split()) == (0, f"{student} is deleted. {teacher} is deleted.".split())
    assert statuses(store) == {vit: Status.QUEUED}


def test_many_are_asked_for_once(deit: Program, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = enqueue(store, presets.digits_quick(), reserved_for="nobody")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    done = deit("delete", *ids)
    assert done.code == 1
    assert b"Delete 3 runs, their checkpoints and their curves?" in done.stderr
    assert len(store.runs()) == 3


@pytest.mark.parametrize("command", ["stop", "delete"])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Name a run by its id or number, or an experiment with --experiment."),
        (("--experiment", "nothing"), "There is no experiment 'nothing'"),
        (("--experiment", ""), "There is no experiment ''"),
    ],
)
def test_nothing_is_chosen_by_mistake(
    deit: Program, store: Store, command: str, words: tuple[str, ...], sentence: str
) -> None:
    enqueue(store, presets.digits_quick(), reserved_for="nobody")
    done = deit(command, *words)
    assert (done.code, done.stdout) == (2, b"")
    assert sentence in done.last_line
    assert set(statuses(store).values()) == {Status.QUEUED}


def test_a_submit_has_a_hundred_runs_at_most(deit: Program, store: Store) -> None:
    trio = replace(presets.digits_quick(), {"seeds": 20})  # a teacher, and twenty of each student
    assert len(enqueue(store, trio, reserved_for="nobody")) == 41
    done = deit("submit", "fashion-fractions", "--set", "seeds=20")
    assert done.code == 2
    assert "This experiment asks for 164 runs, and 100 can be submitted at once" in done.last_line
    assert len(store.runs()) == 41
