"""Shared parts of the commands: arguments, reading a spec from them, and the folders of runs."""

import inspect
import json
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_origin

import typer
from pydantic.fields import FieldInfo

from deit_core import presets
from deit_core.cli.terminal import say
from deit_core.errors import SpecError
from deit_core.files import is_there
from deit_core.runs import LocalLauncher, Run, RunReader, Store, WithDemo, demo_runs, open_store
from deit_core.runs.artifacts import bring
from deit_core.settings import Settings
from deit_core.spec import AnySpec, field_help, load_spec, parse_change, parse_values, replace, with_sweep
from deit_core.spec.fields import Part, kinds_of
from deit_core.text.quoting import quoted

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
SweepOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        metavar="FIELD=VALUES",
        help="Try several values of a field as one experiment: optim.lr=1e-3,2e-3, or with --trials a range, "
        "optim.lr=1e-4..1e-2. It changes the students, or one run by its name: vit.model.depth=2,4. Repeatable: every "
        "combination is trained.",
    ),
]
TrialsOption = Annotated[
    int | None,
    typer.Option(
        help="With --sweep: how many combinations are drawn at random and trained. From a range, numbers are drawn "
        "uniformly in the logarithm; whole numbers, and a range that begins at 0 or below, are drawn uniformly.",
        min=1,
    ),
]
SweepSeedOption = Annotated[int, typer.Option(help="The seed of that draw.", min=0)]
StopEarlyOption = Annotated[
    bool,
    typer.Option("--stop-early", help="With --sweep: stop runs that fall behind on validation images (median rule)."),
]
DataDirOption = Annotated[Path | None, typer.Option(help="Folder of the data sets (default: DEIT_DATA_DIR, or data).")]
RunsDirOption = Annotated[
    Path | None, typer.Option(help="Folder of the runs (default: DEIT_RUNS_DIR, or checkpoints).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RunArgument = Annotated[str, typer.Argument(metavar="ID", help="A run's number, its id or the start of its id.")]
RunsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Numbers of runs, their ids or the starts of their ids.")
]
ExperimentOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="All runs of an experiment: its name, or the start of its id.")
]


DemoOption = Annotated[bool, typer.Option("--demo", help="Also the runs that ship with DeiT Lab.")]
_Command = TypeVar("_Command", bound=Callable[..., None])


def with_fields_of(part: type[Part]) -> Callable[[_Command], _Command]:
    """Give a command an option for each field of a part, in place of its `**options`; one not given is None."""

    def decorate(command: _Command) -> _Command:
        signature = inspect.signature(command)
        own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        options = [_option(name, info) for name, info in part.model_fields.items()]
        required = [one for one in own if one.default is inspect.Parameter.empty]
        others = [one for one in own if one not in required]
        command.__signature__ = signature.replace(parameters=[*required, *options, *others])  # type: ignore[attr-defined]
        return command

    return decorate


def _option(name: str, info: FieldInfo) -> inspect.Parameter:
    default = "" if info.default is None or info.annotation is bool else f" (default: {info.default})"
    option = typer.Option(help=field_help(info) + default)
    return inspect.Parameter(
        name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[_option_type(info) | None, option],
    )


def _option_type(info: FieldInfo) -> Any:
    """What the command line reads; the part checks the rest, words and bounds."""
    kind, *others = kinds_of(info)
    if get_origin(kind) is tuple:
        return list[int]
    return kind if not others and kind in (bool, int, float) else str


def read_spec(preset: str, changes: list[str] | None, sweep: list[str] | None = None, **options: Any) -> AnySpec:
    """A preset or a JSON file, with the changes of --set and the values of --sweep.

    Args: options: the other fields of a sweep.
    """
    if preset in presets.names():
        spec = presets.get(preset)
    elif is_there(Path(preset)):
        try:
            spec = load_spec(Path(preset).read_bytes())
        except SpecError as error:
            raise SpecError(f"{preset}: {error}") from None
    else:
        choice = f"a preset ({', '.join(presets.names())}) nor a JSON file"
        raise SpecError(f"{quoted(preset)} is neither {choice}; choose one.")
    spec = replace(spec, dict(map(parse_change, changes or [])))
    if sweep:
        return with_sweep(spec, parse_values(sweep), **options)
    if options.get("trials") or options.get("stop_early"):
        raise SpecError("--trials and --stop-early are about a sweep; say with --sweep which values to try.")
    return spec


def open_launcher(runs_dir: Path | None, data_dir: Path | None = None) -> LocalLauncher:
    """The launcher for the store of these folders, or of the environment; the first run creates the store."""
    settings = Settings.from_env(runs_dir=runs_dir, data_dir=data_dir)
    return LocalLauncher(open_store(settings.store_url, create=False), settings)


def bring_here(launcher: LocalLauncher, runs: Iterable[Run], *, with_teachers: bool = False) -> None:
    """Bring the folders of runs from where they are published. Raises: DeitError where that fails."""
    ids = []
    for run in runs:
        teacher = run.spec.distillation.teacher if with_teachers and run.spec.distillation else ""
        ids += [teacher, run.id]
    bring(launcher.settings, dict.fromkeys(ids), say=partial(say, file=sys.stderr))


def runs_of(store: Store, *, demo: bool) -> RunReader:
    """The runs that a command reads. Args: demo: also those that ship with the program."""
    return WithDemo(store, demo_runs()) if demo else store


def print_json(document: Any) -> None:
    """Print one document, for programs."""
    print(json.dumps(document, indent=2))
