"""Workers as tasks of a Ray cluster: each runs on whichever node has room, and Ray queues those that must wait.

Ray decides where a worker works, never what it trains: runs are claimed in the store, and a run that is lost with its
node is queued again there. Knows Ray and the queue; nothing of how a cluster is started (see cluster.py).
"""

import logging
import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from deit_core.errors import RunError
from deit_core.runs import queue
from deit_core.runs.engines import Engine
from deit_core.runs.nodes import Node, write_nodes
from deit_core.runs.store import Store, new_id, open_store
from deit_core.settings import Settings

_NO_NODE = "It waits for a node with its compute.device: the cluster has none."
_MOST_WAITING = 100  # tasks of one kind; Ray starts more of them as those end
_MAX_FAILED_STARTS = 3


class _Kind(NamedTuple):
    """A kind of workers: the values of compute.device whose runs it takes, and the GPUs that it needs."""

    devices: tuple[str, ...]
    num_gpus: int


class _Task(NamedTuple):
    worker_id: str
    kind: _Kind


class RayEngine(Engine):
    """Starts a task for each run that is ready; the cluster that this process is connected to has the room.

    Args: cpus_per_run: how many cores a worker gets, and so its threads.
    """

    def __init__(self, store: Store, settings: Settings, *, cpus_per_run: int = 1) -> None:
        import ray

        self.store, self.settings, self.cpus_per_run = store, settings, cpus_per_run
        self.is_asked_to_end = False
        self._work = ray.remote(max_retries=0, max_calls=1)(work_on_node)
        self._tasks: dict[Any, _Task] = {}  # by the reference to its result
        self._ended: set[str] = set()
        self._num_failed_starts = 0
        self._trouble = self._why_failed = ""

    def ensure_workers(self) -> None:
        self._collect()
        nodes = alive_nodes()
        self.is_asked_to_end = write_nodes(self.store, nodes)
        has_gpu = any(node.num_gpus >= 1 for node in nodes)
        kinds = [_Kind(("cpu",), 0), _Kind(("auto", "cuda"), 1)] if has_gpu else [_Kind(("auto", "cpu"), 0)]
        nowhere = ("mps",) if has_gpu else ("cuda", "mps")
        queue.tell_waiting(self.store, nowhere, _NO_NODE)
        self._trouble = self._lacking(nodes)
        if self.is_asked_to_end or self.trouble:
            return
        at_work = queue.at_work(self.store)
        for kind in kinds:
            waiting = sum(task.kind == kind and task.worker_id not in at_work for task in self._tasks.values())
            for _ in range(queue.num_ready(self.store, kind.devices, at_most=_MOST_WAITING) - waiting):
                self._start(kind)

    @property
    def trouble(self) -> str:
        return self._trouble if self._num_failed_starts < _MAX_FAILED_STARTS else self._why_failed

    def try_again(self) -> None:
        self._num_failed_starts = 0

    @property
    def ended(self) -> frozenset[str]:
        return frozenset(self._ended)

    def drain(self) -> bool:
        """Let each worker end with its run, and start no other. Returns whether none is left."""
        import ray

        self._collect()
        queue.drain(self.store, [task.worker_id for task in self._tasks.values()])
        registered = queue.registered(self.store)
        for reference, task in self._tasks.items():
            if task.worker_id not in registered:  # it waits for room
                ray.cancel(reference)
        return not self._tasks

    def leave(self) -> None:
        """Take back what the store says of the cluster."""
        write_nodes(self.store, [])
        queue.tell_waiting(self.store, (), _NO_NODE)

    def _start(self, kind: _Kind) -> None:
        worker_id = new_id()
        task = self._work.options(num_cpus=self.cpus_per_run, num_gpus=kind.num_gpus, name=f"worker {worker_id}")
        self._tasks[task.remote(self.settings, worker_id, kind.devices, self.cpus_per_run)] = _Task(worker_id, kind)

    def _collect(self) -> None:
        """Forget tasks that have ended, remember those that broke off, and count failed starts in sequence."""
        import ray

        done, _ = ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=0) if self._tasks else ([], [])
        for reference in done:
            task = self._tasks.pop(reference)
            try:
                ray.get(reference)
                self._num_failed_starts = 0
            except ray.exceptions.TaskCancelledError:
                pass
            except ray.exceptions.RayTaskError as error:
                self._num_failed_starts += 1
                first_line = (str(error.cause).splitlines() or [""])[0]
                self._why_failed = f"Workers cannot start: {first_line} Mend that, then start the cluster again."
            except ray.exceptions.RayError:  # its node or its process is gone
                self._ended.add(task.worker_id)
        self._ended &= queue.registered(self.store)

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


def work_on_node(settings: Settings, worker_id: str, devices: Sequence[str], num_cpus: int) -> None:
    """The task: train what is ready, in a process of a node, until nothing is."""
    import ray

    from deit_core.runs.run_log import all_output, log
    from deit_core.runs.worker import Mode, Worker

    log.setLevel(logging.INFO)
    os.environ.update(settings.environment())  # for the processes that a training starts
    store = open_store(settings.store_url, create=False)
    node_id = ray.get_runtime_context().get_node_id()
    entry = queue.register(store, None, worker_id, node_id=node_id, devices=devices)
    assert entry is not None, "a worker of a cluster needs no slot"
    Worker(store, settings, *entry, mode=Mode.BACKGROUND, log=all_output, num_threads=num_cpus).work()
