"""What rank 0 does for a run on several devices: it starts the other ranks, or takes those of torchrun, gives them the
run as their task, and says why one is gone. Knows processes; nothing of steps.
"""

import os
import subprocess
import sys
import time

import torch
import torch.distributed as dist

from deit_core.errors import LostRankError, RunError, SpecError
from deit_core.machine import torchrun
from deit_core.machine.limits import num_cores
from deit_core.training.meeting import PATIENCE, Meeting, Task, described, difference, part
from deit_core.wording import counted

NUM_RESTARTS = 3  # of a run in one session: it may be the run that ends its ranks
_HOST = "127.0.0.1"
_LOOK_S = 0.1
_LAST_WORDS_S = 5.0  # until a process whose connections are closed has ended


class Leader:
    """Gives ranks 1 and up a task, and knows what became of them.

    Args: world: how many ranks there are, this process among them.
    Raises: SpecError where torchrun has started another number.
    """

    def __init__(self, world: int) -> None:
        self._world, self._number = world, 0
        self._processes: dict[int, subprocess.Popen[bytes]] = {}  # by rank; none where torchrun has started them
        if torchrun.is_by_torchrun() and torchrun.world() != world:
            raise SpecError(
                f"compute.devices is {world}, but torchrun has started {torchrun.world()} processes; give both the "
                "same number."
            )

    def gather(self, task: Task) -> None:
        """Give the others the task, and return once all of them have taken it.

        Raises: RunError where one has other versions; LostRankError where one ends.
        """
        if torchrun.is_by_torchrun():
            self._meeting = Meeting()
        else:
            store = dist.TCPStore(  # type: ignore[attr-defined]
                _HOST, 0, is_master=True, wait_for_workers=False, timeout=PATIENCE
            )
            self._meeting = Meeting(store)
            self._start(store.port)
        self._number = self._meeting.give(task)
        for rank in range(1, self._world):
            self._check_versions(rank)
        self._meeting.join(self._number, 0, self._world, task.backend)

    def _start(self, port: int) -> None:
        place = {"MASTER_ADDR": _HOST, "MASTER_PORT": str(port), "WORLD_SIZE": str(self._world)}
        for rank in range(1, self._world):
            self._processes[rank] = subprocess.Popen(
                [sys.executable, "-m", "deit_core.training.follower"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=os.environ | place | {"RANK": str(rank), "TORCHELASTIC_USE_AGENT_STORE": "True"},
                start_new_session=True,  # Ctrl-C is for rank 0, which ends the others when it has saved
            )

    def _check_versions(self, rank: int) -> None:
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while (theirs := self._meeting.versions(self._number, rank)) is None:
            process = self._processes.get(rank)
            if time.monotonic() > deadline or (process is not None and process.poll() is not None):
                raise LostRankError(f"Rank {rank} of this run did not begin.")
            time.sleep(_LOOK_S)
        if found := difference(theirs, described()):
            raise RunError(
                f"The ranks of this run have different versions: rank {rank} on {theirs['host']} has {found} as rank "
                "0. Install the same for all, then resume."
            )

    def reason(self) -> RunError:
        """Why a rank is gone: in its own words, or how its process ended."""
        deadline = time.monotonic() + _LAST_WORDS_S
        while time.monotonic() < deadline:
            if self._number and (trouble := self._meeting.trouble(self._number)):
                return RunError(trouble)
            for rank, process in self._processes.items():
                if (status := process.poll()) is not None:
                    how = f"by signal {-status}" if status < 0 else f"with exit code {status}"
                    return LostRankError(f"Rank {rank} of this run ended {how}, perhaps because memory ran out.")
            if not self._processes:
                break
            time.sleep(_LOOK_S)
        return LostRankError("Another process of this run is gone.")

    def close(self) -> None:
        """Part from the others, which end with that."""
        part()
        for process in self._processes.values():
            try:
                process.wait(_LAST_WORDS_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes = {}


def check_devices(num_devices: int, device: torch.device) -> None:
    """Check that this machine has a device for each of its ranks.

    Raises: SpecError where it has not.
    """
    here = torchrun.world_here() if torchrun.is_by_torchrun() else num_devices
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
