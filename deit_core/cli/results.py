"""Commands that export results: weights of a run, a page on experiments."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deit_core.cli.options import (
    DataDirOption,
    DemoOption,
    RunArgument,
    RunsDirOption,
    bring_here,
    open_launcher,
    runs_of,
)
from deit_core.cli.terminal import say
from deit_core.plain_text import file_name
from deit_core.runs.bulk import of_experiment


class ExportFormat(StrEnum):
    PT = "pt"
    SAFETENSORS = "safetensors"
    ONNX = "onnx"
    CARD = "card"
    HUB = "hub"


def export(
    run_id: RunArgument,
    file_format: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="A plain state dict, safetensors, ONNX, a model card in Markdown, or a folder as a hub has it.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The file or folder to write (default: NAME-ID.FORMAT here).")
    ] = None,
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
    from deit_core.results.export import SUFFIXES, export_experiment, export_run

    launcher = open_launcher(runs_dir)
    run, home = launcher.store.run(run_id), launcher.settings.runs_dir
    together = [one for one in launcher.store.runs() if one.experiment_id == run.experiment_id] if experiment else [run]
    bring_here(launcher, together)
    if experiment:
        for path in export_experiment(launcher.store, run, home, out or Path(), file_format.value):
            say(path)
        return
    path = out or Path(f"{file_name(run.name)}-{run.id}{SUFFIXES[file_format.value]}")
    export_run(run, home, path, file_format.value)
    say(path)


def report(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[EXPERIMENT]...", help="Names, or starts of ids, in the order of the page."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The Markdown file to write.")] = Path("results.md"),
    demo: DemoOption = False,
    data_dir: DataDirOption = None,
    runs_dir: RunsDirOption = None,
) -> None:
    """Write a page on the results of experiments: mean and standard deviation over seeds, paired differences."""
    from deit_core.results import write_report

    launcher = open_launcher(runs_dir, data_dir)
    launcher.ensure_workers()
    chosen = {one.id for one in launcher.store.experiments() if not experiments or one.name in experiments}
    bring_here(launcher, [run for run in launcher.store.runs() if run.experiment_id in chosen or not experiments])
    for path in write_report(runs_of(launcher.store, demo=demo), launcher.settings.runs_dir, out, experiments or ()):
        say(path)


def demo(
    experiments: Annotated[list[str], typer.Argument(metavar="EXPERIMENT...", help="Names, in the order to show.")],
    out: Annotated[Path, typer.Option(help="The folder; demo runs in it are replaced.")],
    data_dir: DataDirOption = None,
    runs_dir: RunsDirOption = None,
) -> None:
    """Write completed experiments as demo runs, which a copy of DeiT Lab shows before anything is trained."""
    from deit_core.results.demo_folder import write_demo

    launcher = open_launcher(runs_dir, data_dir)
    for name in experiments:
        bring_here(launcher, of_experiment(launcher.store, name))
    for path in write_demo(launcher.store, launcher.settings.runs_dir, launcher.settings.data_dir, experiments, out):
        say(path)


def notebook(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="A name, the start of an id, or a preset.")],
    out: Annotated[Path | None, typer.Option(help="The file to write (default: EXPERIMENT.ipynb here).")] = None,
    demo: DemoOption = False,
    runs_dir: RunsDirOption = None,
) -> None:
    """Write a Jupyter notebook that trains an experiment again and puts both results side by side."""
    from deit_core.results.experiment_notebook import write_notebook

    path = out or Path(f"{file_name(experiment)}.ipynb")
    write_notebook(runs_of(open_launcher(runs_dir).store, demo=demo), experiment, path)
    say(path)


def fields() -> None:
    """Print every field of a spec with its default and what it is, in Markdown."""
    from deit_core.results.field_reference import field_reference

    print(field_reference(), end="")
