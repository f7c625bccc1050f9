"""Runs benchmarks: prints their tables, and writes each with machine, versions and commit to benchmarks/results/.

`gpu` is a command of its own, with its own options (`benchmarks.gpu.command`): it runs on machines where most of what
the others need is missing.
"""

import json
import platform
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.gpu.command import gpu
from benchmarks.guard import end_with_me
from deit_core.machine.limits import num_cores

RESULTS = Path(__file__).parent / "results"
BENCHMARKS = (
    "training",
    "validation",
    "muon",
    "limits",
    "images",
    "memory",
    "end-to-end",
    "rollout",
    "slider",
    "predict",
    "store",
    "scale",
    "page",
    "layout-shift",
    "many-runs",
    "finished-runs",
    "contention",
    "growth",
)


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Which ones: {', '.join(BENCHMARKS)}; else all.")] = None,
    long: Annotated[bool, typer.Option("--long", help="More rounds and larger sizes.")] = False,
) -> None:
    """Measure on an idle machine; read ratios, which were taken side by side."""
    if unknown := set(names or ()) - set(BENCHMARKS):
        raise typer.BadParameter(f"{', '.join(unknown)}: choose among {', '.join(BENCHMARKS)}.")
    tempfile.tempdir = tempfile.mkdtemp(prefix="benchmarks-")
    Path(tempfile.tempdir).chmod(0o711)  # root starts a PostgreSQL server as another user
    end_with_me(Path(tempfile.tempdir))
    for name in names or BENCHMARKS:
        typer.echo(f"\n{name}")
        rows = []
        for row in import_module(f"benchmarks.{name.replace('-', '_')}").measure(long):
            rows.append(row)
            typer.echo("  " + "  ".join(f"{key} {value}" for key, value in row.items()))
        RESULTS.mkdir(exist_ok=True)
        document = {"benchmark": name, "long": long, **_circumstances(), "rows": rows}
        (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")


def _circumstances() -> dict[str, object]:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "at": time.strftime("%Y-%m-%d %H:%M:%S"),
        "commit": commit,
        "machine": {"processor": platform.processor() or platform.machine(), "cores": num_cores()},
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "streamlit", "sqlalchemy", "timm", "vit-pytorch")},
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["gpu"]:
        sys.argv[:2] = ["python -m benchmarks gpu"]
        typer.run(gpu)
    else:
        typer.run(main)
