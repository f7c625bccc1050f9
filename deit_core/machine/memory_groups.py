"""Control groups that limit memory, of both versions: their limits, what is free in them, and how many were killed.

(https://docs.kernel.org/admin-guide/cgroup-v2.html, and v1's memory controller.) Knows folders and numbers.
"""

from collections.abc import Iterator
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")  # inside a container, its own
OWN_GROUPS = Path("/proc/self/cgroup")
_ENDLESS = 2**62


def memory_groups(cgroup: Path = CGROUP, groups: Path = OWN_GROUPS) -> list[Path]:
    """The folders of this process's control groups, its own first, then those above it; see `counts_memory`."""
    found: list[Path] = []
    for root, inside in _places(cgroup, groups):
        folder = root if ".." in inside.split("/") else root / inside.lstrip("/")  # it was moved in from outside
        for one in (folder, *folder.parents):
            if not one.is_relative_to(root):
                break
            if one.is_dir() and one not in found:  # in a container the path may be one of the machine outside
                found.append(one)
    return found


def _places(cgroup: Path, groups: Path) -> Iterator[tuple[Path, str]]:
    """The root of each hierarchy with memory, and the path of this process in it."""
    try:
        lines = groups.read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    paths = {kinds: path for _, kinds, path in (line.split(":", 2) for line in lines)}
    yield cgroup / "memory", next((path for kinds, path in paths.items() if "memory" in kinds.split(",")), "")
    yield cgroup, paths.get("", "")


def counts_memory(group: Path) -> bool:
    """Whether a group limits memory; of the second version a group does where the one above it lets it."""
    return any((group / name).exists() for name in ("memory.max", "memory.limit_in_bytes"))


def limit_of(group: Path) -> int:
    """The bytes that a group may use; a very large number where it has no limit."""
    return min(_number(group / "memory.max"), _number(group / "memory.limit_in_bytes"))


def free_in(group: Path) -> int:
    """The bytes that a group may still use. Files that were not used for a while do not count: they can be dropped."""
    limit = limit_of(group)
    if limit >= _ENDLESS:
        return _ENDLESS
    used = min(_number(group / "memory.current"), _number(group / "memory.usage_in_bytes"))
    facts = _table(group / "memory.stat")
    droppable = facts.get("total_inactive_file", facts.get("inactive_file", 0))
    return limit if used >= _ENDLESS else limit - used + droppable


def num_killed(group: Path) -> int:
    """How many processes of a group the system has ended because memory ran out."""
    events = _table(group / "memory.events") or _table(group / "memory.oom_control")
    return events.get("oom_kill", 0)


def _number(file: Path) -> int:
    """The number in a file; a very large one where there is no file or no limit."""
    try:
        text = file.read_text().strip()
    except OSError:
        return _ENDLESS
    return min(int(text), _ENDLESS) if text.isdecimal() else _ENDLESS


def _table(file: Path) -> dict[str, int]:
    """A file with a name and a number on each line."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    return {name: int(number) for name, _, number in (line.partition(" ") for line in lines) if number.isdecimal()}
