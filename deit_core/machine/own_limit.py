"""A limit on the memory of this process, so that it meets an error of its own before the machine is in trouble.

On a CPU it is the limit of the system on data (RLIMIT_DATA); a limit on addresses (RLIMIT_AS) would count what is never
used. A GPU's driver reserves much more data than it uses, so with one it is a control group, where one can be made.
Loads no torch.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deit_core.machine.limits import available_memory, data_limit, data_used, may_have_gpu, total_memory
from deit_core.machine.memory_groups import CGROUP, OWN_GROUPS, memory_groups

_RESERVE = 0.05  # of the memory, which other processes keep
_PREFIX = "deit-lab-"


@contextmanager
def limited_memory() -> Iterator[None]:
    """Inside the block this process can take only the memory that is free at its start, less a reserve."""
    free = max(0, available_memory() - round(_RESERVE * total_memory()))
    if sys.platform != "linux":  # elsewhere there is neither, or it is not kept to
        yield
    elif may_have_gpu():
        with own_group(free):
            yield
    else:
        with _limited_data(min(data_limit(), data_used() + free)):
            yield


def limit_in_words() -> str:
    """What this process may hold, as the end of a sentence on what it could not get; empty where it has no limit."""
    limit = data_limit()
    return "" if limit >= total_memory() else f" in the {limit / 1e9:.1f} GB that this process may hold"


@contextmanager
def _limited_data(limit: int) -> Iterator[None]:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


@contextmanager
def own_group(limit: int, cgroup: Path = CGROUP, groups: Path = OWN_GROUPS) -> Iterator[Path | None]:
    """Inside the block this process is in a control group of its own, of `limit` bytes; None where none can be made."""
    group = _make_group(limit, cgroup, groups)
    try:
        yield group
    finally:
        if group is not None:
            with suppress(OSError):
                (group.parent / "cgroup.procs").write_text(str(os.getpid()))
            remove_group(group)


def _make_group(limit: int, cgroup: Path, groups: Path) -> Path | None:
    parents = memory_groups(cgroup, groups)
    if not parents:
        return None
    group = parents[0] / f"{_PREFIX}{os.getpid()}"
    try:
        group.mkdir()
        for file in (group / "memory.max", group / "memory.limit_in_bytes"):
            if file.exists():  # else this group does not count memory
                file.write_text(str(limit))
                (group / "cgroup.procs").write_text(str(os.getpid()))
                return group
    except OSError:
        pass
    remove_group(group)
    return None


def remove_group(group: Path) -> None:
    """Remove a control group that `limited_memory` made and that is empty; does nothing to others."""
    if group.name.startswith(_PREFIX):
        with suppress(OSError):
            group.rmdir()
