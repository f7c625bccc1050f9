"""A Ray cluster of two nodes on this machine, a store on a PostgreSQL server, and a launcher that asks it for workers.

Only with CLUSTER=1 (`make test-cluster`): Ray starts more than ten processes for each node.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.postgres import PostgresServer
from deit_core.runs import LocalLauncher, open_store
from deit_core.runs.cluster import check_ray
from deit_core.runs.engines.ray import RayEngine, connect
from deit_core.settings import Settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("CLUSTER") != "1":
        here = Path(__file__).parent
        for item in items:
            if here in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="starts a cluster: make test-cluster"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two nodes with a core each; this process is connected to the first."""
    os.environ["RAY_AUTH_TOKEN"] = "right" * 8
    os.environ.update(RAY_health_check_failure_threshold="2")  # a silent node is missed after 20 s, not after a minute
    check_ray()
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        connect(cluster.address)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def settings(postgres: PostgresServer, tmp_path: Path) -> Settings:
    return Settings(postgres.new_database(), tmp_path / "runs", tmp_path / "data", num_workers=0)


@pytest.fixture
def launcher(cluster: Any, settings: Settings) -> Iterator[LocalLauncher]:
    with contextlib.closing(open_store(settings.store_url)) as store:
        yield LocalLauncher(store, settings, RayEngine(store, settings))
