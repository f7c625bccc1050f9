"""A node is lost with its disk: its run goes on elsewhere from what was published."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from engine_contract import wait_for
from safetensors.torch import load_file
from sqlalchemy import select

from deit_core.layout import RunFiles, run_folder
from deit_core.runs import LocalLauncher, Status, open_store, schema
from deit_core.runs.artifacts import artifacts_of, bring
from deit_core.runs.engines.ray import RayEngine
from deit_core.settings import Settings
from deit_core.spec import RunSpec, replace
from deit_core.training import train


@pytest.fixture
def publishing(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "bucket").mkdir()
    return with_fields(settings, artifacts_url=f"file://{tmp_path / 'bucket'}")


@pytest.fixture
def launcher(cluster: Any, publishing: Settings) -> Iterator[LocalLauncher]:
    with contextlib.closing(open_store(publishing.store_url)) as store:
        yield LocalLauncher(store, publishing, RayEngine(store, publishing))


def test_a_run_outlives_the_disk_of_its_node(
    cluster: Any, launcher: LocalLauncher, publishing: Settings, tiny: RunSpec, tmp_path: Path
) -> None:
    store = launcher.store
    spec = replace(tiny, {"optim.epochs": 60, "compute.num_threads": 1})
    ids = [launcher.submit(replace(spec, {"seed": seed}))[0] for seed in range(2)]
    if len(cluster.worker_nodes) == 0:
        cluster.add_node(num_cpus=1)
    second = next(iter(cluster.worker_nodes))
    workers, runs = schema.workers, schema.runs
    columns = runs.c.id, workers.c.pid
    query = select(*columns).join(workers, workers.c.id == runs.c.worker_id).where(workers.c.node_id == second.node_id)

    artifacts = artifacts_of(publishing)
    assert artifacts is not None

    def on_second() -> Any:
        """The run that the second node trains and has published epochs of, and the worker's process."""
        with store.reading() as connection:
            row = connection.execute(query).first()
        is_published = row is not None and b"epochs/0002" in (artifacts.list_of(row.id) or b"")
        return row if is_published else None

    wait_for(launcher, lambda: on_second() is not None)
    lost, pid = on_second()
    cluster.remove_node(second, allow_graceful=False)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(60)
    shutil.rmtree(run_folder(publishing.runs_dir, lost))
    wait_for(launcher, lambda: not any(run.status.is_active for run in store.runs()))
    assert {store.run(run_id).status for run_id in ids} == {Status.COMPLETED}, [run.message for run in store.runs()]
    starts = [point.step for point in store.points(lost) if point.kind == "start"]
    assert len(starts) == 2
    assert starts[1] > 0, "it went on from what was published"
    page = with_fields(publishing, runs_dir=tmp_path / "page")
    bring(page, [lost])
    for _ in train(store.run(lost).spec, run_dir=tmp_path / "undisturbed"):
        pass
    mine, twin = (
        load_file(RunFiles(folder).last) for folder in (run_folder(page.runs_dir, lost), tmp_path / "undisturbed")
    )
    assert mine.keys() == twin.keys()
    assert all(torch.equal(mine[name], twin[name]) for name in twin)
