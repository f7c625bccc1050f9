"""The store and the queue: one truth, however many processes ask."""

import contextlib
import math
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from deit_core import presets
from deit_core.errors import RunError, SpecError
from deit_core.runs import NewPoint, RunUpdate, Status, Store, enqueue, open_store, queue, schema, waiting_for
from deit_core.spec import RunSpec, replace


@pytest.fixture
def store(each_store: Store) -> Store:
    """Every test here is a promise of both kinds of store."""
    return each_store


@pytest.fixture
def worker(store: Store) -> str:
    entry = queue.register(store, num_slots=1)
    assert entry is not None
    return entry[0]


def test_an_experiment_queues_in_order_and_waits_for_its_teacher(store: Store, worker: str, tmp_path: Path) -> None:
    teacher, vit, deit = enqueue(store, presets.digits_quick())
    assert store.run(deit).spec.distillation.teacher == teacher  # type: ignore[union-attr]
    assert [run.name for run in waiting_for(store.run(deit), store.runs())] == ["teacher"]
    first = queue.claim(store, worker)
    second = queue.claim(store, worker)
    assert first is not None
    assert second is not None
    assert (first.id, second.id) == (teacher, vit)
    assert queue.claim(store, worker) is None  # the student waits
    store.set_status(teacher, Status.COMPLETED)
    third = queue.claim(store, worker)
    assert third is not None
    assert third.id == deit
    assert third.status == Status.RUNNING


def test_a_student_of_a_failed_teacher_waits_until_it_is_resumed(store: Store, worker: str, tmp_path: Path) -> None:
    teacher, vit, deit = enqueue(store, presets.digits_quick())
    queue.claim(store, worker)
    store.set_status(teacher, Status.FAILED, "no luck")
    assert queue.claim(store, worker).id == vit  # type: ignore[union-attr]
    assert queue.claim(store, worker) is None
    assert store.run(deit).status == Status.QUEUED
    with pytest.raises(RunError, match="Run 3 deit still needs"):
        store.delete(teacher)
    store.resume(teacher)
    assert queue.claim(store, worker).id == teacher  # type: ignore[union-attr]


def test_a_run_is_found_by_its_number_or_the_beginning_of_its_id(store: Store, tmp_path: Path) -> None:
    enqueue(store, presets.smoke())
    (run_id,) = enqueue(store, presets.smoke())
    assert store.run(run_id[:4]).id == run_id
    assert store.run("2").id == run_id
    with pytest.raises(RunError, match="There is no run 3;"):
        store.run("3")
    for wrong in ("zzz", "", "%"):
        with pytest.raises(RunError, match="no run whose id begins"):
            store.run(wrong)


def test_what_a_status_does_not_allow_is_one_sentence(store: Store, worker: str, tmp_path: Path) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    with pytest.raises(RunError, match="only stopped, interrupted and failed"):
        store.resume(run_id)
    queue.claim(store, worker)
    with pytest.raises(RunError, match="stop it first"):
        store.delete(run_id)
    store.stop(run_id)
    assert store.run(run_id).stop_requested
    store.set_status(run_id, Status.STOPPED, "Stopped.")
    assert not store.run(run_id).stop_requested
    with pytest.raises(RunError, match="is stopped already"):
        store.stop(run_id)
    store.delete(run_id)
    assert store.runs() == []


def test_a_queued_run_stops_at_once(store: Store, worker: str, tmp_path: Path) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    store.stop(run_id)
    assert store.run(run_id).status == Status.STOPPED
    assert queue.claim(store, worker) is None


def test_a_teacher_that_is_nowhere_is_one_sentence(store: Store, tmp_path: Path) -> None:
    deit = replace(presets.digits_quick().runs[2], {"distillation.teacher": "nobody"})
    with pytest.raises(SpecError, match=r"'nobody' of 'deit' is neither a run nor .*, or start the whole experiment"):
        enqueue(store, deit)
    assert store.runs() == []


def test_a_finished_run_can_teach_a_single_student(store: Store, worker: str, tmp_path: Path) -> None:
    experiment = presets.digits_quick()
    (teacher,) = enqueue(store, experiment.runs[0])
    deit = replace(experiment.runs[2], {"distillation.teacher": teacher})
    (student,) = enqueue(store, deit)
    assert store.run(student).needs == (teacher,)


def test_points_are_read_from_where_the_reader_left_off(store: Store, tmp_path: Path) -> None:
    (run_id,) = enqueue(store, presets.smoke())

    def point(step: int) -> NewPoint:
        return NewPoint("step", step, step / 10, 1.0, {"train_loss": 1 / step})

    store.add_points(run_id, [point(1), point(2)], RunUpdate(step=2, total_steps=10))
    first = store.points(run_id)
    store.add_points(run_id, [point(3)], RunUpdate(step=3))
    assert [p.step for p in store.points(run_id, after_seq=first[-1].seq)] == [3]
    assert store.run(run_id).progress == pytest.approx(0.3)
    assert first[1].metrics == {"train_loss": 0.5}
    store.delete(run_id)
    assert store.points(run_id) == []


