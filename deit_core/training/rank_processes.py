"""The processes of the other ranks of a run: how rank 0 starts them, sees one end, and ends them.

Knows processes of this machine; a cluster has its own (deit_core/runs/engines/ray_ranks.py). Nothing of what ranks do.
"""

import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping

_LAST_WORDS_S = 5.0  # until a process whose connections are closed has ended


class RankProcesses(ABC):
    """Ranks 1 and up of a run. They end when rank 0 parts from them.

    host: where rank 0 waits for them. can_start_again: whether they can be started again where one was lost.
    """

    host: str
    can_start_again: bool

    @abstractmethod
    def start(self, environments: Mapping[int, Mapping[str, str]]) -> None:
        """Start `deit_core.training.follower` for each rank, with these variables."""

    @abstractmethod
    def ended(self) -> str:
        """Which rank has ended and how, a sentence without its end: "Rank 1 ... ended by signal 9"; else empty."""

    @abstractmethod
    def close(self) -> None:
        """Wait a moment until all have ended, and end those that have not."""


class LocalProcesses(RankProcesses):
    """Child processes of rank 0."""

    host = "127.0.0.1"
    can_start_again = True

    def __init__(self) -> None:
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, environments: Mapping[int, Mapping[str, str]]) -> None:
        for rank, environment in environments.items():
            self._processes[rank] = subprocess.Popen(
                [sys.executable, "-m", "deit_core.training.follower"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=os.environ | environment,
                start_new_session=True,  # Ctrl-C is for rank 0, which ends the others when it has saved
            )

    def ended(self) -> str:
        for rank, process in self._processes.items():
            if (status := process.poll()) is not None:
                how = f"by signal {-status}" if status < 0 else f"with exit code {status}"
                return f"Rank {rank} of this run ended {how}"
        return ""

    def close(self) -> None:
        for process in self._processes.values():
            try:
                process.wait(_LAST_WORDS_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes = {}
