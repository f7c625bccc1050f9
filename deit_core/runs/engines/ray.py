"""Workers as tasks of a Ray cluster: each runs on whichever node has room, and Ray queues those that must wait.

Knows Ray and the queue; nothing of how a cluster is started (see cluster.py).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from deit_core.errors import RunError
from deit_core.runs import queue
from deit_core.runs.engines.tasks import MOST_WAITING, End, TaskEngine
from deit_core.runs.nodes import Node, write_nodes
from deit_core.runs.store import Store
from deit_core.settings import Settings

_NO_NODE = "It waits for a node with its compute.device: the cluster has none."


class _Kind(NamedTuple):
    """A kind of workers: the values of compute.device whose runs it takes, and the GPUs that it needs."""

    devices: tuple[str, ...]
    num_gpus: int


class RayEngine(TaskEngine[_Kind, Any]):
    """Starts a task for each run that is ready; the cluster that this process is connected to has the room.

    Args: cpus_per_run: how many cores a worker gets, and so its threads.
    """

    def __init__(self, store: Store, settings: Settings, *, cpus_per_run: int = 1) -> None:
        import ray

        super().__init__(store, settings)
        self.cpus_per_run = cpus_per_run
        self.is_asked_to_end = False
        self._work = ray.remote(max_retries=0, max_calls=1)(work_on_node)

    def leave(self) -> None:
        super().leave()
        write_nodes(self.store, [])
        queue.tell_waiting(self.store, (), _NO_NODE)

    def _wanted(self) -> Mapping[_Kind, int]:
        nodes = alive_nodes()
        self.is_asked_to_end = write_nodes(self.store, nodes)
        has_gpu = any(node.num_gpus >= 1 for node in nodes)
        kinds = [_Kind(("cpu",), 0), _Kind(("auto", "cuda"), 1)] if has_gpu else [_Kind(("auto", "cpu"), 0)]
        nowhere = ("mps",) if has_gpu else ("cuda", "mps")
        queue.tell_waiting(self.store, nowhere, _NO_NODE)
        self._trouble = self._lacking(nodes)
        if self.is_asked_to_end:
            return {}
        return {kind: queue.num_ready(self.store, kind.devices, at_most=MOST_WAITING) for kind in kinds}

    def _submit(self, kind: _Kind, worker_id: str) -> Any:
        task = self._work.options(num_cpus=self.cpus_per_run, num_gpus=kind.num_gpus, name=f"worker {worker_id}")
        return task.remote(self.settings, worker_id, kind.devices, self.cpus_per_run)

    def _end_of(self, handle: Any) -> End | None:
        import ray

        if not ray.wait([handle], timeout=0)[0]:
            return None
        try:
            ray.get(handle)
        except ray.exceptions.TaskCancelledError:
            pass
        except ray.exceptions.RayTaskError as error:
            first_line = (str(error.cause).splitlines() or [""])[0]
            return End(error=f"Workers cannot start: {first_line} It is tried again every minute.")
        except ray.exceptions.RayError:  # its node or its process is gone
            return End(is_cut_off=True)
        return End()

    def _cancel(self, handle: Any) -> None:
        import ray

        ray.cancel(handle)

    def _lacking(self, nodes: Sequence[Node]) -> str:
        most = max((math.floor(node.num_cpus) for node in nodes), default=0)
        if self.cpus_per_run <= most:
            return ""
        return (
            f"A run is to have {self.cpus_per_run} cores, and no node of the cluster has more than {most}; start the "
            "cluster with a smaller --cpus-per-run."
        )


def alive_nodes() -> list[Node]:
    """The nodes of the cluster that this process is connected to."""
    import ray

    return [
        Node(
            node["NodeID"],
            node["NodeManagerHostname"],
            node["Resources"].get("CPU", 0.0),
            node["Resources"].get("GPU", 0.0),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def connect(address: str) -> None:
    """Connect this process to a cluster, with the token of RAY_AUTH_TOKEN or of Ray's file.

    Raises: RunError where no cluster answers, or it refuses the token.
    """
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ray.exceptions.AuthenticationError, ConnectionError, RuntimeError) as error:
        raise RunError(refusal_of_cluster(address, str(error))) from None


def refusal_of_cluster(address: str, said: str) -> str:
    """Why a cluster cannot be used, from what Ray said."""
    if "authentication token" in said.lower():
        return (
            f"The cluster at {address} refuses the token of this machine; copy ~/.ray/auth_token from the machine of "
            "`cluster up`, or set RAY_AUTH_TOKEN."
        )
    return f"No cluster answers at {address}; check the address, and that `cluster up` runs there."


def work_on_node(settings: Settings, worker_id: str, devices: Sequence[str], num_threads: int) -> None:
    """The task: train what is ready, in a process of a node, until nothing is."""
    import ray

    from deit_core.runs.cluster_worker import train_ready

    node_id = ray.get_runtime_context().get_node_id()
    train_ready(settings, worker_id, node_id=node_id, devices=devices, num_threads=num_threads)
