"""The ranks of a run that a Ray cluster spreads over machines: each is a task in a part of a placement group.

Rank 0 is the worker, in the first part. It alone claims, writes and gives signs of life; the others end with it. Knows
Ray and processes; nothing of what ranks do.
"""

import os
import signal
import threading
from collections.abc import Mapping
from typing import Any

from deit_core.machine.network import gloo_network
from deit_core.settings import Settings
from deit_core.training.rank_processes import RankProcesses

_LOOK_S = 5.0
_NOTICE_S = 20.0  # rank 0 sees by itself that a connection is closed; not that a machine has lost its power
_END_S = 5.0


class RayProcesses(RankProcesses):
    """Tasks in the placement group of this one.

    Args:
        settings: of the worker, for what the ranks start.
        per_node: how many ranks there are on each machine.
        num_cpus, num_gpus: what each rank has.
    """

    can_start_again = False  # the group may have lost a machine; another worker gets another group

    def __init__(self, settings: Settings, *, per_node: int, num_cpus: int, num_gpus: int) -> None:
        import ray

        self._settings, self._per_node = settings, per_node
        self._resources = {"num_cpus": num_cpus, "num_gpus": num_gpus}
        self.host = ray.util.get_node_ip_address()
        self._tasks: dict[int, Any] = {}  # by rank
        self._node_ids: dict[int, str] = {}  # by the number of a part
        self._closed = threading.Event()

    def start(self, environments: Mapping[int, Mapping[str, str]]) -> None:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        self._closed.clear()
        group = ray.util.get_current_placement_group()
        self._node_ids = ray.util.placement_group_table(group)["bundles_to_node_id"]
        follow = ray.remote(max_retries=0, max_calls=1)(follow_on_node)
        for rank, environment in environments.items():
            place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank // self._per_node)
            task = follow.options(**self._resources, scheduling_strategy=place, name=f"rank {rank}")
            self._tasks[rank] = task.remote({**self._settings.environment(), **environment})
        threading.Thread(target=self._watch, daemon=True).start()

    def ended(self) -> str:
        import ray

        alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        for rank, task in self._tasks.items():  # of a task on a silent node Ray says nothing
            if ray.wait([task], timeout=0)[0] or self._node_ids[rank // self._per_node] not in alive:
                return f"Rank {rank} of this run ended with its node or its process"
        return ""

    def close(self) -> None:
        import ray

        self._closed.set()
        tasks = list(self._tasks.values())
        left = ray.wait(tasks, num_returns=len(tasks), timeout=_END_S)[1] if tasks else []
        for task in left:
            ray.cancel(task, force=True)
        self._tasks = {}

    def _watch(self) -> None:
        """End this process where a rank is lost and rank 0 still waits for it, as for a machine without power."""
        while not self._closed.wait(_LOOK_S):
            if self.ended() and not self._closed.wait(_NOTICE_S):
                os.kill(os.getpid(), signal.SIGKILL)


def follow_on_node(environment: Mapping[str, str]) -> None:
    """The task: be a rank, in a process of a node."""
    import ray

    os.environ.update({**environment, **gloo_network(ray.util.get_node_ip_address())})
    from deit_core.training.follower import main

    main()
