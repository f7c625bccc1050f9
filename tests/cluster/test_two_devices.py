"""One run on two devices, on a machine each: it learns what one process learns, and outlives the loss of a machine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from engine_contract import wait_for
from safetensors.torch import load_file
from sqlalchemy import select

from deit_core.events import EpochDone
from deit_core.runs import Curves, LocalLauncher, Status, Store, schema
from deit_core.runs.condition import explain
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace
from deit_core.training import train

TOLERANCE = 2e-6  # of a loss, relative: the ranks add their parts in another order


@pytest.fixture
def spread(tiny: RunSpec) -> RunSpec:
    """Five steps in each of two epochs."""
    changes = {"data.fraction": 0.3, "model.drop_rate": 0.0, "model.attn_drop_rate": 0.0, "compute.num_threads": 1}
    return replace(tiny, {"compute.devices": 2, "compute.nodes": 2, "optim.epochs": 2, **changes})


@pytest.fixture(autouse=True)
def _room_is_given_back(launcher: LocalLauncher) -> Iterator[None]:
    yield
    import ray

    groups = ray.util.placement_group_table
    wait_for(launcher, lambda: all(group["state"] == "REMOVED" for group in groups().values()))


@pytest.fixture
def to_lose(cluster: Any) -> Iterator[Callable[[], None]]:
    """Two nodes beside the first, which has no room until this is called."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    class Guest:  # one of the module would be imported by the node
        def is_here(self) -> bool:
            return True

    while len(cluster.worker_nodes) < 2:
        cluster.add_node(num_cpus=1)
    first = NodeAffinitySchedulingStrategy(cluster.head_node.node_id, soft=False)
    guest = ray.remote(num_cpus=1, scheduling_strategy=first)(Guest).remote()
    ray.get(guest.is_here.remote(), timeout=120)
    yield lambda: ray.kill(guest)
    ray.kill(guest)
    for node in list(cluster.worker_nodes)[1:]:
        cluster.remove_node(node)


def starts(store: Store, run_id: str) -> list[int]:
    return [point.step for point in store.points(run_id) if point.kind == "start"]


def node_of_worker(store: Store, run_id: str) -> str | None:
    query = select(schema.workers.c.node_id).join(schema.runs, schema.runs.c.worker_id == schema.workers.c.id)
    with store.reading() as connection:
        return connection.scalar(query.where(schema.runs.c.id == run_id, schema.runs.c.epoch >= 2))


def second_rank() -> psutil.Process:
    """The process of the other rank, which Ray calls by the name of its task."""
    children = psutil.Process().children(recursive=True)
    return next(one for one in children if one.cmdline() and one.cmdline()[0].startswith("ray::rank 1"))


def test_its_losses_are_those_of_one_process(
    cluster: Any, launcher: LocalLauncher, spread: RunSpec, settings: Settings, tmp_path: Path
) -> None:
    store = launcher.store
    if len(cluster.worker_nodes) == 0:  # another test has removed it
        cluster.add_node(num_cpus=1)
    (run_id,) = launcher.submit(spread)
    wait_for(launcher, lambda: not store.run(run_id).status.is_active)
    run = store.run(run_id)
    assert run.status == Status.COMPLETED, run.message
    assert any(entry.message.startswith("2 devices share each batch") for entry in store.lifecycle(run_id))
    measured = [point.metrics for point in Curves(store).of(run) if point.kind == "epoch"]
    alone = train(replace(spread, {"compute.devices": 1, "compute.nodes": 1}), run_dir=tmp_path / "alone")
    twin = [event.metrics for event in alone if isinstance(event, EpochDone)]
    assert len(measured) == len(twin) == 2
    for one, other in zip(measured, twin, strict=True):
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=TOLERANCE)
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=TOLERANCE)


@pytest.mark.parametrize(
    "is_silent", [False, True], ids=["its process ends", "it has no power, so nobody says anything"]
)
def test_a_run_outlives_the_machine_of_its_second_rank(
    cluster: Any,
    launcher: LocalLauncher,
    spread: RunSpec,
    settings: Settings,
    tmp_path: Path,
    to_lose: Callable[[], None],
    is_silent: bool,
) -> None:
    store, spec = launcher.store, replace(spread, {"optim.epochs": 60})
    (run_id,) = launcher.submit(spec)
    wait_for(launcher, lambda: node_of_worker(store, run_id) is not None)
    home, rank = node_of_worker(store, run_id), second_rank()
    (other,) = (node for node in cluster.worker_nodes if node.node_id != home)
    if is_silent:  # its connections stay open
        rank.suspend()
        psutil.Process(other.all_processes["raylet"][0].process.pid).suspend()
    else:
        cluster.remove_node(other, allow_graceful=False)
    to_lose()
    wait_for(launcher, lambda: len(starts(store, run_id)) > 1)
    if is_silent:
        cluster.remove_node(other, allow_graceful=False)
    wait_for(launcher, lambda: not store.run(run_id).status.is_active)
    story = [entry.message for entry in store.lifecycle(run_id)]
    assert store.run(run_id).status == Status.COMPLETED, story
    assert any("It is queued again" in message for message in story), story
    assert starts(store, run_id)[1] > 0, "it went on from what it had saved"
    for _ in train(replace(spec, {"compute.nodes": 1}), run_dir=tmp_path / "undisturbed"):
        pass
    mine, twin = (load_file(one / "last.safetensors") for one in (settings.runs_dir / run_id, tmp_path / "undisturbed"))
    assert mine.keys() == twin.keys()
    assert all(torch.equal(mine[name], twin[name]) for name in twin)


def test_more_nodes_than_there_are_is_a_sentence_and_the_run_waits(launcher: LocalLauncher, spread: RunSpec) -> None:
    (run_id,) = launcher.submit(replace(spread, {"compute.devices": 9, "compute.nodes": 9}))
    run = launcher.store.run(run_id)
    assert run.status == Status.QUEUED
    assert "it needs 9 with 1 core each, and there are" in explain(run, [run])
