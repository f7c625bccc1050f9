"""Runs benchmarks: prints their tables, and writes each with machine, versions and commit to benchmarks/results/."""

import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import contention, end_to_end, limits, many_runs, memory, page, rollout, slider, store, training
from benchmarks.guard import end_with_me
from deit_core.machine.limits import num_cores

RESULTS = Path(__file__).parent / "results"
BENCHMARKS: dict[str, Callable[[bool], Iterable[dict[str, object]]]] = {
    "training": training.measure,
    "limits": limits.measure,
    "memory": memory.measure,
    "end-to-end": end_to_end.measure,
    "rollout": rollout.measure,
    "slider": slider.measure,
    "store": store.measure,
    "page": page.measure,
    "many-runs": many_runs.measure,
    "contention": contention.measure,
}


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Which ones: {', '.join(BENCHMARKS)}; else all.")] = None,
    long: Annotated[bool, typer.Option("--long", help="More rounds and larger sizes.")] = False,
) -> None:
    """Measure on an idle machine; read ratios, which were taken side by side."""
    if unknown := set(names or ()) - BENCHMARKS.keys():
        raise typer.BadParameter(f"{', '.join(unknown)}: choose among {', '.join(BENCHMARKS)}.")
    tempfile.tempdir = tempfile.mkdtemp(prefix="benchmarks-")
    end_with_me(Path(tempfile.tempdir))
    for name in names or BENCHMARKS:
        typer.echo(f"\n{name}")
        rows = []
        for row in BENCHMARKS[name](long):
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
    typer.run(main)
