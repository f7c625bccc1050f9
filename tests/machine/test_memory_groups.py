"""Control groups of both versions as made-up folders: nested ones, limits and missing files, and who was killed."""

from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from deit_core.machine.limits import available_memory, total_memory
from deit_core.machine.memory_groups import counts_memory, free_in, limit_of, memory_groups, num_killed
from deit_core.machine.own_limit import own_group
from deit_core.runs import pulse

MB = 10**6


class Version(NamedTuple):
    """How the kernel writes a group: where its folders begin, its files, and what stands in them."""

    top: str
    own: str  # of /proc/self/cgroup, with the path of the group
    limit: str
    used: str
    droppable: str
    endless: str
    killed: str
    killed_text: str


V1 = Version(
    "memory",
    "5:cpu,cpuacct:/elsewhere\n4:memory:{}\n1:name=systemd:/\n0::/\n",
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    "inactive_file 1\ntotal_inactive_file {}\n",
    "9223372036854771712\n",
    "memory.oom_control",
    "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n",
)
V2 = Version(
    "",
    "0::{}\n",
    "memory.max",
    "memory.current",
    "anon 7\ninactive_file {}\n",
    "max\n",
    "memory.events",
    "low 0\nhigh 0\nmax 9\noom 3\noom_kill {}\noom_group_kill 0\n",
)
both = pytest.mark.parametrize("version", [V1, V2], ids=["v1", "v2"])


class Tree(NamedTuple):
    """A made-up /sys/fs/cgroup and the /proc/self/cgroup of a process in it."""

    root: Path
    own: Path
    version: Version

    def group(self, inside: str, *, limit: int | None, used: int, droppable: int = 0, killed: int = 0) -> Path:
        """Make a group, with all files of its version."""
        version, folder = self.version, self.root / self.version.top / inside
        folder.mkdir(parents=True, exist_ok=True)
        (folder / version.limit).write_text(version.endless if limit is None else f"{limit}\n")
        (folder / version.used).write_text(f"{used}\n")
        (folder / "memory.stat").write_text(version.droppable.format(droppable))
        (folder / version.killed).write_text(version.killed_text.format(killed))
        return folder


def tree(tmp_path: Path, version: Version, inside: str) -> Tree:
    (tmp_path / "root").mkdir()
    (tmp_path / "self").write_text(version.own.format(inside))
    return Tree(tmp_path / "root", tmp_path / "self", version)


@both
def test_the_tightest_of_nested_groups_counts(version: Version, tmp_path: Path) -> None:
    made = tree(tmp_path, version, "/lab/class/one")
    own = made.group("lab/class/one", limit=None, used=100 * MB)
    middle = made.group("lab/class", limit=500 * MB, used=450 * MB, droppable=40 * MB)
    outer = made.group("lab", limit=400 * MB, used=100 * MB)
    made.group("lab/class/other", limit=1 * MB, used=1 * MB)  # a sibling's limit is none of its own
    groups = memory_groups(made.root, made.own)
    assert groups[:3] == [own, middle, outer]
    assert [limit_of(group) for group in (middle, outer)] == [500 * MB, 400 * MB]
    assert limit_of(own) > psutil.virtual_memory().total
    assert total_memory(made.root, made.own) == 400 * MB  # of the outer one
    assert available_memory(made.root, made.own) == 90 * MB  # in the middle one


@both
def test_a_group_without_a_limit_grants_the_machine(version: Version, tmp_path: Path) -> None:
    made = tree(tmp_path, version, "/one")
    made.group("one", limit=None, used=5 * MB)
    assert total_memory(made.root, made.own) == psutil.virtual_memory().total
    assert available_memory(made.root, made.own) > 5 * MB


@both
def test_in_a_container_the_group_is_the_root(version: Version, tmp_path: Path) -> None:
    """Its path is one of the machine outside, which is not there."""
    made = tree(tmp_path, version, "/docker/0123abcd")
    root = made.group("", limit=300 * MB, used=100 * MB, killed=2)
    assert memory_groups(made.root, made.own)[0] == root
    assert available_memory(made.root, made.own) == 200 * MB
    assert num_killed(root) == 2


@both
@pytest.mark.parametrize("inside", ["/..", "/../other", "/../../a/b"])
def test_a_path_that_leads_out_of_the_root_stays_in_it(version: Version, inside: str, tmp_path: Path) -> None:
    """As the kernel writes it for a process that was moved into a container from outside."""
    made = tree(tmp_path, version, inside)
    root = made.group("", limit=300 * MB, used=100 * MB)
    groups = memory_groups(made.root, made.own)
    assert groups[0] == root
    assert all(".." not in group.parts for group in groups)


@both
def test_missing_and_damaged_files_limit_nothing(version: Version, tmp_path: Path) -> None:
    made = tree(tmp_path, version, "/one")
    group = made.group("one", limit=300 * MB, used=100 * MB, droppable=10 * MB, killed=4)
    assert (free_in(group), num_killed(group)) == (210 * MB, 4)
    (group / "memory.stat").unlink()
    assert free_in(group) == 200 * MB
    (group / version.used).unlink()
    assert free_in(group) == 300 * MB
    (group / version.killed).write_text("no numbers\noom_kill\n")
    assert num_killed(group) == 0
    (group / version.killed).unlink()
    assert num_killed(group) == 0
    (group / version.limit).write_text("-1\n")
    assert limit_of(group) > psutil.virtual_memory().total
    (group / version.limit).unlink()
    assert not counts_memory(group)
    assert total_memory(made.root, made.own) == psutil.virtual_memory().total
    made.own.unlink()
    assert total_memory(made.root, made.own) == psutil.virtual_memory().total


@both
def test_a_heartbeat_notes_the_nearest_group_that_counts(
    version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group of the second version need not count memory; the kernel counts a kill in all groups above it too."""
    made = tree(tmp_path, version, "/lab/one")
    outer = made.group("lab", limit=300 * MB, used=1, killed=3)
    (outer / "one").mkdir()
    monkeypatch.setattr(pulse, "memory_groups", lambda: memory_groups(made.root, made.own))
    assert pulse.memory_group() == {"folder": str(outer), "num_killed": 3}
    own = made.group("lab/one", limit=None, used=1, killed=1)
    assert pulse.memory_group() == {"folder": str(own), "num_killed": 1}


@both
def test_no_group_of_its_own_where_the_new_one_counts_no_memory(version: Version, tmp_path: Path) -> None:
    """As it is wherever the group above has not let it; what was made is removed."""
    made = tree(tmp_path, version, "/one")
    parent = made.group("one", limit=300 * MB, used=1)
    with own_group(100 * MB, made.root, made.own) as group:
        assert group is None
    assert not [child for child in parent.iterdir() if child.is_dir()]
