"""The cores and memory that a process may use: all, or the limits of its container. Loads no torch.

A container sees the cores and memory of the whole machine; its limits are in the files of its control group
(https://docs.kernel.org/admin-guide/cgroup-v2.html, and v1's cfs_quota and limit_in_bytes).
"""

import math
import os
import sys
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")  # inside a container, its own


def num_cores(cgroup: Path = CGROUP) -> int:
    """Cores that this process may use; a part of one counts as one."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    share = _read(cgroup / "cpu.max") or _read(cgroup / "cpu/cpu.cfs_quota_us", cgroup / "cpu/cpu.cfs_period_us")
    if not share or share[0] in ("max", "-1"):
        return cores
    quota, period = map(int, share)
    return min(cores, math.ceil(quota / period))


def total_memory(cgroup: Path = CGROUP) -> int:
    """Bytes of memory that this process may use, which it shares with others in its container."""
    total = psutil.virtual_memory().total
    limit = _read(cgroup / "memory.max") or _read(cgroup / "memory/memory.limit_in_bytes")
    return total if not limit or limit[0] == "max" else min(total, int(limit[0]))


def _read(*files: Path) -> list[str]:
    """The words in these files; none where one is missing."""
    try:
        return [word for file in files for word in file.read_text().split()]
    except OSError:
        return []
