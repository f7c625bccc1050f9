"""The program: its commands in the order of its help, and its exit codes."""

import atexit
import gc
import io
import sys
from collections.abc import Callable

import typer

from deit_core.cli.analysis import compare, predict
from deit_core.cli.cluster import cluster_app, slurm
from deit_core.cli.commands import Commands
from deit_core.cli.curves import curves_app
from deit_core.cli.data import describe_data, import_images
from deit_core.cli.doctor import doctor
from deit_core.cli.pictures import rollout
from deit_core.cli.results import demo, export, fields, notebook, report
from deit_core.cli.runs import delete, list_runs, publish, resume, show, stop
from deit_core.cli.store import store_app
from deit_core.cli.terminal import say
from deit_core.cli.training import estimate, list_presets, submit, train, work
from deit_core.refusals import user_error

app = typer.Typer(
    name="deit_core",
    cls=Commands,
    help="Train a CNN teacher, a ViT and a distilled DeiT, and see what they look at.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "presets": list_presets,
    "fields": fields,
    "train": train,
    "submit": submit,
    "work": work,
    "slurm": slurm,
    "runs": list_runs,
    "show": show,
    "stop": stop,
    "resume": resume,
    "delete": delete,
    "publish": publish,
    "export": export,
    "report": report,
    "notebook": notebook,
    "demo": demo,
    "predict": predict,
    "compare": compare,
    "rollout": rollout,
    "estimate": estimate,
    "data": describe_data,
    "import": import_images,
    "doctor": doctor,
}
app.add_typer(store_app)
app.add_typer(cluster_app)
app.add_typer(curves_app)
for name, command in _COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """The entry point: turns a user error into a sentence and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names in other alphabets than the terminal's are shown
    atexit.register(gc.freeze)  # without it Python looks through all of torch again before the prompt comes back
    try:
        app()
    except Exception as error:
        mistake = user_error(error)
        if mistake is None:
            raise
        say(f"Error: {mistake}", file=sys.stderr)
        sys.exit(2)
