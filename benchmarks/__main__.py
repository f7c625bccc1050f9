"""Runs every benchmark: prints its table, and writes it with the machine and the versions to benchmarks/results/."""

import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

from benchmarks import contention, rollout, slider, training

RESULTS = Path(__file__).parent / "results"
BENCHMARKS: dict[str, Callable[[], Iterable[dict[str, object]]]] = {
    "training": training.measure,
    "rollout": rollout.measure,
    "slider": slider.measure,
    "contention": contention.measure,
}


def main() -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"\n{name}")
        rows = []
        for row in BENCHMARKS[name]():
            rows.append(row)
            print("  " + "  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        document = {
            "benchmark": name,
            "at": time.strftime("%Y-%m-%d %H:%M:%S"),
            "commit": commit,
            "machine": platform.processor() or platform.machine(),
            "torch": version("torch"),
            "rows": rows,
        }
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
