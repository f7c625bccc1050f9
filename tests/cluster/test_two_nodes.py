"""A queue that is longer than two nodes have room for: one run is stopped, one node is lost, and all else finishes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from engine_contract import EngineContract, wait_for
from safetensors.torch import load_file

from deit_core.errors import RunError
from deit_core.runs import Curves, LocalLauncher, Status, Store, enqueue, log_tail, open_store
from deit_core.runs.activity import activity
from deit_core.runs.cluster import another_node
from deit_core.runs.condition import explain
from deit_core.runs.engines import Engine
from deit_core.runs.engines.ray import RayEngine
from deit_core.runs.nodes import nodes_of
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace
from deit_core.training import train


class TestRayEngine(EngineContract):
    @pytest.fixture
    def engine(self, launcher: LocalLauncher) -> Engine:
        return launcher.engine


def on_node(store: Store, node_id: str) -> str | None:
    """The run that a node trains, once it has saved an epoch."""
    from sqlalchemy import select

    from deit_core.runs import schema

    query = select(schema.runs.c.id).join(schema.workers, schema.workers.c.id == schema.runs.c.worker_id)
    with store.reading() as connection:
        return connection.scalar(query.where(schema.workers.c.node_id == node_id, schema.runs.c.epoch >= 2))


def test_five_runs_on_two_nodes_of_which_one_is_lost(
    cluster: Any, launcher: LocalLauncher, settings: Settings, tiny: RunSpec, tmp_path: Path
) -> None:
    store = launcher.store
    long = replace(tiny, {"optim.epochs": 12, "compute.num_threads": 1})
    page = LocalLauncher(open_store(settings.store_url), settings)  # of a machine that trains nothing
    ids = [page.submit(replace(long, {"seed": seed}))[0] for seed in range(5)]
    second = next(iter(cluster.worker_nodes))
    wait_for(launcher, lambda: on_node(store, second.node_id) is not None)
    lost = on_node(store, second.node_id)
    assert lost is not None
    now = activity(page.store)
    assert [node.num_cpus for node in now.nodes] == [1, 1]
    assert store.run(lost).number in [number for node in now.nodes for number in node.run_numbers]
    to_stop = next(run_id for run_id in ids if run_id != lost and store.run(run_id).status == Status.RUNNING)
    page.stop(to_stop)
    cluster.remove_node(second, allow_graceful=False)
    wait_for(launcher, lambda: not any(run.status.is_active for run in store.runs()))
    statuses = {run_id: store.run(run_id).status for run_id in ids}
    assert statuses.pop(to_stop) == Status.STOPPED
    assert set(statuses.values()) == {Status.COMPLETED}, [run.message for run in store.runs()]
    story = [event.message for event in store.lifecycle(lost)]
    assert any("queued again" in message for message in story), story
    assert len([point for point in store.points(lost) if point.kind == "start"]) == 2, (
        "it went on, and did not begin again"
    )
    assert [point.epoch for point in Curves(page.store).of(page.store.run(lost)) if point.kind == "epoch"] == list(
        range(1, 13)
    )
    assert "epoch 12" in log_tail(settings.runs_dir, lost)
    for _ in train(store.run(lost).spec, run_dir=tmp_path / "undisturbed"):
        pass
    mine, twin = (
        load_file(folder / "last.safetensors") for folder in (settings.runs_dir / lost, tmp_path / "undisturbed")
    )
    assert mine.keys() == twin.keys()
    assert all(torch.equal(mine[name], twin[name]) for name in twin)
    wait_for(launcher, lambda: len(nodes_of(page.store)) == 1)


def test_a_wrong_token_is_a_sentence(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong" * 8)
    with pytest.raises(RunError, match="refuses the token of this machine; copy"):
        another_node(cluster.address)


def test_more_than_any_node_has_is_a_sentence_and_the_queue_stays(
    launcher: LocalLauncher, settings: Settings, tiny: RunSpec
) -> None:
    store = launcher.store
    (wants,) = enqueue(store, replace(tiny, {"compute.device": "cuda"}))
    wide = LocalLauncher(store, settings, RayEngine(store, settings, cpus_per_run=64))
    wide.submit(tiny)
    assert "no node of the cluster has more than" in wide.trouble
    assert "no node has one" in explain(store.run(wants), store.runs())
    assert {run.status for run in store.runs()} == {Status.QUEUED}
    engine = RayEngine(store, settings)
    engine.leave()
    assert explain(store.run(wants), store.runs()).startswith("Next in the queue"), (
        "another machine may have what it wants"
    )
