"""A description of this machine and of the commit that runs on it, for people. Loads no torch."""

import platform
import subprocess
from functools import lru_cache
from pathlib import Path

from deit_core.machine.limits import num_cores, total_memory


@lru_cache
def describe_machine() -> dict[str, str]:
    """CPU, cores and memory that this process may use, and operating system; and the commit, where git knows it."""
    facts = {
        "cpu": _cpu(),
        "cores": str(num_cores()),
        "memory": f"{total_memory() / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
    }
    commit = _commit()
    return facts | ({"commit": commit} if commit else {})


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    """The commit of this package, with "-dirty" if files were changed; empty where there is none."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():  # an installed copy may be inside another repository
        return ""
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
