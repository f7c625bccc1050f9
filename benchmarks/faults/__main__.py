"""`python -m benchmarks.faults --kills 60`: strikes runs at random, and prints a table for docs/reliability.md."""

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.faults.campaign import NO_MOMENT, STRIKES, Report, run_campaign
from benchmarks.faults.moments import MOMENTS
from benchmarks.guard import end_with_me
from deit_core.wording import duration


def table(report: Report) -> str:
    """Strikes by moment and kind, then what became of the runs."""
    counts: Counter[tuple[str, str]] = Counter()
    for (what, _, when), number in report.strikes.items():
        counts[when, what] += number
    lines = [f"| moment | {' | '.join(STRIKES)} |", f"|---|{'---:|' * len(STRIKES)}"]
    lines += [
        f"| {when} | {' | '.join(str(counts[when, what]) for what in STRIKES)} |" for when in (*MOMENTS, NO_MOMENT)
    ]
    cuts = ", ".join(f"{what} {number}" for what, number in sorted(report.cuts.items())) or "none"
    lines += [
        "",
        f"{report.strikes.total()} strikes on {report.num_runs} runs in {report.seconds:.0f} s; power cuts: {cuts}.",
        f"Runs not completed: {len(report.unfinished)}. Different from their twins: {len(report.different)}. "
        f"Damaged files: {len(report.damaged)}. Points compared: {report.num_points}.",
    ]
    return "\n".join(lines)


def main(
    kills: Annotated[int, typer.Option(help="How many strikes.")] = 60,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    end_with_me(folder)
    began_at = time.monotonic()

    def say_progress(number: int) -> None:
        left_s = (time.monotonic() - began_at) / number * (kills - number)
        typer.echo(f"Strike {number} of {kills}; {duration(left_s)} left, then the twins train.", err=True)

    report = run_campaign(folder, kills, seed, on_strike=say_progress)
    typer.echo(table(report))
    for sentence in (*report.unfinished, *report.different, *report.damaged):
        typer.echo(f"- {sentence}")
    sys.exit(bool(report.unfinished or report.different or report.damaged))


if __name__ == "__main__":
    typer.run(main)
