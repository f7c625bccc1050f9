"""Workers as tasks of a Ray cluster: each runs on whichever node has room, and Ray queues those that must wait.

Knows Ray and the queue; nothing of how a cluster is started (see cluster.py).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from deit_core.errors import RunError
from deit_core.runs import queue
from deit_core.runs.engines.tasks import MOST_WAITING, End, TaskEngine
from deit_core.runs.nodes import Node, write_nodes
from deit_core.runs.store import Store
from deit_core.runs.wants import Takes, Wants
from deit_core.settings import Settings
from deit_core.wording import counted

_WAITS = f"{queue.WAITS}nodes of the cluster"
_NO_NODE = f"{_WAITS} with its compute.device: no node has one."


class Kind(NamedTuple):
    """A kind of workers: the values of compute.device whose runs it takes, how many of these devices it has on how many
    nodes, and how many GPUs each of them is.
    """

    devices: tuple[str, ...]
    num_gpus: int
    num_devices: int
    num_nodes: int

    @property
    def per_node(self) -> int:
        return self.num_devices // self.num_nodes

    @property
    def takes(self) -> Takes:
        return Takes("ray", self.devices, self.num_devices, self.num_nodes)


class _Task(NamedTuple):
    """The reference to the result of a worker, and its placement group if it has several nodes."""

    reference: Any
    group: Any


class RayEngine(TaskEngine[Kind, _Task]):
    """Starts a task for each run that is ready; the cluster that this process is connected to has the room.

    Args: cpus_per_run: how many cores a worker gets for each device of its runs, and so its threads.
    """

    def __init__(self, store: Store, settings: Settings, *, cpus_per_run: int = 1) -> None:
        import ray

        super().__init__(store, settings)
        self.cpus_per_run = cpus_per_run
        self.is_asked_to_end = False
        self._work = ray.remote(max_retries=0, max_calls=1)(work_on_node)

    def drain(self) -> bool:
        write_nodes(self.store, alive_nodes())
        return super().drain()

    def leave(self) -> None:
        super().leave()
        write_nodes(self.store, [])
        queue.tell_waiting(self.store, _WAITS, {})

    def _wanted(self) -> Mapping[Kind, int]:
        nodes = alive_nodes()
        self.is_asked_to_end = write_nodes(self.store, nodes)
        self._trouble = self._lacking(nodes)
        has_gpu = any(node.num_gpus >= 1 for node in nodes)
        counts: Counter[Kind] = Counter()
        told: dict[Wants, str] = {}
        for wants, number in queue.ready_by_wants(self.store, "ray").items():
            kind = _kind(wants, has_gpu)
            if kind is None:
                told[wants] = _NO_NODE
            elif sentence := too_large(kind, nodes, self.cpus_per_run):
                told[wants] = sentence
            else:
                counts[kind] += number
        queue.tell_waiting(self.store, _WAITS, told)
        return {} if self.is_asked_to_end else {kind: min(counts[kind], MOST_WAITING) for kind in counts}

    def _submit(self, kind: Kind, worker_id: str) -> _Task:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        num_cpus, num_gpus, group, place = self.cpus_per_run, kind.num_gpus, None, "DEFAULT"
        if kind.num_nodes == 1:
            num_cpus, num_gpus = num_cpus * kind.num_devices, num_gpus * kind.num_devices
        else:
            part = {"CPU": num_cpus * kind.per_node} | ({"GPU": num_gpus * kind.per_node} if num_gpus else {})
            group = ray.util.placement_group([part] * kind.num_nodes, strategy="STRICT_SPREAD")
            place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0)
        task = self._work.options(
            num_cpus=num_cpus, num_gpus=num_gpus, scheduling_strategy=place, name=f"worker {worker_id}"
        )
        return _Task(task.remote(self.settings, worker_id, kind, self.cpus_per_run), group)

    def _end_of(self, handle: _Task) -> End | None:
        import ray

        if not ray.wait([handle.reference], timeout=0)[0]:
            return None
        _give_back(handle.group)
        try:
            ray.get(handle.reference)
        except ray.exceptions.TaskCancelledError:
            pass
        except ray.exceptions.RayTaskError as error:
            first_line = (str(error.cause).splitlines() or [""])[0]
            return End(error=f"Workers cannot start: {first_line} It is tried again every minute.")
        except ray.exceptions.RayError:  # its node or its process is gone
            return End(is_cut_off=True)
        return End()

    def _cancel(self, handle: _Task) -> None:
        import ray

        ray.cancel(handle.reference)
        _give_back(handle.group)

    def _lacking(self, nodes: Sequence[Node]) -> str:
        most = max((math.floor(node.num_cpus) for node in nodes), default=0)
        if self.cpus_per_run <= most:
            return ""
        return (
            f"A run is to have {self.cpus_per_run} cores, and no node of the cluster has more than {most}; start the "
            "cluster with a smaller --cpus-per-run."
        )


def too_large(kind: Kind, nodes: Sequence[Node], cpus_per_run: int) -> str:
    """Why the cluster will never have room for a kind as it is now; empty where it may."""
    num_cpus, num_gpus = cpus_per_run * kind.per_node, kind.num_gpus * kind.per_node
    fitting = [node for node in nodes if node.num_cpus >= num_cpus and node.num_gpus >= num_gpus]
    if len(fitting) >= kind.num_nodes:
        return ""
    gpus = f" and {counted(num_gpus, 'GPU')}" if num_gpus else ""
    return (
        f"{_WAITS}: it needs {kind.num_nodes} with {counted(num_cpus, 'core')}{gpus} each, and there "
        f"{'is' if len(fitting) == 1 else 'are'} {len(fitting)}. Change compute.devices or compute.nodes, start the "
        "cluster with a smaller --cpus-per-run, or let more machines join."
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


def work_on_node(settings: Settings, worker_id: str, kind: Kind, cpus_per_rank: int) -> None:
    """The task: train what is ready, in a process of a node, until nothing is."""
    import ray

    from deit_core.runs.cluster_worker import train_ready

    processes = None
    if kind.num_nodes > 1:
        from deit_core.runs.engines.ray_ranks import RayProcesses

        processes = RayProcesses(settings, per_node=kind.per_node, num_cpus=cpus_per_rank, num_gpus=kind.num_gpus)
    train_ready(
        settings,
        worker_id,
        node_id=ray.get_runtime_context().get_node_id(),
        takes=kind.takes,
        num_threads=cpus_per_rank * kind.num_devices,
        processes=processes,
    )


def _kind(wants: Wants, has_gpu: bool) -> Kind | None:
    """The workers that take such runs: with GPUs, if any node has one, unless a run wants the CPU; None if none do."""
    match wants.device:
        case "cpu" | "auto" if not has_gpu:
            return Kind(("auto", "cpu"), 0, wants.num_devices, wants.num_nodes)
        case "cpu":
            return Kind(("cpu",), 0, wants.num_devices, wants.num_nodes)
        case "auto" | "cuda" if has_gpu:
            return Kind(("auto", "cuda"), 1, wants.num_devices, wants.num_nodes)
    return None


def _give_back(group: Any) -> None:
    """Let others have the room of a placement group."""
    if group is not None:
        import ray

        ray.util.remove_placement_group(group)
