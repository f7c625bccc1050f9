"""Rollouts of image files as picture files: what the Attention page shows, without a browser."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from deit_core.attention.look import look
from deit_core.attention.overlay import overlay
from deit_core.attention.query import Query
from deit_core.attention.rollout import rollout
from deit_core.data.inputs import Picture, decode_image, fit_image
from deit_core.errors import DataError
from deit_core.models import load_checkpoint, read_card

_SIDE = 448  # of each of the two pictures, in pixels


class Drawn(NamedTuple):
    """A picture file, and what the model took the image for."""

    path: Path
    label: str
    probability: float


def draw_rollouts(
    checkpoint: Path,
    images: Sequence[Path],
    out: Path,
    *,
    head_fusion: str = "mean",
    discard_ratio: float = 0.0,
    layers: Sequence[int] | None = None,
    query: Query = "head",
) -> Iterator[Drawn]:
    """Draw each image file beside the rollout over it, as `out`/NAME.rollout.png.

    Args:
        checkpoint: a run's folder, or a .safetensors file.
        head_fusion, discard_ratio, layers, query: as `rollout` takes them.
    Raises: DeitError where the checkpoint has no attention, a file is no image, or an option is out of bounds.
    """
    card, model = read_card(checkpoint), load_checkpoint(checkpoint)
    out.mkdir(parents=True, exist_ok=True)
    for path in images:
        fitted = fit_image(_read(path), img_size=card.spec.data.img_size, in_chans=card.in_chans)
        seen = look(model, card, fitted[None])
        found = rollout(
            seen.attention,
            num_prefix_tokens=seen.num_prefix_tokens,
            grid_size=seen.grid_size,
            query=query,
            head_fusion=head_fusion,
            discard_ratio=discard_ratio,
            layers=layers,
        )
        shown = np.ascontiguousarray(np.broadcast_to(fitted.transpose(1, 2, 0), (*fitted.shape[1:], 3)))
        plain = Image.fromarray(shown).resize((_SIDE, _SIDE), Image.Resampling.NEAREST)
        mapped = overlay(shown, found.map[0], size=(_SIDE, _SIDE))
        target = out / f"{path.stem}.rollout.png"
        Image.fromarray(np.hstack([np.asarray(plain), mapped])).save(target)
        probabilities = seen.probabilities()["mean"]
        yield Drawn(target, card.classes[int(probabilities.argmax())], float(probabilities.max()))


def _read(path: Path) -> Picture:
    try:
        return decode_image(path.read_bytes())
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path.") from None
