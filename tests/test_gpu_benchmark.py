"""The script for a GPU runs to its end on a CPU, with tiny sizes, where only what it needs is installed."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.gpu.parts import Part, Report, Row, run_parts
from benchmarks.gpu.setting import Setting

ROOT = Path(__file__).parents[1]
# What a bare machine lacks; found nowhere, whatever is installed here.
ABSENT = ("streamlit", "plotly", "pandas", "sqlalchemy", "timm", "vit_pytorch", "pytorch_grad_cam", "playwright")
BARE_MACHINE = f"""
import runpy, sys
from importlib.machinery import PathFinder

class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {ABSENT!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
sys.argv[0] = "benchmarks"
runpy.run_module("benchmarks", run_name="__main__")
"""


def test_every_part_gives_its_rows(tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path), "--out", str(tmp_path / "out"), "--device", "cpu", "--minutes", "5")
    command = [sys.executable, "-c", BARE_MACHINE, "gpu", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "gpu.json").read_text())
    assert list(report["parts"]) == ["machine", "ceilings", "right", "fast", "end to end", "large"]
    rows = [row for part in report["parts"].values() for row in part]
    assert [row["problem"] for row in rows if "problem" in row] == []
    assert [row for row in rows if row.get("right") is False] == []
    compared = {row["loop"] for row in report["parts"]["fast"] if "loop" in row}
    assert compared == {"recorded", "eager", "bare, recorded", "bare, eager", "recorded, float32", "tutorial"}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_part_that_fails_or_takes_too_long_leaves_what_it_gave(tmp_path: Path) -> None:
    def slow(setting: Setting) -> Iterator[Row]:
        yield {"speed": 3}
        time.sleep(600)

    def fails(setting: Setting) -> Iterator[Row]:
        yield {"speed": 2}
        raise RuntimeError("no kernel image is available")

    def ends(setting: Setting) -> Iterator[Row]:
        yield {"speed": 1}

    parts = [Part("slow", 0.01, slow), Part("fails", 1, fails), Part("ends", 1, ends)]
    report = Report(tmp_path / "gpu.json", {})
    run_parts(parts, Setting("cpu", tmp_path, tmp_path), 100, report, lambda part, row: None)
    rows = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert rows["slow"][:2] == [{"speed": 3}, {"problem": "ended after its limit of 1 s"}]
    assert rows["fails"][0] == {"speed": 2}
    assert rows["fails"][1]["problem"].startswith("RuntimeError: no kernel image is available (test_gpu_benchmark.py")
    assert rows["ends"][0] == {"speed": 1}
