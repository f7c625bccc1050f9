"""Workers that are lost with their node, that drain, or that speak too late; and submissions that come twice.

Each is a promise of both kinds of store.
"""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from deit_core import presets
from deit_core.errors import RunError
from deit_core.runs import NewPoint, Run, Status, Store, enqueue, open_store, queue, schema
from deit_core.runs.condition import explain
from deit_core.runs.nodes import Node, ask_to_end, nodes_of, write_nodes
from deit_core.runs.store import GivenUpError
from deit_core.runs.wants import ALL, Takes, Wants
from deit_core.spec import RunSpec, replace

POINT = NewPoint(kind="step", step=1, epoch=0.1, elapsed_s=1.0, metrics={"train_loss": 1.0})


def worker_of(store: Store, node_id: str | None = "node", takes: Takes = ALL) -> str:
    entry = queue.register(store, None, node_id=node_id, takes=takes)
    assert entry is not None
    return entry[0]


def claimed(store: Store, worker_id: str) -> Run:
    run = queue.claim(store, worker_id)
    assert run is not None
    return run


def lose(store: Store) -> list[str]:
    """Every worker's process is gone; returns the runs that were lost."""
    with store.writing() as connection:
        connection.execute(schema.pulses.update().values(process_start=1))
    return queue.reap(store)


def fall_silent(store: Store, seconds: float) -> None:
    with store.writing() as connection:
        connection.execute(schema.workers.update().values(heartbeat_at=schema.workers.c.heartbeat_at - seconds))
        connection.execute(schema.pulses.update().values(beat_at=schema.pulses.c.beat_at - seconds))


def test_a_terminal_state_beats_what_a_lost_worker_says_later(each_store: Store) -> None:
    (run_id,) = enqueue(each_store, presets.smoke())
    lost = worker_of(each_store)
    claimed(each_store, lost)
    lose(each_store)
    second = worker_of(each_store)
    claimed(each_store, second)
    each_store.set_status(run_id, Status.COMPLETED, worker_id=second)
    assert not queue.heartbeat(each_store, lost)
    with pytest.raises(GivenUpError):
        each_store.add_points(run_id, [POINT], worker_id=lost)
    with pytest.raises(GivenUpError):
        each_store.set_status(run_id, Status.FAILED, "too late", worker_id=lost)
    assert each_store.run(run_id).status == Status.COMPLETED
    assert each_store.points(run_id) == []


def test_a_run_that_is_lost_with_its_node_is_queued_again_and_says_so(each_store: Store) -> None:
    """One that fails by its code is not: the next node would fail as well."""
    lost, failed = (enqueue(each_store, presets.smoke())[0] for _ in range(2))
    worker = worker_of(each_store)
    claimed(each_store, worker)
    claimed(each_store, worker)
    each_store.set_status(failed, Status.FAILED, "This run failed because of a bug.", worker_id=worker)
    assert lose(each_store) == [lost]
    runs = each_store.runs()
    assert each_store.run(lost).status == Status.QUEUED
    assert "is gone" in explain(each_store.run(lost), runs)
    assert "queued again" in explain(each_store.run(lost), runs)
    assert explain(each_store.run(failed), runs) == "This run failed because of a bug."
    assert claimed(each_store, worker_of(each_store)).message == ""


def test_a_worker_that_a_node_cuts_off_gives_its_run_back(each_store: Store) -> None:
    (run_id,) = enqueue(each_store, presets.smoke())
    worker = worker_of(each_store)
    claimed(each_store, worker)
    queue.leave(each_store, worker)
    assert each_store.run(run_id).status == Status.QUEUED
    assert "queued again" in each_store.run(run_id).message


def test_a_run_of_a_machine_by_itself_waits_for_a_person(each_store: Store) -> None:
    (run_id,) = enqueue(each_store, presets.smoke())
    claimed(each_store, worker_of(each_store, node_id=None))
    lose(each_store)
    assert each_store.run(run_id).status == Status.INTERRUPTED


def test_a_run_that_was_to_stop_is_not_queued_again(each_store: Store) -> None:
    (run_id,) = enqueue(each_store, presets.smoke())
    claimed(each_store, worker_of(each_store))
    each_store.stop(run_id)
    lose(each_store)
    assert each_store.run(run_id).status == Status.STOPPED