def test_points_come_back_as_they_were_however_many(store: Store) -> None:
    """They are decoded in blocks; each keeps its own numbers, also those that JSON has no word for."""
    mine, other = enqueue(store, presets.smoke())[0], enqueue(store, presets.smoke())[0]
    rows = [
        NewPoint(
            kind="epoch" if step % 100 == 0 else "step",
            step=step,
            epoch=step / 100,
            elapsed_s=step / 7,
            metrics={"lr": 1 / step} | ({"train_loss": math.inf} if step % 3 else {}),
        )
        for step in range(1, 2502)
    ]
    for start in range(0, len(rows), 500):
        store.add_points(mine, rows[start : start + 500])
        store.add_points(other, rows[:1])
    points = store.points(mine)
    assert [point._asdict() for point in points] == [
        {"seq": point.seq, "run_id": mine} | asdict(row) for point, row in zip(points, rows, strict=True)
    ]
    assert store.points(mine, kind="epoch") == points[99::100]
    assert store.points(mine, after_seq=points[999].seq) == points[1000:]
    assert store.points(mine, after_seq=points[-1].seq) == []


CLAIM_ALL = """
import sys
from deit_core.runs import open_store, queue
store = open_store(sys.argv[1])
worker_id, _ = queue.register(store, num_slots=99)
while (run := queue.claim(store, worker_id)) is not None:
    print(run.id)
"""


