"""What a container grants, in the files of both versions of control groups, as Docker mounts them."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deit_core.machine.limits import available_memory, num_cores, total_memory
from deit_core.machine.memory_groups import num_killed

ALL_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
ALL_MEMORY = psutil.virtual_memory().total
linux = pytest.mark.skipif(sys.platform != "linux", reason="these limits are Linux's")


def grant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, ALL_CORES),
        ({"cpu.max": "max 100000"}, ALL_CORES),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "100000000 100000"}, ALL_CORES),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, ALL_CORES),
        ({"cpu/cpu.cfs_quota_us": "20000", "cpu/cpu.cfs_period_us": "50000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "20000"}, ALL_CORES),
    ],
)
def test_cores(tmp_path: Path, files: dict[str, str], cores: int) -> None:
    assert num_cores(grant(tmp_path, files)) == cores


def test_part_of_a_core_counts_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert num_cores(grant(tmp_path, {"cpu.max": "250000 100000"})) == 3


@pytest.mark.parametrize(
    ("files", "memory"),
    [
        ({}, ALL_MEMORY),
        ({"memory.max": "max"}, ALL_MEMORY),
        ({"memory.max": "1073741824"}, 2**30),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, ALL_MEMORY),
        ({"memory/memory.limit_in_bytes": "1073741824"}, 2**30),
    ],
)
def test_memory(tmp_path: Path, files: dict[str, str], memory: int) -> None:
    assert total_memory(grant(tmp_path, files)) == memory


def process_groups(tmp_path: Path, lines: str) -> Path:
    (tmp_path / "self").write_text(lines)
    return tmp_path / "self"


V1 = "9:name=systemd:/\n4:memory:/app/one\n0::/\n"
V2 = "0::/app/one\n"


@pytest.mark.parametrize(
    ("lines", "files", "memory"),
    [
        (V2, {"app/one/memory.max": str(2**30)}, 2**30),
        (V2, {"app/one/memory.max": "max", "app/memory.max": str(2**29)}, 2**29),  # of the group above
        (V2, {"memory.max": str(2**28)}, 2**28),  # in a container, whose own path is that of the machine outside
        (V1, {"memory/app/one/memory.limit_in_bytes": str(2**30)}, 2**30),
        (V1, {"memory/app/one/memory.limit_in_bytes": "9223372036854771712"}, ALL_MEMORY),
        (V1, {"memory/memory.limit_in_bytes": str(2**30)}, 2**30),
    ],
)
def test_memory_of_its_own_group(tmp_path: Path, lines: str, files: dict[str, str], memory: int) -> None:
    root = grant(tmp_path / "root", files)
    assert total_memory(root, process_groups(tmp_path, lines)) == memory


@pytest.mark.parametrize(
    ("lines", "folder", "limit", "used", "stat"),
    [
        (V2, "app/one", "memory.max", "memory.current", "anon 5\ninactive_file 100"),
        (V1, "memory/app/one", "memory.limit_in_bytes", "memory.usage_in_bytes", "cache 7\ntotal_inactive_file 100"),
    ],
    ids=["v2", "v1"],
)
def test_what_is_free_in_a_group(tmp_path: Path, lines: str, folder: str, limit: str, used: str, stat: str) -> None:
    """The kernel drops files that were not used for a while before it ends a process."""
    files = {f"{folder}/{limit}": "1000", f"{folder}/{used}": "600", f"{folder}/memory.stat": stat}
    assert available_memory(grant(tmp_path / "root", files), process_groups(tmp_path, lines)) == 500


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"memory.events": "low 0\noom 3\noom_kill 2"}, 2),
        ({"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1"}, 1),
        ({}, 0),
    ],
)
def test_how_many_the_system_has_ended(tmp_path: Path, files: dict[str, str], count: int) -> None:
    assert num_killed(grant(tmp_path, files)) == count


def run_python(code: str, *limits: str) -> str:
    """What a small process prints, without torch, after `ulimit` with these options."""
    script = "".join(f"ulimit {limit} && " for limit in limits) + f"exec {sys.executable} -c '{code}'"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@linux
def test_a_limit_of_the_process_is_what_it_is_granted() -> None:
    code = "from deit_core.machine.limits import total_memory, available_memory as a; print(total_memory(), a())"
    total, free = map(int, run_python(code, "-d 500000").split())
    assert total == 500_000 * 1024
    assert 400 * 10**6 < free < total


@linux
def test_a_process_under_its_own_limit_meets_a_memory_error() -> None:
    """With 500 MB granted, 400 fit and 600 do not; afterwards the limit is as it was."""
    code = """
import resource
from deit_core.machine.limits import data_limit
from deit_core.machine.own_limit import limited_memory, limit_in_words
before = resource.getrlimit(resource.RLIMIT_DATA)
with limited_memory():
    assert 450 * 10**6 < data_limit() < 500 * 10**6
    assert limit_in_words() == " in the 0.5 GB that this process may hold"
    len(bytearray(400 * 10**6))
    try:
        len(bytearray(600 * 10**6))
    except MemoryError:
        print("met")
assert resource.getrlimit(resource.RLIMIT_DATA) == before
assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
"""
    assert run_python(code, "-d 500000") == "met"


@linux
def test_a_process_in_a_group_of_its_own_is_counted_when_the_system_ends_it() -> None:
    """Bounded: the group may use 60 MB, and the child asks for 300."""
    code = """
import os, subprocess, sys
from deit_core.machine.memory_groups import num_killed
from deit_core.machine.own_limit import own_group
with own_group(60 * 2**20) as group:
    if group is None:
        print("none")
    else:
        done = subprocess.run([sys.executable, "-c", "bytearray(b\\"x\\") * (300 * 2**20)"])
        print(done.returncode, num_killed(group), str(os.getpid()) in group.name)
assert group is None or not group.exists()
"""
    said = run_python(code)
    if said == "none":
        pytest.skip("this system lets no process make a control group")
    assert said == "-9 1 True"
