"""Where the ranks of a run find each other: a store of torch.distributed, which their environment names.

It has the tasks by their numbers, and what ranks say of themselves. Knows texts and process groups; no run, no tensors.
"""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from deit_core.machine import torchrun
from deit_core.models import library_versions

PATIENCE = timedelta(minutes=10)  # until a rank has loaded torch
_FOR_EVER = timedelta(days=1000)


@dataclass(frozen=True)
class Task:
    """A run for the ranks to share; folders and the rest as `train` takes them."""

    run_dir: str
    runs_dir: str
    data_dir: str
    device: str | None
    images_gb: float | None
    logits_gb: float
    backend: str


class Meeting:
    """What rank 0 and the others tell each other apart from training.

    Args: store: by default the one that the environment names.
    """

    def __init__(self, store: Any = None) -> None:
        if store is None:
            store = next(rendezvous("env://", timeout=PATIENCE))[0]
        self._store: Any = _part_of(store, f"start {torchrun.num_restarts()}")  # torchrun keeps it over its starts

    # Rank 0

    def give(self, task: Task | None) -> int:
        """Tell the next task, None that there is no other. Returns its number."""
        number = int(self._store.add("tasks", 1))
        self._store.set(f"task {number}", json.dumps(None if task is None else asdict(task)))
        return number

    def versions(self, number: int, rank: int) -> dict[str, str] | None:
        """What a rank has said of its libraries and its host; None before it has."""
        key = f"versions {number} {rank}"
        return dict(json.loads(self._store.get(key))) if self._store.check([key]) else None

    def decide(self, number: int, *, begins: bool) -> None:
        """Tell the others whether the task begins."""
        self._store.set(f"begins {number}", "yes" if begins else "no")

    def trouble(self, number: int) -> str:
        """Why a rank has ended its task, in its own words; empty where none has said so."""
        key = f"trouble {number}"
        return bytes(self._store.get(key)).decode() if self._store.check([key]) else ""

    # The others

    def take(self, number: int) -> Task | None:
        """Wait for a task."""
        self._store.wait([f"task {number}"], _FOR_EVER)
        document = json.loads(self._store.get(f"task {number}"))
        return None if document is None else Task(**document)

    def begins(self, number: int) -> bool:
        """Wait until rank 0 has seen all ranks, and has decided."""
        self._store.wait([f"begins {number}"], PATIENCE)
        return bytes(self._store.get(f"begins {number}")) == b"yes"

    def say_versions(self, number: int, rank: int) -> None:
        self._store.set(f"versions {number} {rank}", json.dumps(described()))

    def say_trouble(self, number: int, sentence: str) -> None:
        self._store.set(f"trouble {number}", sentence)

    # All

    def join(self, number: int, rank: int, world: int, backend: str) -> None:
        """Make torch's process group for a task."""
        store = _part_of(self._store, f"group {number}")
        dist.init_process_group(backend, store=store, rank=rank, world_size=world)


def _part_of(store: Any, name: str) -> Any:
    return dist.PrefixStore(name, store)  # type: ignore[attr-defined]


def part() -> None:
    """Leave the process group, if there is one. Whoever still waits there sees that this process is gone."""
    if dist.is_initialized():
        dist.destroy_process_group()


def described() -> dict[str, str]:
    """The host and the versions of the libraries of this process."""
    return {"host": platform.node(), **library_versions()}


def difference(theirs: Mapping[str, str], own: Mapping[str, str]) -> str:
    """What is not the same, in words: "torch 2.12.0, not 2.13.0"; empty where all versions are."""
    names = [name for name in {**own, **theirs} if name != "host" and own.get(name) != theirs.get(name)]
    return ", ".join(f"{name} {theirs.get(name, 'missing')}, not {own.get(name, 'missing')}" for name in names)
