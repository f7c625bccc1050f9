"""The command line, `python -m deit_core`: everything the pages do, without a browser.

A mistake ends with one sentence on stderr and exit code 2; with `--json`, stdout holds one JSON document and nothing
else.
"""

import atexit
import gc
import json
import sys
import time
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from deit_core import presets, terminal
from deit_core.catalog import COLOUR_MAPS, HEAD_FUSIONS, ROW_NORMS, SCOPES, SOURCES
from deit_core.errors import CheckpointError, DeitError, RunError, SpecError
from deit_core.imports import import_images
from deit_core.runs import LocalLauncher, Run, Status, log_file, open_store, run_folder
from deit_core.runs.estimates import Estimate, Estimates, save_estimate
from deit_core.settings import Settings
from deit_core.spec import AnySpec, load_spec, replace
from deit_core.threads import num_cores, spin_briefly

app = typer.Typer(
    name="deit_core",
    help="Train a CNN teacher, a ViT and a distilled DeiT, and see what they look at.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SpecArgument = Annotated[str, typer.Argument(metavar="PRESET", help="A preset's name, or a JSON file with a spec.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change a field, e.g. optim.lr=1e-3 or vit.seed=7. Repeatable."),
]
DataDirOption = Annotated[Path | None, typer.Option(help="Where data sets lie (default: DEIT_DATA_DIR, or data).")]
RunsDirOption = Annotated[Path | None, typer.Option(help="Where runs land (default: DEIT_RUNS_DIR, or checkpoints).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RunArgument = Annotated[str, typer.Argument(metavar="ID", help="A run's id, or the beginning of it.")]


def main() -> None:
    """The entry point: turns what a person can mend into a sentence and exit code 2."""
    atexit.register(gc.freeze)  # without it Python looks through all of torch once more before the prompt comes back
    try:
        app()
    except DeitError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


@app.command("presets")
def list_presets(as_json: JsonOption = False) -> None:
    """The presets: what each trains, what to expect, and how long it takes."""
    specs = {name: presets.get(name) for name in presets.names()}
    if as_json:
        _print_json({name: spec.model_dump(mode="json") for name, spec in specs.items()})
    else:
        measured = Estimates(Settings.from_env())
        terminal.print_presets(specs, {name: measured.get(spec) for name, spec in specs.items()})


@app.command()
def train(
    preset: SpecArgument, changes: SetOption = None, data_dir: DataDirOption = None, runs_dir: RunsDirOption = None
) -> None:
    """Train in the foreground with a progress bar. Ctrl-C stops after the step, and `resume` goes on from there."""
    from deit_core.runs.foreground import train_here

    settings = Settings.from_env(runs_dir=runs_dir, data_dir=data_dir)
    store = open_store(settings.store_url)
    with terminal.Progress() as progress:
        runs, mistake = train_here(store, settings, _spec(preset, changes), progress.show)
    terminal.print_runs(runs)
    if mistake is not None:
        raise mistake
    statuses = {run.status for run in runs}
    if Status.FAILED in statuses:
        raise typer.Exit(1)
    if statuses != {Status.COMPLETED}:
        raise typer.Exit(130)


@app.command()
def submit(
    preset: SpecArgument, changes: SetOption = None, data_dir: DataDirOption = None, runs_dir: RunsDirOption = None
) -> None:
    """Train in the background; prints the ids of the runs, one a line."""
    launcher = _launcher(runs_dir, data_dir)
    for run_id in launcher.submit(_spec(preset, changes)):
        print(run_id)


@app.command("runs")
def list_runs(as_json: JsonOption = False, runs_dir: RunsDirOption = None) -> None:
    """All runs, the newest first."""
    launcher = _launcher(runs_dir)
    launcher.tend()
    runs = launcher.store.runs()
    if as_json:
        _print_json([_run_document(run) for run in runs])
    else:
        terminal.print_runs(runs)


@app.command()
def show(run_id: RunArgument, as_json: JsonOption = False, runs_dir: RunsDirOption = None) -> None:
    """Everything known of a run: its spec, its results, what became of it."""
    launcher = _launcher(runs_dir)
    launcher.tend()
    run = launcher.store.run(run_id)
    document = _run_document(run) | {
        "spec": run.spec.model_dump(mode="json"),
        "folder": str(run_folder(launcher.settings.runs_dir, run.id)),
        "log": str(log_file(launcher.settings.runs_dir, run.id)),
        "lifecycle": [asdict(entry) for entry in launcher.store.lifecycle(run.id)],
    }
    if as_json:
        _print_json(document)
    else:
        terminal.print_run(document)


@app.command()
def stop(run_id: RunArgument, runs_dir: RunsDirOption = None) -> None:
    """Stop a run after its step; its checkpoint is kept."""
    launcher = _launcher(runs_dir)
    run = launcher.store.run(run_id)
    launcher.stop(run.id)
    print(f"{run.id} {run.name} is stopping; `resume {run.id}` goes on from there.")


@app.command()
def resume(run_id: RunArgument, data_dir: DataDirOption = None, runs_dir: RunsDirOption = None) -> None:
    """Queue a stopped, interrupted or failed run again, in the background, from its last saved state."""
    launcher = _launcher(runs_dir, data_dir)
    run = launcher.store.run(run_id)
    launcher.resume(run.id)
    print(f"{run.id} {run.name} is queued again.")


@app.command()
def delete(
    run_id: RunArgument,
    runs_dir: RunsDirOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a run with its checkpoints and curves, after asking."""
    launcher = _launcher(runs_dir)
    found = run_id if run_id in launcher.store.unreadable() else launcher.store.run(run_id).id
    if not yes:
        typer.confirm(f"Delete run {found}, its checkpoints and its curves?", abort=True, err=True)
    launcher.delete(found)
    print(f"{found} is deleted.")


class ExportFormat(StrEnum):
    PT = "pt"
    SAFETENSORS = "safetensors"
    ONNX = "onnx"
    CARD = "card"


@app.command()
def export(
    run_id: RunArgument,
    file_format: Annotated[
        ExportFormat,
        typer.Option("--format", help="A plain state dict, safetensors, ONNX, or a model card in Markdown."),
    ],
    out: Annotated[Path | None, typer.Option(help="The file to write (default: NAME-ID.FORMAT here).")] = None,
    runs_dir: RunsDirOption = None,
    experiment: Annotated[
        bool,
        typer.Option(
            "--experiment",
            help="Write all runs of its experiment, as teacher_model, ViT_model and DeiT_model; --out is a folder.",
        ),
    ] = False,
) -> None:
    """Write the weights of a run's best epoch for use elsewhere, or a page that describes it."""
    from deit_core.runs.export import SUFFIXES, export_experiment, export_run, file_name

    launcher = _launcher(runs_dir)
    run, home = launcher.store.run(run_id), launcher.settings.runs_dir
    if experiment:
        for path in export_experiment(launcher.store, run, home, out or Path(), file_format.value):
            print(path)
        return
    path = out or Path(f"{file_name(run.name)}-{run.id}{SUFFIXES[file_format.value]}")
    export_run(run, home, path, file_format.value)
    print(path)


@app.command()
def rollout(
    checkpoint: Annotated[
        str, typer.Argument(help="A run's id or the beginning of it, a run's folder, or a .safetensors file.")
    ],
    images: Annotated[list[Path], typer.Argument(help="PNG, JPEG or WebP files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The folder for the pictures.")],
    method: Annotated[
        str | None,
        typer.Option(
            help="rollout, class_attention, gradient_rollout or attention_relevance; grad_cam for a CNN. "
            "Default: rollout, or grad_cam for a CNN."
        ),
    ] = None,
    view: Annotated[str, typer.Option(help="maps, depth, heads, variants, or film (of a run's epochs).")] = "maps",
    target: Annotated[str | None, typer.Option(help="The class asked about (default: the predicted one).")] = None,
    query: Annotated[
        str | None,
        typer.Option(help="Trace from: head, class, distillation, or a token's number (default: each output token)."),
    ] = None,
    head_fusion: Annotated[
        str,
        typer.Option(help=f"How heads are joined: {', '.join(HEAD_FUSIONS)}, or one head's number, counted from 0."),
    ] = "mean",
    discard_ratio: Annotated[float, typer.Option(help="Share of the weakest patch links that is dropped.")] = 0.0,
    scope: Annotated[str, typer.Option(help=f"Rank links by {' or by '.join(SCOPES)}.")] = "matrix",
    layers: Annotated[list[int] | None, typer.Option(help="Use this layer, counted from 0. Repeatable.")] = None,
    residual: Annotated[float, typer.Option(help="Share of the residual connection in each layer.")] = 0.5,
    row_norm: Annotated[
        str,
        typer.Option(
            help=f"{' or '.join(ROW_NORMS)}: normalise each row mixed with the residual, or the attention first."
        ),
    ] = "mixed",
    compat: Annotated[bool, typer.Option(help="Draw what the popular code draws, errors included.")] = False,
    cmap: Annotated[str, typer.Option(help=f"{', '.join(COLOUR_MAPS)}.")] = "inferno",
    opacity: Annotated[float, typer.Option(help="Of the colours over the image, from 0 to 1.")] = 0.7,
    vmax: Annotated[
        float | None, typer.Option(help="End of the scale in x uniform (default: each image's own).")
    ] = None,
    smooth: Annotated[bool, typer.Option(help="Blend between patches.")] = False,
    invert: Annotated[
        bool, typer.Option(help="Turn light into dark, for photographs of dark things on white.")
    ] = False,
    with_npz: Annotated[bool, typer.Option("--npz", help="Write the numbers beside each picture.")] = False,
    with_faithfulness: Annotated[
        bool, typer.Option("--faithfulness", help="Measure whether the prediction rests on what the map points at.")
    ] = False,
    as_json: JsonOption = False,
    runs_dir: RunsDirOption = None,
) -> None:
    """Draw what a model looks at in image files, without a browser; the settings are in the files."""
    from deit_core.attention.drawing import Drawing
    from deit_core.attention.pictures import draw_pictures

    drawing = Drawing(
        method=method,
        view=view,
        target=target,
        query=_token(query) if query else None,
        head_fusion=_token(head_fusion),
        discard_ratio=discard_ratio,
        scope=scope,
        layers=tuple(layers) if layers else None,
        residual=residual,
        row_norm=row_norm,
        compat=compat,
        cmap=cmap,
        opacity=opacity,
        vmax=vmax,
        smooth=smooth,
        invert=invert,
    )
    path = _checkpoint(checkpoint, Settings.from_env(runs_dir=runs_dir))
    documents = []
    for drawn in draw_pictures(path, images, out, drawing, with_npz=with_npz, with_faithfulness=with_faithfulness):
        if as_json:
            documents.append(
                {
                    "picture": str(drawn.path),
                    "image": str(drawn.image),
                    "predicted": drawn.label,
                    "probability": drawn.probability,
                    "faithfulness": drawn.faithfulness,
                }
            )
        else:
            print(f"{drawn.path}  {drawn.label} {drawn.probability:.1%}{_fares(drawn.faithfulness)}")
    if as_json:
        _print_json(documents)


@app.command()
def estimate(
    preset: SpecArgument,
    changes: SetOption = None,
    runs_dir: RunsDirOption = None,
    out: Annotated[Path | None, typer.Option(help="Write the estimate to this file instead.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how long a spec takes on this machine: a few seconds for each of its runs."""
    settings = Settings.from_env(runs_dir=runs_dir)
    try:
        spin_briefly()
        from deit_core.training.estimate import estimate_durations

        start_s = time.time() - psutil.Process().create_time()
        num_threads = max(1, num_cores() // settings.num_workers)
        run_s = estimate_durations(_spec(preset, changes), settings.runs_dir, num_threads, settings.data_dir)
        found = Estimate(start_s + sum(run_s.values()), run_s)
    except Exception as error:
        if out is None:
            raise
        found = Estimate(0.0, {}, str(error))  # whoever reads the file must not wait for ever
    if out is not None:
        save_estimate(out, found)
    elif as_json:
        _print_json(asdict(found))
    else:
        terminal.print_estimate(found)


@app.command()
def data(
    source: Annotated[str, typer.Argument(help=f"One of {', '.join(SOURCES)}.")], data_dir: DataDirOption = None
) -> None:
    """Fetch a data set if it is not on this machine, and say what is in it."""
    from deit_core.data import load_source

    if source not in SOURCES:
        raise SpecError(f"There is no data set {source!r}; choose {' or '.join(SOURCES)}.")
    loaded = load_source(source, Settings.from_env(data_dir=data_dir).data_dir)
    _, _, height, width = loaded.train_images[:1].shape
    print(
        f"{SOURCES[loaded.name].title}: {len(loaded.train_labels)} training and {len(loaded.test_labels)} test images "
        f"of {height}x{width} pixels, {len(loaded.classes)} classes, "
        f"SHA-256 {loaded.content_hash[:16]}"
    )


app.command("import")(import_images)


def _spec(preset: str, changes: list[str] | None) -> AnySpec:
    """A preset or a JSON file, with the changes of --set."""
    if preset in presets.names():
        spec = presets.get(preset)
    elif Path(preset).is_file():
        spec = load_spec(Path(preset).read_bytes())
    else:
        raise SpecError(f"{preset!r} is neither a preset ({', '.join(presets.names())}) nor a JSON file; choose one.")
    return replace(spec, dict(_change(text) for text in changes or []))


def _change(text: str) -> tuple[str, Any]:
    field, separator, value = text.partition("=")
    if not separator:
        raise SpecError(f"--set takes FIELD=VALUE, such as optim.lr=1e-3, not {text!r}.")
    try:
        return field, json.loads(value)
    except ValueError:
        return field, value  # a plain word, such as soft


def _checkpoint(name: str, settings: Settings) -> Path:
    """A run's folder, by its id or the beginning of it, or a path."""
    for path in (run_folder(settings.runs_dir, name), Path(name)):
        if path.exists():
            return path
    try:
        return run_folder(settings.runs_dir, open_store(settings.store_url).run(name).id)
    except RunError as error:
        raise CheckpointError(f"There is no checkpoint at {name}. {error}") from None


def _token(text: str) -> str | int:
    """A name, or a number counted from 0."""
    return int(text) if text.isdecimal() else text


def _fares(faithfulness: dict[str, float] | None) -> str:
    if faithfulness is None:
        return ""
    return (
        f"  area {faithfulness['area']:+.3f}, larger than {faithfulness['percentile']:.0f}% of 5 random orders; "
        f"centre prior {faithfulness['centre_area']:+.3f}"
    )


def _launcher(runs_dir: Path | None, data_dir: Path | None = None) -> LocalLauncher:
    settings = Settings.from_env(runs_dir=runs_dir, data_dir=data_dir)
    return LocalLauncher(open_store(settings.store_url), settings)


def _run_document(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "number": run.number,
        "name": run.name,
        "experiment": run.experiment_name,
        "status": run.status,
        "message": run.message,
        "step": run.step,
        "total_steps": run.total_steps,
        "epoch": run.epoch,
        "time_left_s": run.time_left_s,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "results": run.results,
    }


def _print_json(document: Any) -> None:
    print(json.dumps(document, indent=2))
