"""The command that draws what a model looks at."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from deit_core.catalog import ViewName
from deit_core.cli.options import JsonOption, RunsDirOption, print_json, with_fields_of
from deit_core.cli.terminal import say
from deit_core.errors import CheckpointError, RunError
from deit_core.files import is_there
from deit_core.image_folders import ALL_FORMATS
from deit_core.layout import run_folder
from deit_core.runs import open_store
from deit_core.runs.artifacts import bring
from deit_core.settings import Settings
from deit_core.spec import RolloutSpec, validated
from deit_core.text.quoting import shortened


@with_fields_of(RolloutSpec)
def rollout(
    checkpoint: Annotated[
        str,
        typer.Argument(
            help="A run's number, its id or the beginning of it, its folder, a checkpoint, an export, or a file or "
            "folder of timm, Facebook, Hugging Face or torchvision."
        ),
    ],
    images: Annotated[list[Path], typer.Argument(help=f"{ALL_FORMATS} files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The folder for the pictures.")],
    view: Annotated[ViewName, typer.Option(help="What is drawn of each image; film is of a run's epochs.")] = "maps",
    invert: Annotated[
        bool, typer.Option(help="Turn light into dark, for photographs of dark things on white.")
    ] = False,
    with_npz: Annotated[bool, typer.Option("--npz", help="Write the numbers next to each picture.")] = False,
    with_faithfulness: Annotated[
        bool,
        typer.Option("--faithfulness", help="Measure whether the prediction rests on what the first map points at."),
    ] = False,
    img_size: Annotated[
        int | None,
        typer.Option(
            min=8, max=1024, help="For a ViT in a foreign file: the side of its images; positions are resampled."
        ),
    ] = None,
    as_json: JsonOption = False,
    runs_dir: RunsDirOption = None,
    **options: Any,
) -> None:
    """Draw what a model looks at in image files, without a browser; the settings are in the files."""
    from deit_core.attention.drawing.picture_files import draw_pictures

    spec = validated(RolloutSpec, {name: value for name, value in options.items() if value is not None})
    path = _checkpoint(checkpoint, Settings.from_env(runs_dir=runs_dir))
    documents = []
    pictures = draw_pictures(
        path,
        images,
        out,
        spec,
        view_name=view,
        invert=invert,
        with_npz=with_npz,
        with_faithfulness=with_faithfulness,
        img_size=img_size,
        note=partial(print, file=sys.stderr),
    )
    for drawn in pictures:
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
            predicted = "" if drawn.probability is None else f"  {drawn.label} {drawn.probability:.1%}"
            say(f"{drawn.path}{predicted}{_fares(drawn.faithfulness)}")
    if as_json:
        print_json(documents)


def _checkpoint(name: str, settings: Settings) -> Path:
    """A run's folder, by its id or the beginning of it, or a path."""
    told = partial(say, file=sys.stderr)
    bring(settings, [name], say=told)
    for path in (run_folder(settings.runs_dir, name), Path(name)):
        if is_there(path):
            return path
    try:
        run_id = open_store(settings.store_url, create=False).run(name).id
    except RunError as error:
        raise CheckpointError(f"There is no checkpoint at {shortened(name)}. {error}") from None
    bring(settings, [run_id], say=told)
    return run_folder(settings.runs_dir, run_id)


def _fares(faithfulness: dict[str, float] | None) -> str:
    if faithfulness is None:
        return ""
    return (
        f"  area {faithfulness['area']:+.3f}, larger than {faithfulness['percentile']:.0f}% of 5 random orders; "
        f"centre prior {faithfulness['centre_area']:+.3f}"
    )
