"""Maps as HTML, for a notebook: each as a small picture with a line of text. Knows arrays; no models.

Shapes: B images, C channels, H x W pixels, gh x gw patches
"""

from base64 import b64encode
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from deit_core.attention.overlay import colourise, overlay, rgb, shared_vmax

_SIDE = 224  # pixels
_MOST = 8  # pictures
_HALF = 0.5


def maps_as_html(maps: Tensor, prefix_mass: Tensor, images: NDArray[np.uint8] | None) -> str:
    """The maps (B, gh, gw) of rollouts on one scale, over their images (B, C, H, W) where these are known.

    Args: prefix_mass: (B, P), as a `Rollout` has it.
    """
    shown = maps[:_MOST]
    vmax = shared_vmax(shown)
    figures = "".join(
        _figure(one, float(prefix_mass[index].sum()), None if images is None else images[index], vmax)
        for index, one in enumerate(shown)
    )
    more = f"<p>And {len(maps) - _MOST:,} more.</p>" if len(maps) > _MOST else ""
    return f'<div style="display: flex; flex-wrap: wrap; gap: 16px">{figures}</div>{more}'


def _figure(values: Tensor, prefix_share: float, image: NDArray[np.uint8] | None, vmax: float) -> str:
    size = _SIDE, _SIDE
    picture = (
        colourise(values, vmax=vmax, size=size) if image is None else overlay(rgb(image), values, vmax=vmax, size=size)
    )
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    line = _line(values, prefix_share)
    return (
        f'<figure style="margin: 0; max-width: {_SIDE}px"><img width="{_SIDE}" height="{_SIDE}" alt="{line}" '
        f'src="data:image/png;base64,{b64encode(file.getvalue()).decode()}"><figcaption>{line}</figcaption></figure>'
    )


def _line(values: Tensor, prefix_share: float) -> str:
    """How gathered the map is, and how much of the information is not in it."""
    falling = values.flatten().sort(descending=True).values.cumsum(0)
    total = float(falling[-1])
    if total <= 0:
        return "Nothing reaches a patch."
    num_half = int((falling < _HALF * total).sum()) + 1
    patches = f"{num_half} of {values.numel()} patches hold" if num_half > 1 else f"1 of {values.numel()} patches holds"
    return f"{patches} half of the map; {prefix_share:.0%} stays in tokens that are no patches."
