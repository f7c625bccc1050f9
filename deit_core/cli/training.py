"""Commands that start trainings, list presets, and estimate how long they take."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import Annotated

import typer

from deit_core import presets
from deit_core.cli import terminal
from deit_core.cli.ending import until_asked_to_end
from deit_core.cli.options import (
    DataDirOption,
    JsonOption,
    RunsDirOption,
    SetOption,
    SpecArgument,
    StopEarlyOption,
    SweepOption,
    SweepSeedOption,
    TrialsOption,
    open_launcher,
    print_json,
    read_spec,
)
from deit_core.cli.progress import Progress
from deit_core.errors import RunError, SpecError
from deit_core.events import Event
from deit_core.machine import torchrun
from deit_core.runs import LocalLauncher, Run, Status, open_store, queue
from deit_core.runs.early_stopping import is_stopped_early
from deit_core.runs.estimates import Estimates
from deit_core.runs.estimator import measure
from deit_core.settings import Settings
from deit_core.spec import AnySpec, members, swept
from deit_core.spec import replace as edited

_LOOK_S = 1.0


def list_presets(as_json: JsonOption = False, runs_dir: RunsDirOption = None) -> None:
    """List the presets: what each trains, its expected results, and how long it takes."""
    specs = {name: presets.get(name) for name in presets.names()}
    if as_json:
        print_json({name: spec.model_dump(mode="json") for name, spec in specs.items()})
    else:
        measured = Estimates(Settings.from_env(runs_dir=runs_dir))
        terminal.print_presets(specs, {name: measured.get(spec) for name, spec in specs.items()})


def train(
    preset: SpecArgument,
    changes: SetOption = None,
    sweep: SweepOption = None,
    trials: TrialsOption = None,
    sweep_seed: SweepSeedOption = 0,
    stop_early: StopEarlyOption = False,
    data_dir: DataDirOption = None,
    runs_dir: RunsDirOption = None,
) -> None:
    """Train in the foreground with a progress bar. Ctrl-C stops after the step, and `resume` continues from there.

    With several devices: `torchrun --nproc-per-node=2 -m deit_core train PRESET`.
    """
    from deit_core.runs.foreground import train_here

    if torchrun.rank() > 0:
        _follow()
        return
    settings = Settings.from_env(runs_dir=runs_dir, data_dir=data_dir)
    store = open_store(settings.store_url, create=False)
    spec = read_spec(preset, changes, sweep, trials=trials, seed=sweep_seed, stop_early=stop_early)
    terminal.print_advice(spec)
    key = None
    if torchrun.is_by_torchrun():
        spec, key = on_ranks(spec, torchrun.world()), torchrun.name_of_launch()
    with Progress() as progress, _followers():
        watch = partial(_show, progress)
        runs, mistake = train_here(store, settings, spec, watch, key=key)
    if runs:
        terminal.print_runs(runs, store.runs())
    if mistake is not None:
        raise mistake
    statuses = {run.status for run in runs if not is_stopped_early(run)}
    if Status.FAILED in statuses:
        raise typer.Exit(1)
    if not statuses <= {Status.COMPLETED}:
        raise typer.Exit(130)


def _show(progress: Progress, run: Run, event: Event) -> None:
    progress.show(run.spec, event, run.id)


def on_ranks(spec: AnySpec, world: int) -> AnySpec:
    """A spec for as many processes as torchrun has started: its runs, or those that it gives to several devices.

    Raises: SpecError where it gives them to another number of devices.
    """
    numbers = {run.compute.devices for run in members(swept(spec))} - {1}
    if numbers - {world}:
        raise SpecError(
            f"compute.devices is {max(numbers)}, but torchrun has started {world} processes; give both the same number."
        )
    return spec if numbers or world == 1 else edited(spec, {"compute.devices": world})


def _follow() -> None:
    """Of all processes of torchrun but the first: share in what that one trains."""
    from deit_core.training.follower import follow_all
    from deit_core.training.ranks import Ranks

    follow_all(Ranks(torchrun.rank(), torchrun.world()))


@contextmanager
def _followers() -> Iterator[None]:
    """Of the first process of torchrun: the others end when it has no run for them any more."""
    yield
    if torchrun.world() > 1:
        from deit_core.training.meeting import Meeting

        Meeting().give(None)


def submit(
    preset: SpecArgument,
    changes: SetOption = None,
    sweep: SweepOption = None,
    trials: TrialsOption = None,
    sweep_seed: SweepSeedOption = 0,
    stop_early: StopEarlyOption = False,
    key: Annotated[
        str | None, typer.Option(help="A name for this submission; with the same one again nothing is queued twice.")
    ] = None,
    data_dir: DataDirOption = None,
    runs_dir: RunsDirOption = None,
) -> None:
    """Train in the background; prints the ids of the runs, one per line."""
    launcher = open_launcher(runs_dir, data_dir)
    spec = read_spec(preset, changes, sweep, trials=trials, seed=sweep_seed, stop_early=stop_early)
    terminal.print_advice(spec)
    for run_id in launcher.submit(spec, key=key):
        print(run_id)


def work(
    once: Annotated[bool, typer.Option("--once", help="End when no run is queued or running any more.")] = False,
    data_dir: DataDirOption = None,
    runs_dir: RunsDirOption = None,
) -> None:
    """Train what is queued on this machine, DEIT_WORKERS runs at once.

    Ctrl-C, or SIGTERM, ends it after the runs that train; a second one at once, and those runs go on by themselves.
    """
    settings = Settings.from_env(runs_dir=runs_dir, data_dir=data_dir)
    settings = replace(settings, num_workers=max(1, settings.num_workers))
    launcher = LocalLauncher(open_store(settings.store_url), settings)
    what = f"This machine trains up to {settings.num_workers} runs at once, until you press Ctrl-C."
    terminal.say(what, file=sys.stderr)
    sentence = "This machine starts no other run, and ends when its runs have ended; Ctrl-C again ends at once."
    try:
        with until_asked_to_end(sentence) as asked:
            while not asked.is_set() and (not once or any(run.status.is_active for run in launcher.store.runs())):
                launcher.ensure_workers()
                if launcher.trouble:
                    raise RunError(launcher.trouble)
                time.sleep(_LOOK_S)
            while asked.is_set() and (ids := _workers_of_this_machine(launcher)):
                queue.drain(launcher.store, ids)
                time.sleep(_LOOK_S)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _workers_of_this_machine(launcher: LocalLauncher) -> list[str]:
    """Those that are alive and work in the background."""
    queue.reap(launcher.store)
    return [worker.id for worker in queue.registered_here(launcher.store) if worker.slot is not None]


def estimate(
    preset: SpecArgument,
    changes: SetOption = None,
    data_dir: DataDirOption = None,
    runs_dir: RunsDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how long a spec takes on this machine: a few seconds for each of its runs."""
    result = measure(read_spec(preset, changes), Settings.from_env(runs_dir=runs_dir, data_dir=data_dir))
    if as_json:
        print_json(asdict(result))
    else:
        terminal.print_estimate(result)
