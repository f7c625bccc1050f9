"""Commands on what models answered: make the predictions of a run, compare two runs by them."""

from pathlib import Path
from typing import Annotated

import typer

from deit_core.cli.options import (
    DataDirOption,
    JsonOption,
    RunArgument,
    RunsDirOption,
    bring_here,
    open_launcher,
    print_json,
    runs_of,
)
from deit_core.cli.terminal import print_reading, say
from deit_core.files import write_atomically
from deit_core.layout import RunFiles, run_folder

_SecondArgument = Annotated[str, typer.Argument(metavar="ID", help="The run to compare it with.")]


def predict(run_id: RunArgument, data_dir: DataDirOption = None, runs_dir: RunsDirOption = None) -> None:
    """Make the predictions of a completed run that has none, for comparisons; a run made now has them already."""
    from deit_core.runs.predictor import predict_run

    launcher = open_launcher(runs_dir, data_dir)
    run = launcher.store.run(run_id)
    bring_here(launcher, [run])
    left_out = predict_run(run, launcher.settings, print_reading)
    say(RunFiles(run_folder(launcher.settings.runs_dir, run.id)).predictions)
    for sentence in left_out:
        say(sentence)


def compare(
    first_id: RunArgument,
    second_id: _SecondArgument,
    as_json: JsonOption = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a file with tables, figures and images that needs no network.")
    ] = None,
    data_dir: DataDirOption = None,
    runs_dir: RunsDirOption = None,
) -> None:
    """Compare two runs by what they answered: who is ahead, whether that is chance, where they differ and why."""
    from deit_core.cli.comparison import print_comparison
    from deit_core.results.comparison_document import comparison_document
    from deit_core.results.two_runs import compare_runs

    launcher = open_launcher(runs_dir, data_dir)
    runs = runs_of(launcher.store, demo=True)
    bring_here(launcher, [runs.run(first_id), runs.run(second_id)], with_teachers=True)
    two = compare_runs(runs, launcher.settings.runs_dir, first_id, second_id)
    if html is not None:
        from deit_core.results.comparison_html import comparison_html
        from deit_core.results.comparison_pictures import pictures_only_second_is_right_on

        pictures = pictures_only_second_is_right_on(two, launcher.settings.data_dir)
        write_atomically(html, comparison_html(two, pictures).encode())
        say(html)
        return
    document = comparison_document(two)
    if as_json:
        print_json(document)
    else:
        print_comparison(document)
