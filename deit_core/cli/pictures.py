"""The command that draws what a model looks at."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from deit_core.catalog import COLOUR_MAPS, HEAD_FUSIONS, ROW_NORMS, SCOPES
from deit_core.cli.options import JsonOption, RunsDirOption, print_json
from deit_core.errors import CheckpointError, RunError
from deit_core.files import is_there
from deit_core.image_folders import ALL_FORMATS
from deit_core.layout import run_folder
from deit_core.runs import open_store
from deit_core.settings import Settings


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
        bool,
        typer.Option("--faithfulness", help="Measure whether the prediction rests on what the first map points at."),
    ] = False,
    as_json: JsonOption = False,
    runs_dir: RunsDirOption = None,
) -> None:
    """Draw what a model looks at in image files, without a browser; the settings are in the files."""
    from deit_core.attention.drawing.picture_files import draw_pictures
    from deit_core.attention.drawing.views import Drawing

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
    also: dict[str, Any] = {"with_npz": with_npz, "with_faithfulness": with_faithfulness}
    for drawn in draw_pictures(path, images, out, drawing, note=partial(print, file=sys.stderr), **also):
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
        print_json(documents)


def _checkpoint(name: str, settings: Settings) -> Path:
    """A run's folder, by its id or the beginning of it, or a path."""
    for path in (run_folder(settings.runs_dir, name), Path(name)):
        if is_there(path):
            return path
    try:
        return run_folder(settings.runs_dir, open_store(settings.store_url, create=False).run(name).id)
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