def test_no_run_is_claimed_twice(store: Store) -> None:
    ids = [enqueue(store, presets.smoke())[0] for _ in range(40)]
    claimers = [
        subprocess.Popen([sys.executable, "-c", CLAIM_ALL, store.database.url], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    claimed = [run_id for process in claimers for run_id in process.communicate(timeout=300)[0].split()]
    assert [process.returncode for process in claimers] == [0] * 4
    assert sorted(claimed) == sorted(ids)


def test_slots_limit_the_workers_of_a_machine(store: Store) -> None:
    first, second = queue.register(store, 2), queue.register(store, 2)
    assert first is not None
    assert second is not None
    assert {first[1], second[1]} == {0, 1}
    assert queue.register(store, 2) is None
    foreground = queue.register(store, None)
    assert foreground is not None
    assert foreground[1] is None
    assert queue.retire(store, first[0])
    assert queue.register(store, 2) is not None


def test_at_work_is_who_has_a_run(store: Store, worker: str) -> None:
    enqueue(store, presets.smoke())
    assert [here.id for here in queue.registered_here(store)] == [worker]
    assert queue.workers_here(store) == []
    assert queue.num_ready(store) == 1
    run = queue.claim(store, worker)
    assert run is not None
    assert [here.id for here in queue.workers_here(store)] == [worker]
    assert queue.num_ready(store) == 0
    store.set_status(run.id, Status.COMPLETED)
    assert queue.workers_here(store) == []


def test_a_worker_does_not_retire_from_a_ready_run(store: Store, worker: str, tmp_path: Path) -> None:
    enqueue(store, presets.smoke())
    assert not queue.retire(store, worker)
    assert queue.claim(store, worker) is not None
    assert queue.retire(store, worker)


def test_the_run_of_a_dead_process_becomes_interrupted(store: Store, worker: str, tmp_path: Path) -> None:
    ids = enqueue(store, presets.digits_quick())
    queue.claim(store, worker)
    assert queue.reap(store) == []  # this process lives
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pid = child.pid
    with store.writing() as connection:
        connection.execute(schema.workers.update().values(pid=pid))
    assert queue.reap(store) == [ids[0]]
    run = store.run(ids[0])
    assert run.status == Status.INTERRUPTED
    assert f"process {pid}" in run.message
    assert queue.reap(store) == []
    assert queue.register(store, 1) is not None  # its place is free again


def test_a_reused_pid_is_not_mistaken_for_the_worker(store: Store, worker: str) -> None:
    enqueue(store, presets.smoke())
    queue.claim(store, worker)
    become_another_process(store)
    assert len(queue.reap(store)) == 1


def become_another_process(store: Store) -> None:
    """Our own pid, but of a process that started at another time."""
    with store.writing() as connection:
        connection.execute(schema.pulses.update().values(process_start=1))


def test_a_worker_that_leaves_in_the_middle_leaves_no_run_running(store: Store, worker: str) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    queue.claim(store, worker)
    queue.leave(store, worker)
    assert store.run(run_id).status == Status.INTERRUPTED
    store.resume(run_id)


def test_reading_does_not_wait_for_a_writer(store: Store) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    with contextlib.closing(open_store(store.database.url)) as other, store.writing() as connection:
        connection.execute(schema.runs.update().values(message="not yet"))
        assert other.run(run_id).message == ""


def test_a_run_of_another_version_disturbs_nobody(store: Store, worker: str) -> None:
    (strange,), (sound,) = enqueue(store, presets.smoke()), enqueue(store, presets.smoke())
    with store.writing() as connection:
        change = schema.runs.update().where(schema.runs.c.id == strange)
        connection.execute(change.values(spec='{"name": "old", "version": 0}'))
    assert [run.id for run in store.runs()] == [sound]
    assert [(run.number, run.id) for run in store.unreadable()] == [(1, strange)]
    assert queue.claim(store, worker).id == sound  # type: ignore[union-attr]
    with pytest.raises(RunError, match="made by another version"):
        store.run(strange)
    store.delete(strange)
    assert store.unreadable() == []


def test_a_row_is_read_again_when_it_changes_and_not_before(store: Store) -> None:
    (teacher, _, student), (alone,) = enqueue(store, presets.digits_quick()), enqueue(store, presets.smoke())
    first = {run.id: run for run in store.runs()}
    assert all(run is first[run.id] for run in store.runs())
    store.set_status(teacher, Status.RUNNING)
    assert [run.id for run in store.runs() if run is not first[run.id]] == [teacher]

    def write(statement: str) -> None:
        with store.writing() as connection:
            connection.exec_driver_sql(statement)

    write(f"update runs set spec = '{{' where id = '{alone}'")
    assert alone not in {run.id for run in store.runs()}
    assert [run.id for run in store.unreadable()] == [alone]
    assert store.unreadable([student]) == []
    write(f"delete from dependencies where run_id = '{student}'")
    assert store.run(student).needs == ()
    assert [run.needs for run in store.runs() if run.id == student] == [()]
    write("update experiments set name = 'renamed'")
    assert {run.experiment_name for run in store.runs()} == {"renamed"}
    write(f"update runs set spec = (select spec from runs where id = '{student}') where id = '{alone}'")
    assert store.listed() == (store.runs(), [])
    assert store.run(alone).name == "deit"


def test_reserved_runs_are_for_their_worker_alone(store: Store, worker: str, tmp_path: Path) -> None:
    foreground = queue.register(store, None)
    assert foreground is not None
    (mine,) = enqueue(store, presets.smoke(), reserved_for=foreground[0])
    (anybodys,) = enqueue(store, presets.smoke())
    assert queue.claim(store, worker).id == anybodys  # type: ignore[union-attr]
    assert queue.claim(store, worker) is None
    assert queue.claim(store, foreground[0], reserved_only=True).id == mine  # type: ignore[union-attr]


def test_what_a_vanished_command_had_reserved_can_be_resumed(store: Store, tmp_path: Path) -> None:
    entry = queue.register(store, None)
    assert entry is not None
    ids = enqueue(store, presets.digits_quick(), reserved_for=entry[0])
    become_another_process(store)
    queue.reap(store)
    assert {store.run(run_id).status for run_id in ids} == {Status.INTERRUPTED}
    store.resume(ids[0])
    assert queue.num_ready(store) == 1


def test_what_is_ready_is_counted_as_far_as_somebody_asks(store: Store) -> None:
    for _ in range(3):
        enqueue(store, presets.smoke())
    assert [queue.num_ready(store, at_most=most) for most in (None, 2, 0)] == [3, 2, 0]


def test_lifecycle_tells_the_whole_story(store: Store, worker: str, tmp_path: Path) -> None:
    (run_id,) = enqueue(store, presets.smoke())
    queue.claim(store, worker)
    store.set_status(run_id, Status.FAILED, "why")
    store.resume(run_id)
    story = [(event.status, event.message) for event in store.lifecycle(run_id)]
    assert story == [
        (Status.QUEUED, "submitted"),
        (Status.RUNNING, ""),
        (Status.FAILED, "why"),
        (Status.QUEUED, "resumed"),
    ]


def test_specs_survive_the_store(store: Store, tmp_path: Path) -> None:
    spec = presets.fashion_classroom()
    ids = enqueue(store, spec)
    stored = [store.run(run_id).spec for run_id in ids]
    assert stored[:2] == list(spec.runs[:2])
    assert all(isinstance(run, RunSpec) for run in stored)
    assert store.run(ids[0]).experiment_name == "fashion-classroom"


def test_an_experiment_with_seeds_queues_every_training_of_it(store: Store) -> None:
    spec = replace(presets.digits_quick(), {"seeds": 2})
    ids = enqueue(store, spec)
    runs = store.runs(ids)[::-1]
    assert [(run.name, run.spec.seed) for run in runs] == [
        *(("teacher", 42), ("vit", 42), ("deit", 42), ("vit-s43", 43), ("deit-s43", 43))
    ]
    assert [run.needs for run in runs] == [(), (), (ids[0],), (), (ids[0],)]
    assert {run.spec.distillation.teacher for run in runs if run.spec.distillation} == {ids[0]}
    (experiment,) = store.experiments()
    assert (experiment.id, experiment.spec) == (runs[0].experiment_id, spec)
