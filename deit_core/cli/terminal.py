"""Output of the command line for people, but for the progress of a training."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.markup import escape as rich_escape
from rich.table import Table

from deit_core.doctor import Finding
from deit_core.events import Reading
from deit_core.image_folders import LeftOut
from deit_core.metrics import BEST_VAL_ACCURACY, TEST_ACCURACY
from deit_core.plain_text import harmless
from deit_core.runs import Run, Status, waiting_for
from deit_core.runs.checkup import StoreFacts
from deit_core.runs.condition import explain, word
from deit_core.runs.estimates import Estimate
from deit_core.spec import AnySpec, ExperimentSpec, LibrarySpec, RunSpec, advice, members
from deit_core.wording import duration, reading

_stdout, _stderr = Console(), Console(stderr=True)


def say(text: object, *, file: TextIO | None = None) -> None:
    """Print text that may hold a person's words, on stdout unless `file` is another stream."""
    print(harmless(str(text)), file=file, flush=True)


def escape(text: str) -> str:
    """Text that shows literally in a table or a line of rich's."""
    return rich_escape(harmless(text))


def print_presets(specs: Mapping[str, AnySpec], measured: Mapping[str, Estimate | None]) -> None:
    """Args: measured: the known estimates for this machine; nothing is measured here."""
    for name, spec in specs.items():
        _stdout.print(f"[bold]{name}[/bold]", highlight=False)
        runs = members(spec)
        _stdout.print(
            f"  {escape(spec.description if isinstance(spec, ExperimentSpec) else spec.notes)}", highlight=False
        )
        for run in runs:
            _stdout.print(
                f"  - {escape(run.name)}: "
                f"{run.model.name if isinstance(run.model, LibrarySpec) else run.model.family} on "
                f"{run.data.source} at {run.data.img_size} px, epochs: {run.optim.epochs}{_seeds(spec, run)}",
                highlight=False,
            )
        if isinstance(spec, ExperimentSpec) and spec.expectation:
            expected = ", ".join(f"{run} {share:.1%}" for run, share in spec.expectation.accuracy.items())
            _stdout.print(
                f"  Expect test accuracies of {expected} after {duration(spec.expectation.duration_s)} "
                f"({spec.expectation.measured_on}).",
                highlight=False,
            )
        if (estimate := measured[name]) and not estimate.error:
            _stdout.print(f"  About {duration(estimate.duration_s)} on this machine.", highlight=False)
        elif not (isinstance(spec, ExperimentSpec) and spec.expectation):
            _stdout.print(f"  `python -m deit_core estimate {name}` measures how long it takes here.", highlight=False)
        _stdout.print()


def print_advice(spec: AnySpec) -> None:
    """Print to stderr what is known to hurt in a spec."""
    for sentence in advice(spec):
        say(f"Advice: {sentence}", file=sys.stderr)


def print_runs(runs: Sequence[Run], everything: Sequence[Run]) -> None:
    """Args: everything: all runs, among them those that `runs` wait for."""
    if not runs:
        _stdout.print("No runs yet; `python -m deit_core submit scattered-quick` starts the first three.")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("no.", "id", "name", "experiment", "status", "progress", "left", "val", "test"):
        table.add_column(column, justify="right" if column in ("no.", "progress", "left", "val", "test") else "left")
    for run in runs:
        table.add_row(
            "" if run.is_demo else str(run.number),
            run.id,
            escape(run.name),
            escape(run.experiment_name or ""),
            word(run, everything),
            f"{run.progress:.0%}",
            duration(run.time_left_s) if run.time_left_s is not None and run.status == Status.RUNNING else "",
            _percent(run.results.get(BEST_VAL_ACCURACY)),
            _percent(run.results.get(TEST_ACCURACY)),
        )
    _stdout.print(table)
    for run in runs:
        waits = run.status == Status.QUEUED and waiting_for(run, everything)
        if message := explain(run, everything) if waits else "" if run.status == Status.QUEUED else run.message:
            _stdout.print(f"{run.id} {escape(run.name)}: {escape(message)}", highlight=False, soft_wrap=True)


def print_run(document: Mapping[str, Any]) -> None:
    text = harmless(json.dumps(document, indent=2, ensure_ascii=False))
    _stdout.print(JSONHighlighter()(text), soft_wrap=True)


def print_store(facts: StoreFacts) -> None:
    _stdout.print(
        f"{escape(facts.name)}: {facts.num_runs:,} runs, {facts.num_experiments:,} experiments, "
        f"{facts.num_points:,} points, {facts.size_bytes / 1e6:.1f} MB",
        highlight=False,
        soft_wrap=True,
    )
    for problem in facts.problems or ("The store is in order.",):
        _stdout.print(escape(problem), highlight=False, soft_wrap=True)


def print_estimate(estimate: Estimate) -> None:
    parts = ", ".join(f"{name} {duration(seconds)}" for name, seconds in estimate.run_s.items())
    _stdout.print(f"About {duration(estimate.duration_s)} on this machine ({escape(parts)}).", highlight=False)


def print_reading(progress: Reading) -> None:
    """Print to stderr, so that stdout stays clean."""
    _stderr.print(reading(progress), highlight=False)


def print_listing(
    counts: Mapping[str, Mapping[str, int]], left_out: Sequence[LeftOut], warnings: Sequence[str]
) -> None:
    """Args: counts: number of images by part and class."""
    images = Table(box=None, pad_edge=False)
    images.add_column("class")
    for part in counts:
        images.add_column(part, justify="right")
    for title in next(iter(counts.values())):
        images.add_row(escape(title), *(f"{numbers[title]:,}" for numbers in counts.values()))
    images.add_row("in all", *(f"{sum(numbers.values()):,}" for numbers in counts.values()))
    _stdout.print(images)
    if left_out:
        passed_over = Table(box=None, pad_edge=False, title="Left out", title_justify="left")
        for column in ("files", "why", "for example"):
            passed_over.add_column(column, justify="right" if column == "files" else "left", overflow="fold")
        for one in left_out:
            passed_over.add_row(f"{one.count:,}", escape(one.why), escape(one.example))
        _stdout.print()
        _stdout.print(passed_over)
    for warning in warnings:
        _stdout.print(f"\nWarning: {escape(warning)}", highlight=False)


def print_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        mark = "[green]ok [/green]" if finding.is_well else "[bold red]fix[/bold red]"
        _stdout.print(f"{mark} {escape(finding.sentence)}", highlight=False, soft_wrap=True)


def _seeds(spec: AnySpec, run: RunSpec) -> str:
    count = spec.num_repeats(run) if isinstance(spec, ExperimentSpec) else 1
    return f", {count} seeds" if count > 1 else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
