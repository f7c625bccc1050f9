"""Commands that let a cluster train what is queued: one of Ray's, which they start and end, or one that Slurm rules."""

import sys
import time
from contextlib import suppress
from typing import Annotated

import typer

from deit_core.cli import terminal
from deit_core.cli.ending import until_asked_to_end
from deit_core.cli.options import DataDirOption, JsonOption, RunsDirOption, print_json
from deit_core.errors import RunError
from deit_core.runs import open_store
from deit_core.runs.nodes import ask_to_end, nodes_of
from deit_core.settings import Settings
from deit_core.spec import parse_change
from deit_core.wording import duration

cluster_app = typer.Typer(
    name="cluster", help="Train what is queued on several machines, with Ray.", no_args_is_help=True
)

_LOOK_S = 1.0
_NONE = "No cluster works on this store; `python -m deit_core cluster up` starts one."


def _say(sentence: str) -> None:
    terminal.say(sentence, file=sys.stderr)


@cluster_app.command()
def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where other machines join.")] = 6379,
    cpus_per_run: Annotated[int, typer.Option(min=1, help="Cores of a node that each run gets.")] = 1,
    data_dir: DataDirOption = None,
    runs_dir: RunsDirOption = None,
) -> None:
    """Start a cluster with this machine as its first node, and train what is queued.

    One Ctrl-C ends it after what trains; a second at once, and cut off runs go on at the next `up`.
    """
    from deit_core.runs import cluster, keeper

    settings = Settings.from_env(runs_dir=runs_dir, data_dir=data_dir)
    keeper.check_shared(settings)
    store = open_store(settings.store_url)
    with suppress(KeyboardInterrupt), until_asked_to_end("Press Ctrl-C again to end at once.") as asked:
        cluster.keep_cluster(store, settings, port, cpus_per_run=cpus_per_run, is_ending=asked.is_set, say=_say)


@cluster_app.command()
def join(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="As `cluster up` prints it, HOST:PORT.")],
) -> None:
    """Let this machine work for a cluster, until Ctrl-C; runs that it trains then go on elsewhere."""
    from deit_core.runs import cluster

    with until_asked_to_end("This machine leaves the cluster.") as asked:
        node = cluster.another_node(address)
        _say(f"This machine works for the cluster at {address} until you press Ctrl-C.")
        try:
            while node.is_alive and not asked.is_set():
                time.sleep(_LOOK_S)
        finally:
            node.end()
    if not asked.is_set():
        _say(f"The cluster at {address} has ended.")


@cluster_app.command()
def down() -> None:
    """Ask the cluster of this store to end once what trains is done. Queued runs stay in the queue."""
    if not ask_to_end(open_store(Settings.from_env().store_url, create=False)):
        raise RunError(_NONE)
    print("The cluster ends with the runs that train now; `cluster status` shows which. Queued runs stay in the queue.")


@cluster_app.command()
def status(as_json: JsonOption = False) -> None:
    """List the nodes of the cluster of this store, what they have, and which runs they train."""
    nodes = nodes_of(open_store(Settings.from_env().store_url, create=False))
    if as_json:
        print_json([node._asdict() for node in nodes])
    elif not nodes:
        print(_NONE)
    for node in [] if as_json else nodes:
        runs = f"trains {', '.join(f'run {number}' for number in node.run_numbers)}" if node.run_numbers else "is free"
        seen = "" if node.is_there else f"; last seen {duration(node.seen_s)} ago: start the cluster again"
        terminal.say(f"{node.host}: {node.num_cpus:g} cores, {node.num_gpus:g} GPUs; {runs}{seen}")


def slurm(
    parameters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=VALUE]...",
            help="What each job asks Slurm for, by the names of sbatch: partition=gpu account=lab time=240 "
            "cpus_per_task=4 gpus_per_node=1. time is in minutes (default: 60).",
        ),
    ] = None,
    data_dir: DataDirOption = None,
    runs_dir: RunsDirOption = None,
) -> None:
    """Train what is queued as jobs of Slurm, which this command submits: one for each run that is ready.

    One Ctrl-C ends it after what trains; after a second one the jobs that train go on by themselves.
    """
    from deit_core.runs import keeper
    from deit_core.runs.engines.slurm import SlurmEngine

    settings = Settings.from_env(runs_dir=runs_dir, data_dir=data_dir)
    keeper.check_shared(settings)
    store = open_store(settings.store_url)
    engine = SlurmEngine(store, settings, dict(map(parse_change, parameters or [])))
    _say("Slurm trains what is queued, until you press Ctrl-C.")
    with suppress(KeyboardInterrupt), until_asked_to_end("Press Ctrl-C again to end at once.") as asked:
        keeper.keep(engine, is_ending=asked.is_set, say=_say)
