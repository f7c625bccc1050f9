"""Shared parts of the commands: arguments, reading a spec from them, and the folders of runs."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from deit_core import presets
from deit_core.errors import SpecError
from deit_core.files import is_there
from deit_core.runs import LocalLauncher, open_store
from deit_core.settings import Settings
from deit_core.spec import AnySpec, load_spec, parse_change, replace

SpecArgument = Annotated[str, typer.Argument(metavar="PRESET", help="A preset's name, or a JSON file with a spec.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change a field of all runs, e.g. optim.lr=1e-3, or of one run by its name, e.g. vit.model.patch_size=4. "
        "Repeatable.",
    ),
]
DataDirOption = Annotated[Path | None, typer.Option(help="Folder of the data sets (default: DEIT_DATA_DIR, or data).")]
RunsDirOption = Annotated[
    Path | None, typer.Option(help="Folder of the runs (default: DEIT_RUNS_DIR, or checkpoints).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RunArgument = Annotated[str, typer.Argument(metavar="ID", help="A run's number, its id or the start of its id.")]


def read_spec(preset: str, changes: list[str] | None) -> AnySpec:
    """A preset or a JSON file, with the changes of --set."""
    if preset in presets.names():
        spec = presets.get(preset)
    elif is_there(Path(preset)):
        try:
            spec = load_spec(Path(preset).read_bytes())
        except SpecError as error:
            raise SpecError(f"{preset}: {error}") from None
    else:
        raise SpecError(f"{preset!r} is neither a preset ({', '.join(presets.names())}) nor a JSON file; choose one.")
    return replace(spec, dict(map(parse_change, changes or [])))


def open_launcher(runs_dir: Path | None, data_dir: Path | None = None) -> LocalLauncher:
    """The launcher for the store of these folders, or of the environment; the first run creates the store."""
    settings = Settings.from_env(runs_dir=runs_dir, data_dir=data_dir)
    return LocalLauncher(open_store(settings.store_url, create=False), settings)


def print_json(document: Any) -> None:
    """Print one document, for programs."""
    print(json.dumps(document, indent=2))
