"""Commands on the curves of other programs, which pages draw beside those of runs."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from deit_core.cli.options import RunsDirOption
from deit_core.cli.terminal import say
from deit_core.runs import open_store
from deit_core.runs.event_files import read_curves
from deit_core.runs.imported_curves import add_curves, delete_curve, names_of_curves
from deit_core.settings import Settings

curves_app = typer.Typer(name="curves", help="Curves of other programs, drawn beside runs.", no_args_is_help=True)


@curves_app.command("import")
def import_curves(
    folder: Annotated[Path, typer.Argument(help="A folder of TensorBoard's event files, or of such folders.")],
    name: Annotated[str, typer.Option(help="What to call them (default: the name of the folder).")] = "",
    steps_per_epoch: Annotated[
        float | None,
        typer.Option(help="So that they are drawn by epoch too; 1 if their steps are epochs.", min=1e-3, max=1e9),
    ] = None,
    runs_dir: RunsDirOption = None,
) -> None:
    """Keep curves from TensorBoard's files for the charts of Runs and Compare. They are not runs."""
    found = read_curves(folder, name)
    with closing(open_store(Settings.from_env(runs_dir=runs_dir).store_url)) as store:
        names = add_curves(store, found, steps_per_epoch)
    for kept, curve in zip(names, found, strict=True):
        lines = ", ".join(f"{line.metric} from {line.tag} ({len(line.points):,} points)" for line in curve.lines)
        more = f"; left out: {', '.join(curve.left_out[:5])}" if curve.left_out else ""
        say(f"{kept}: {lines}{more}.")
    say("Choose them under Chart options on Runs or Compare.")


@curves_app.command("list")
def list_curves(runs_dir: RunsDirOption = None) -> None:
    """Say which curves are imported."""
    with closing(open_store(Settings.from_env(runs_dir=runs_dir).store_url, create=False)) as store:
        names = list(names_of_curves(store).values())
    say("\n".join(names) or "No curves are imported; `python -m deit_core curves import FOLDER` imports some.")


@curves_app.command("delete")
def delete_curves(
    name: Annotated[str, typer.Argument(help="Their name, as `curves list` has it.")], runs_dir: RunsDirOption = None
) -> None:
    """Forget imported curves. The files that they come from stay."""
    with closing(open_store(Settings.from_env(runs_dir=runs_dir).store_url, create=False)) as store:
        delete_curve(store, name)
    say(f"{name} is deleted.")
