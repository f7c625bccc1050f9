"""Commands on existing runs: list, show, stop, resume, delete."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from deit_core.cli import terminal
from deit_core.cli.options import (
    DataDirOption,
    DemoOption,
    ExperimentOption,
    JsonOption,
    RunArgument,
    RunsArgument,
    RunsDirOption,
    bring_here,
    open_launcher,
    print_json,
)
from deit_core.errors import DeitError, RunError
from deit_core.layout import RunFiles, run_folder
from deit_core.runs import LocalLauncher, Run, Status, demo_runs, waiting_for
from deit_core.runs.bulk import for_each, newest_first, of_experiment
from deit_core.runs.condition import explain, word
from deit_core.runs.publisher import publish_again


def list_runs(
    as_json: JsonOption = False,
    demo: DemoOption = False,
    data_dir: DataDirOption = None,
    runs_dir: RunsDirOption = None,
) -> None:
    """All runs, the newest first."""
    launcher = open_launcher(runs_dir, data_dir)
    launcher.ensure_workers()
    runs, unreadable = launcher.store.listed()
    runs += demo_runs().runs() if demo else []
    if as_json:
        print_json([_run_document(run, runs) for run in runs])
    elif runs or not unreadable:
        terminal.print_runs(runs, runs)
    for run in unreadable:
        terminal.say(run.sentence, file=sys.stderr if as_json else sys.stdout)


def show(
    run_id: RunArgument, as_json: JsonOption = False, data_dir: DataDirOption = None, runs_dir: RunsDirOption = None
) -> None:
    """Show all facts on a run: its spec, its results, its history."""
    launcher = open_launcher(runs_dir, data_dir)
    launcher.ensure_workers()
    run = launcher.store.run(run_id)
    try:
        bring_here(launcher, [run])
    except DeitError as error:  # what the store says can be shown all the same
        terminal.say(f"Note: {error}", file=sys.stderr)
    document = _run_document(run, launcher.store.runs()) | {
        "spec": run.spec.model_dump(mode="json"),
        "folder": str(run_folder(launcher.settings.runs_dir, run.id)),
        "log": str(RunFiles(run_folder(launcher.settings.runs_dir, run.id)).log),
        "lifecycle": [asdict(entry) for entry in launcher.store.lifecycle(run.id)],
    }
    if as_json:
        print_json(document)
    else:
        terminal.print_run(document)


def stop(run_ids: RunsArgument = None, experiment: ExperimentOption = None, runs_dir: RunsDirOption = None) -> None:
    """Stop runs after their step and keep their checkpoints, or take them out of the queue."""
    launcher = open_launcher(runs_dir)
    ids, refused = _chosen(launcher, run_ids, experiment)
    _end(refused + for_each(ids, partial(_stop, launcher)))


def _stop(launcher: LocalLauncher, run_id: str) -> None:
    run = launcher.store.run(run_id)
    launcher.stop(run.id)
    if launcher.store.run(run.id).status == Status.RUNNING:
        terminal.say(f"{run.id} {run.name} is stopping; `resume {run.id}` continues from there.")
    else:
        terminal.say(f"{run.id} {run.name} is stopped; `resume {run.id}` queues it again.")


def resume(run_id: RunArgument, data_dir: DataDirOption = None, runs_dir: RunsDirOption = None) -> None:
    """Queue a stopped, interrupted or failed run again, in the background, from its last saved state."""
    launcher = open_launcher(runs_dir, data_dir)
    run = launcher.store.run(run_id)
    launcher.resume(run.id)
    terminal.say(f"{run.id} {run.name} is queued again.")


def delete(
    run_ids: RunsArgument = None,
    experiment: ExperimentOption = None,
    runs_dir: RunsDirOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete runs with their checkpoints and curves, after asking."""
    launcher = open_launcher(runs_dir)
    ids, refused = _chosen(launcher, run_ids, experiment)
    if ids and not yes:
        what = f"run {ids[0]}, its" if len(ids) == 1 else f"{len(ids):,} runs, their"
        typer.confirm(f"Delete {what} checkpoints and {what.split()[-1]} curves?", abort=True, err=True)
    _end(refused + for_each(ids, partial(_delete, launcher)))


def publish(run_ids: RunsArgument = None, experiment: ExperimentOption = None, runs_dir: RunsDirOption = None) -> None:
    """Publish the files that this machine has of runs at DEIT_ARTIFACTS, where their worker could not."""
    launcher = open_launcher(runs_dir)
    ids, refused = _chosen(launcher, run_ids, experiment)
    _end(refused + for_each(ids, partial(_publish, launcher)))


def _publish(launcher: LocalLauncher, run_id: str) -> None:
    run = launcher.store.run(run_id)
    if run.status.is_active:
        raise RunError(f"Run {run.number} {run.name} is {run.status}, and is published while it is trained.")
    publish_again(launcher.settings, run.id)
    terminal.say(f"{run.id} {run.name} is published.")


def _delete(launcher: LocalLauncher, run_id: str) -> None:
    launcher.delete(run_id)
    terminal.say(f"{run_id} is deleted.")


def _chosen(
    launcher: LocalLauncher, names: Sequence[str] | None, experiment: str | None
) -> tuple[list[str], list[DeitError]]:
    """The runs that a command names, in the order to stop or delete them, and the errors of other names.

    Each is its id, or its number where its row cannot be read.
    """
    if not names and experiment is None:
        raise RunError("Name a run by its id or number, or an experiment with --experiment.")
    store = launcher.store
    runs = [] if experiment is None else of_experiment(store, experiment)
    unreadable = {run.number for run in store.unreadable()}
    numbers: list[str] = []

    def find(name: str) -> None:
        number = store.number_of(name)
        if number in unreadable:
            numbers.append(str(number))
        else:
            runs.append(store.run(name))

    refused = for_each(names or (), find)
    return list(dict.fromkeys([*newest_first(runs), *numbers])), refused


def _end(refused: Sequence[DeitError]) -> None:
    """Say what was refused; the others are done."""
    for error in refused:
        terminal.say(f"Error: {error}", file=sys.stderr)
    if refused:
        raise typer.Exit(2)


def _run_document(run: Run, runs: Sequence[Run]) -> dict[str, Any]:
    """Args: runs: all runs, among them those that it waits for."""
    return {
        "id": run.id,
        "number": None if run.is_demo else run.number,
        "name": run.name,
        "experiment": run.experiment_name,
        "status": run.status,
        "message": run.message,
        "condition": word(run, runs),
        "explanation": explain(run, runs),
        "waits_for": [
            {"id": other.id, "number": other.number, "name": other.name, "status": other.status}
            for other in waiting_for(run, runs)
            if run.status == Status.QUEUED
        ],
        "step": run.step,
        "total_steps": run.total_steps,
        "epoch": run.epoch,
        "time_left_s": run.time_left_s,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "results": run.results,
    }
