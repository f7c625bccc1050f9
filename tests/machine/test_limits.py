"""What a container grants, in the files of both versions of control groups, as Docker mounts them."""

import os
from pathlib import Path

import psutil
import pytest

from deit_core.machine.limits import num_cores, total_memory

ALL_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
ALL_MEMORY = psutil.virtual_memory().total


def grant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
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