def test_a_run_that_ends_every_node_is_not_queued_for_ever(each_store: Store) -> None:
    (run_id,) = enqueue(each_store, presets.smoke())
    losses = 0
    while each_store.run(run_id).status == Status.QUEUED:
        claimed(each_store, worker_of(each_store))
        lose(each_store)
        losses += 1
        assert losses < 10
    assert each_store.run(run_id).status == Status.INTERRUPTED
    assert "This has happened 3 times before" in each_store.run(run_id).message
    each_store.resume(run_id)
    claimed(each_store, worker_of(each_store))
    lose(each_store)
    assert each_store.run(run_id).status == Status.QUEUED, "a person's word counts from the beginning"


def test_a_fresh_heartbeat_beats_an_engine_that_calls_its_worker_dead(each_store: Store) -> None:
    (run_id,) = enqueue(each_store, presets.smoke())
    worker = worker_of(each_store)
    claimed(each_store, worker)
    assert queue.reap(each_store, [worker]) == []
    fall_silent(each_store, 11)
    assert queue.reap(each_store) == [], "nobody has seen it end"
    assert queue.reap(each_store, [worker]) == [run_id]


def test_a_worker_that_drains_takes_no_other_run(each_store: Store) -> None:
    for _ in range(2):
        enqueue(each_store, presets.smoke())
    worker = worker_of(each_store)
    run = claimed(each_store, worker)
    queue.drain(each_store, [worker])
    assert queue.heartbeat(each_store, worker)
    each_store.set_status(run.id, Status.COMPLETED, worker_id=worker)
    assert queue.claim(each_store, worker) is None
    assert queue.retire(each_store, worker)
    assert queue.num_ready(each_store) == 1


def wanting(**compute: object) -> RunSpec:
    return replace(presets.smoke(), {f"compute.{name}": value for name, value in compute.items()})


def test_a_worker_takes_only_runs_for_its_devices(each_store: Store) -> None:
    for device in ("cuda", "cpu", "auto"):
        enqueue(each_store, wanting(device=device))
    takes = Takes(devices=("auto", "cpu"))
    worker = worker_of(each_store, takes=takes)
    assert queue.num_ready(each_store, takes) == 2
    assert [claimed(each_store, worker).spec.compute.device for _ in range(2)] == ["cpu", "auto"]
    assert queue.claim(each_store, worker) is None
    assert queue.retire(each_store, worker), "what it may not take does not hold it"


@pytest.mark.parametrize(
    ("takes", "taken"),
    [
        (Takes("local"), ["any", "local", "pair"]),
        (Takes("slurm", ("auto", "cpu")), ["any", "slurm", "pair"]),
        (Takes("ray", ("auto", "cpu"), 1), ["any", "ray"]),
        (Takes("ray", ("auto", "cpu"), 2), ["pair"]),
        (Takes("ray", ("auto", "cpu"), 2, 2), ["spread"]),
        (Takes("ray", ("cuda",), 2, 2), []),
    ],
)
def test_a_worker_takes_what_its_engine_and_its_devices_are_wanted_for(
    each_store: Store, takes: Takes, taken: list[str]
) -> None:
    compute: dict[str, dict[str, object]] = {name: {"engine": name} for name in ("any", "local", "ray", "slurm")}
    compute |= {"pair": {"devices": 2}, "spread": {"devices": 2, "nodes": 2}}
    for name, wants in compute.items():
        enqueue(each_store, replace(wanting(**wants), {"name": name}))
    worker = worker_of(each_store, takes=takes)
    assert queue.num_ready(each_store, takes) == len(taken)
    assert [claimed(each_store, worker).name for _ in taken] == taken
    assert queue.claim(each_store, worker) is None


def test_what_is_ready_for_an_engine_is_counted_by_what_it_wants(each_store: Store) -> None:
    for spec in (wanting(), wanting(), wanting(device="cpu", devices=2, engine="ray"), wanting(engine="local")):
        enqueue(each_store, spec)
    assert queue.ready_by_wants(each_store, "ray") == {
        Wants("any", "auto", 1, 1): 2,
        Wants("ray", "cpu", 2, 1): 1,
    }


