"""What rank 0 does for a run on several devices: it lets the other ranks be started, or takes those of torchrun, gives
them the run as their task, and says why one is gone. Knows nothing of steps, or of how a process is started.
"""

import os
import socket
import time
from typing import Any

import torch
import torch.distributed as dist

from deit_core.errors import LostRankError, RunError, SpecError
from deit_core.machine import torchrun
from deit_core.machine.limits import num_cores
from deit_core.machine.network import gloo_network
from deit_core.spec import ComputeSpec
from deit_core.training.meeting import PATIENCE, Meeting, Task, described, difference, part
from deit_core.training.rank_processes import RankProcesses
from deit_core.wording import counted

NUM_RESTARTS = 3  # of a run in one session: it may be the run that ends its ranks
_LOOK_S = 0.1
_LAST_WORDS_S = 5.0


class Leader:
    """Gives ranks 1 and up a task, and knows what became of them.

    Args:
        world: how many ranks there are, this process among them.
        processes: of the others; None where torchrun has started them.
    Raises: SpecError where torchrun has started another number.
    """

    def __init__(self, world: int, processes: RankProcesses | None) -> None:
        self._world, self._number, self._processes = world, 0, processes
        if processes is None and torchrun.world() != world:
            raise SpecError(
                f"compute.devices is {world}, but torchrun has started {torchrun.world()} processes; give both the "
                "same number."
            )

    def gather(self, task: Task) -> None:
        """Give the others the task, and return once all of them have taken it.

        Raises: RunError where one has other versions; LostRankError where one ends.
        """
        if self._processes is None:
            self._meeting = Meeting()
        else:
            store, network = store_at(self._processes.host), gloo_network(self._processes.host)
            os.environ.update(network)
            self._meeting = Meeting(store)
            place = {
                "MASTER_ADDR": self._processes.host,
                "MASTER_PORT": str(store.port),
                "WORLD_SIZE": str(self._world),
                "TORCHELASTIC_USE_AGENT_STORE": "True",
                **network,
            }
            self._processes.start({rank: place | {"RANK": str(rank)} for rank in range(1, self._world)})
        self._number = self._meeting.give(task)
        try:
            for rank in range(1, self._world):
                self._check_versions(rank)
        except RunError:
            self._meeting.decide(self._number, begins=False)
            raise
        self._meeting.decide(self._number, begins=True)
        self._meeting.join(self._number, 0, self._world, task.backend)

    def _check_versions(self, rank: int) -> None:
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while (theirs := self._meeting.versions(self._number, rank)) is None:
            if time.monotonic() > deadline or self._ended():
                raise LostRankError(f"Rank {rank} of this run did not begin.")
            time.sleep(_LOOK_S)
        if found := difference(theirs, described()):
            raise RunError(
                f"The ranks of this run have different versions: rank {rank} on {theirs['host']} has {found} as rank "
                "0. Install the same for all, then resume."
            )

    def _ended(self) -> str:
        return "" if self._processes is None else self._processes.ended()

    def reason(self) -> RunError:
        """Why a rank is gone: in its own words, or how its process ended."""
        deadline = time.monotonic() + _LAST_WORDS_S
        while time.monotonic() < deadline:
            if self._number and (trouble := self._meeting.trouble(self._number)):
                return RunError(trouble)
            if ended := self._ended():
                return LostRankError(f"{ended}, perhaps because memory ran out.")
            if self._processes is None:
                break
            time.sleep(_LOOK_S)
        return LostRankError("Another process of this run is gone.")

    def close(self) -> None:
        """Part from the others, which end with that."""
        part()
        if self._processes is not None:
            self._processes.close()


def store_at(host: str) -> Any:
    """A store of torch.distributed that listens only at this address; torch's own listens at all addresses."""
    listener = socket.create_server((host, 0))
    port = listener.getsockname()[1]
    return dist.TCPStore(  # type: ignore[attr-defined]
        host, port, is_master=True, wait_for_workers=False, timeout=PATIENCE, master_listen_fd=listener.detach()
    )


def check_devices(compute: ComputeSpec, device: torch.device) -> None:
    """Check that this machine has a device for each of its ranks.

    Raises: SpecError where it has not, or the ranks are for several machines and torchrun has not started them.
    """
    here = torchrun.world_here() if torchrun.is_by_torchrun() else compute.devices
    if compute.nodes > 1 and not torchrun.is_by_torchrun():
        raise SpecError(
            f"compute.nodes asks for {compute.nodes} machines, and this is one; submit the run to a Ray cluster "
            "(`python -m deit_core cluster up`), or set it to 1."
        )
    numbers = {"cuda": (torch.cuda.device_count(), "GPU"), "cpu": (num_cores(), "CPU core")}
    has, what = numbers.get(device.type, (1, "device of this kind"))
    if here > has:
        has_so_many = counted(has, what)
        raise SpecError(
            f"compute.devices asks for {here} devices of this machine, which has {has_so_many}; make it smaller."
        )


def backend_for(device: torch.device) -> str:
    """What carries tensors between ranks. Orders are on the CPU, so that they never wait for a GPU."""
    return "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
