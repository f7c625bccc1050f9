"""Commands on the store of runs as a whole: check it, copy it, make it again."""

import shlex
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deit_core.cli import terminal
from deit_core.cli.options import JsonOption, RunsDirOption, print_json
from deit_core.runs.checkup import back_up_store, check_store, rebuild_store
from deit_core.runs.copying import copy_store
from deit_core.runs.open_database import open_database
from deit_core.settings import Settings, sqlite_url

store_app = typer.Typer(name="store", help="Check the store of runs, copy it, or make it again.", no_args_is_help=True)


_ADDRESS = "A SQLite file, or an address as DEIT_STORE has it."


def _address(text: str) -> str:
    return text if "://" in text else sqlite_url(Path(text).absolute())


@store_app.command()
def check(as_json: JsonOption = False, runs_dir: RunsDirOption = None) -> None:
    """Say what is wrong with the store, and what to do. The exit code is 1 if anything is."""
    facts = check_store(Settings.from_env(runs_dir=runs_dir))
    if as_json:
        print_json({name: value for name, value in asdict(facts).items() if name != "file"})
    else:
        terminal.print_store(facts)
    if facts.problems:
        raise typer.Exit(1)


@store_app.command()
def backup(
    out: Annotated[Path | None, typer.Option(help="The file to write (default: next to the store).")] = None,
    runs_dir: RunsDirOption = None,
) -> None:
    """Copy the store to a file, also while runs are trained. Checkpoints are not in it."""
    print(back_up_store(Settings.from_env(runs_dir=runs_dir), out))


@store_app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help=_ADDRESS)],
    target: Annotated[str, typer.Argument(metavar="TO", help=f"{_ADDRESS} It has no runs yet.")],
) -> None:
    """Copy all runs of a store into another one, say from a file to a server. Run folders stay where they are."""
    num_runs = copy_store(_address(source), _address(target), lambda name, rows: print(f"{name}: {rows:,} rows"))
    print(f"{num_runs:,} runs are in the new store; set DEIT_STORE to its address to use it.")


@store_app.command()
def upgrade() -> None:
    """Bring the tables of a store on a server to this version. A file is upgraded when it is opened."""
    with closing(open_database(Settings.from_env().store_url, create=False, upgrade=True)) as database:
        print(f"The store {database.name} is of this version.")


@store_app.command()
def rebuild(runs_dir: RunsDirOption = None) -> None:
    """Make a store from the folders of the runs; a damaged one is kept under another name."""
    rebuilt = rebuild_store(Settings.from_env(runs_dir=runs_dir))
    if rebuilt.kept_as:
        print(f"The damaged store is kept as {shlex.quote(str(rebuilt.kept_as))}.")
    if rebuilt.runs:
        print("These runs were found in their folders:")
        terminal.print_runs(rebuilt.runs, rebuilt.runs)
    else:
        print("No folder holds a run that the store lacks.")
    for sentence in rebuilt.lost:
        terminal.say(sentence)
