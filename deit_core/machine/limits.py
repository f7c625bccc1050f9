"""The cores and memory that a process may use: all, or what its container and its limits grant. Loads no torch.

A container sees the cores and memory of the whole machine; its limits are in the files of its control group
(https://docs.kernel.org/admin-guide/cgroup-v2.html, and v1's cfs_quota and limit_in_bytes). A process has limits of its
own too (`ulimit`). This is the only place that reads them.
"""

import math
import os
import sys
from glob import glob
from pathlib import Path

import psutil

from deit_core.machine.memory_groups import CGROUP, OWN_GROUPS, free_in, limit_of, memory_groups

_ENDLESS = 2**62  # bytes: a limit from here on is none


def num_cores(cgroup: Path = CGROUP) -> int:
    """Cores that this process may use; a part of one counts as one."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    share = _read(cgroup / "cpu.max") or _read(cgroup / "cpu/cpu.cfs_quota_us", cgroup / "cpu/cpu.cfs_period_us")
    if not share or share[0] in ("max", "-1"):
        return cores
    quota, period = map(int, share)
    return min(cores, math.ceil(quota / period))


def total_memory(cgroup: Path = CGROUP, groups: Path = OWN_GROUPS) -> int:
    """Bytes of memory that this process may use, which it shares with others in its container."""
    limits = [limit_of(group) for group in memory_groups(cgroup, groups)]
    return min(psutil.virtual_memory().total, _GIVEN, *limits)


def available_memory(cgroup: Path = CGROUP, groups: Path = OWN_GROUPS) -> int:
    """Bytes of memory that this process can still get now: free, or held by files that the system can read again."""
    free = [free_in(group) for group in memory_groups(cgroup, groups)]
    return max(0, min(psutil.virtual_memory().available, _unused_data(), *free))


def may_have_gpu() -> bool:
    """Whether this machine seems to have a GPU with a memory of its own, without loading torch."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and bool(glob("/dev/nvidia[0-9]*") or glob("/dev/dxg") or glob("/dev/kfd"))  # noqa: PTH207


def data_limit() -> int:
    """Bytes of data that this process may hold by its limit (RLIMIT_DATA); a very large number where there is none."""
    return _limit("RLIMIT_DATA")


def data_used() -> int:
    """Bytes of this process that count for `data_limit`."""
    return psutil.Process().memory_info().data if sys.platform == "linux" else 0


def _unused_data() -> int:
    limit = data_limit()
    return limit if limit >= _ENDLESS else limit - data_used()


def _limit(*names: str) -> int:
    """The smallest of some limits of this process."""
    try:
        import resource
    except ImportError:  # Windows
        return _ENDLESS
    soft = [resource.getrlimit(getattr(resource, name))[0] for name in names]
    return min(_ENDLESS if limit == resource.RLIM_INFINITY else limit for limit in soft)


_GIVEN = _limit("RLIMIT_DATA", "RLIMIT_AS")  # before this process limits itself


def _read(*files: Path) -> list[str]:
    """The words in these files; none where one is missing."""
    try:
        return [word for file in files for word in file.read_text().split()]
    except OSError:
        return []