def test_a_run_that_no_node_can_train_says_why_until_one_can(each_store: Store) -> None:
    specs = wanting(device="cuda"), wanting(device="cpu")
    (wants,), (other,) = (enqueue(each_store, spec) for spec in specs)

    def told() -> list[str]:
        runs = each_store.runs()
        return [explain(each_store.run(one), runs) for one in (wants, other)]

    queue.tell_waiting(each_store, "It waits for nodes", {Wants.of(specs[0].compute): "It waits for nodes with GPUs."})
    queue.tell_waiting(each_store, "It waits for jobs", {Wants.of(specs[0].compute): "It waits for jobs with GPUs."})
    assert told() == ["It waits for nodes with GPUs.", "Place 2 in the queue."], "the first sentence stays"
    queue.tell_waiting(each_store, "It waits for nodes", {})
    assert told()[0].startswith("Next in the queue: it starts as soon as a worker is free")


def test_a_run_for_one_engine_says_what_it_waits_for(each_store: Store) -> None:
    (run_id,) = enqueue(each_store, wanting(engine="slurm"))
    sentence = explain(each_store.run(run_id), each_store.runs())
    assert sentence.endswith("a worker of Slurm is free (`slurm`), because compute.engine is slurm.")


def test_one_key_is_one_submission_however_often_it_comes(each_store: Store) -> None:
    def submit(_: int) -> list[str]:
        with contextlib.closing(open_store(each_store.database.url)) as store:
            return enqueue(store, presets.digits_quick(), key="form 7")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(submit, range(6)))
    assert len(each_store.runs()) == 3
    assert {tuple(ids) for ids in answers} == {tuple(run.id for run in reversed(each_store.runs()))}
    for run_id in reversed(answers[0]):
        each_store.stop(run_id)
        each_store.delete(run_id)
    assert len(submit(0)) == 3, "a key is free once its runs are deleted"
    assert len(enqueue(each_store, presets.smoke(), key="form 8")) == 1


@pytest.mark.parametrize("key", ["k" * 81, "two\nlines", "\x00"])
def test_a_key_that_no_store_can_keep_is_refused(each_store: Store, key: str) -> None:
    with pytest.raises(RunError, match=r"A key has up to 80 letters"):
        enqueue(each_store, presets.smoke(), key=key)
    assert not each_store.runs()


def test_twenty_claimers_take_each_of_200_runs_once(each_store: Store) -> None:
    ids = [f"a{number:07x}" for number in range(200)]
    each_store.add(dict.fromkeys(ids, presets.smoke()), {})

    def claim_all(_: int) -> list[str]:
        taken = []
        with contextlib.closing(open_store(each_store.database.url)) as store:
            worker = worker_of(store)
            while (run := queue.claim(store, worker)) is not None:
                taken.append(run.id)
        return taken

    with ThreadPoolExecutor(20) as pool:
        taken = [run_id for ids_of_one in pool.map(claim_all, range(20)) for run_id in ids_of_one]
    assert sorted(taken) == ids


def test_nodes_are_seen_by_everybody_until_the_cluster_ends(each_store: Store) -> None:
    run_ids = [enqueue(each_store, presets.smoke())[0] for _ in range(2)]
    assert not ask_to_end(each_store)
    nodes = [Node("one", "big", 64.0, 8.0), Node("two", "small", 4.0, 0.0)]
    assert not write_nodes(each_store, nodes)
    claimed(each_store, worker_of(each_store, node_id="one"))
    big, small = nodes_of(each_store)
    assert (big.host, big.num_cpus, big.num_gpus, big.run_numbers, big.is_there) == ("big", 64, 8, [1], True)
    assert small.run_numbers == []
    assert ask_to_end(each_store)
    assert write_nodes(each_store, nodes), "the keeper hears of it"
    assert write_nodes(each_store, nodes[1:]), "and does not forget it"
    write_nodes(each_store, [])
    assert nodes_of(each_store) == []
    assert [each_store.run(run_id).status for run_id in run_ids] == [Status.RUNNING, Status.QUEUED]
