"""Colour a patch map and lay it over the picture that it explains.

Values are shown in units of "x uniform": the map times its number of patches, so that 1 means no preference and
pictures of different layers, models and resolutions share one scale. The scale always starts at 0 and ends at `vmax`;
in a signed colour map it runs from -vmax to vmax and 0 is the middle colour. Nothing is stretched to fit. Knows nothing
of attention: any map over patches will do, and the picture must be the crop that the model saw.

Shapes: gh x gw patches, H x W pixels.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from deit_core.catalog import COLOUR_MAPS, SIGNED_MAPS
from deit_core.errors import DeitError

Array = Tensor | npt.NDArray[Any]
Picture = npt.NDArray[np.uint8]

# NEAREST_EXACT puts the edges between patches where they belong when sizes do not divide; plain NEAREST does not.
_RESIZES = {"nearest": cv2.INTER_NEAREST_EXACT, "bilinear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}

# Blue, light grey, red: Moreland 2009, "Diverging color maps for scientific visualization". In RGB.
_COOLWARM = ((59, 76, 192), (221, 221, 221), (180, 4, 38))
_MIDDLE = 128  # the entry of a signed table that 0 takes

INTERPOLATIONS = tuple(_RESIZES)


def overlay(
    image: Array,
    map: Array,
    *,
    vmax: float | None = None,
    alpha: float = 0.5,
    fade: bool = False,
    cmap: str = "inferno",
    interpolation: str = "nearest",
    size: tuple[int, int] | None = None,
) -> Picture:
    """Blend a coloured map over an image: alpha * colour + (1 - alpha) * image, with no stretch of brightness after.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8, grey or RGB.
        map: (gh, gw), finite; one image's `Rollout.map`, as it is, or with a signed colour map a difference of two.
        vmax: end of the colour scale in "x uniform". Pass one value, from `shared_vmax`, to all pictures that are
            compared; None takes this map's own.
        alpha: opacity of the colours in [0, 1].
        fade: let the opacity grow from 0 to `alpha` with the value's magnitude, so that the picture shows where the map
            is low.
        cmap: "inferno", "cividis", "viridis" or "grey", which grow lighter with the value and show 0 for a negative
            one; or the signed "coolwarm", blue below 0 and red above, darker with the magnitude.
        interpolation: "nearest" shows the patches as they are; "bilinear" or "cubic" smooth between their centres.
        size: (height, width) of the result; None keeps that of the image.
    Returns: (H, W, 3) uint8 RGB.
    Raises: ValueError if image or map have another layout, or an option does not exist.
    """
    if not 0 <= alpha <= 1:
        raise DeitError(f"alpha must lie in [0, 1], not {alpha}; an opacity of 0 shows the image only, 1 the map only.")
    picture: npt.NDArray[Any] = _as_rgb(image)
    height, width = size or picture.shape[:2]
    if size:
        _check_size(size)
        # Nearest again: a small picture is enlarged as the pixels that the model saw.
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    levels = _levels(map, (height, width), vmax, interpolation, cmap)
    colours = colour_table(cmap)[levels]
    zero = _MIDDLE if cmap in SIGNED_MAPS else 0
    strength = abs(levels[..., None] - np.float32(zero)) / np.float32(255 - zero) if fade else 1
    opacity = np.float32(alpha) * strength
    blended = opacity * colours + (1 - opacity) * picture
    return np.rint(blended).astype(np.uint8)


def rgb(pixels: Picture) -> Picture:
    """What a model saw, (C, H, W) grey or not, as a picture (H, W, 3)."""
    return np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0))


def colourise(
    map: Array,
    *,
    vmax: float | None = None,
    cmap: str = "inferno",
    interpolation: str = "nearest",
    size: tuple[int, int] | None = None,
) -> Picture:
    """Colour a map by itself.

    Args:
        size: (height, width) of the result; None gives one pixel per patch.
        Everything else is as in `overlay`.
    Returns: (height, width, 3) uint8 RGB.
    Raises: ValueError, as `overlay`.
    """
    if size:
        _check_size(size)
    return colour_table(cmap)[_levels(map, size, vmax, interpolation, cmap)]


def shared_vmax(maps: Iterable[Array], percentile: float = 99.0) -> float:
    """Find one end of the colour scale for all panels that are compared.

    Args:
        maps: the panels, each (gh, gw), of any sizes; a batch (B, gh, gw) is an iterable of panels.
        percentile: in [0, 100] over the magnitudes in all panels; what lies above is shown in the last colour.
    Returns: the value in "x uniform", > 0: where the percentile is 0 the maximum stands in, and 1 for empty maps.
    Raises: ValueError without panels, for a panel of another layout, or a percentile outside [0, 100].
    """
    values = [abs(times_uniform(map)).ravel() for map in maps]
    if not values:
        raise DeitError("There is no panel to scale; pass at least one map.")
    if not 0 <= percentile <= 100:
        raise DeitError(f"percentile must lie in [0, 100], not {percentile}.")
    pooled = np.concatenate(values)
    for candidate in (float(np.percentile(pooled, percentile)), float(pooled.max())):
        if candidate > 0:
            return candidate
    return 1.0


def times_uniform(map: Array) -> npt.NDArray[np.float32]:
    """Express a map in "x uniform": its value times the number of patches; 1 is what an even spread would give.

    Args:
        map: (gh, gw), torch or numpy, any device, finite.
    Returns: (gh, gw) float32.
    Raises: ValueError for another layout, or a value that is not finite.
    """
    if isinstance(map, Tensor):
        map = map.detach().float().cpu().numpy()
    values = np.asarray(map, dtype=np.float32)
    if values.ndim != 2 or values.size == 0:
        raise DeitError(f"A map must be (gh, gw), not {values.shape}; of a batch pass one image's, such as map[0].")
    if not np.isfinite(values).all():
        raise DeitError("The map holds NaN or infinite values; it cannot be shown.")
    return values * np.float32(values.size)


@lru_cache
def colour_table(cmap: str) -> Picture:
    """Give a colour map as (256, 3) uint8 RGB, from low to high; read-only.

    In a signed one 0 is entry 128, -vmax entry 1 and vmax entry 255, so that both sides have as many colours; entry 0
    repeats entry 1.
    Raises: ValueError for an unknown name.
    """
    known = (*COLOUR_MAPS, *SIGNED_MAPS)
    if cmap not in known:
        raise DeitError(f"There is no colour map {cmap!r}; choose {', '.join(known)}.")
    ramp = np.arange(256, dtype=np.uint8)
    if cmap == "grey":
        table = np.stack([ramp] * 3, axis=-1)
    elif cmap in SIGNED_MAPS:
        table = _diverging(_COOLWARM)
    else:  # OpenCV answers in BGR, as one row of pixels
        table = (
            cv2.applyColorMap(ramp[None], getattr(cv2, f"COLORMAP_{cmap.upper()}"))[0, :, ::-1].copy().astype(np.uint8)
        )
    table.setflags(write=False)
    return table


def _diverging(anchors: tuple[tuple[int, int, int], ...]) -> Picture:
    """(256, 3) RGB through three anchors at entries 1, 128 and 255, straight lines in CIELAB."""
    corners = np.array([anchors], dtype=np.float32) / 255
    lab = cv2.cvtColor(corners, cv2.COLOR_RGB2Lab)[0]  # float: 8-bit Lab would show steps
    ramp, positions = np.arange(256), (1, _MIDDLE, 255)
    line = np.stack([np.interp(ramp, positions, channel) for channel in lab.T], axis=-1).astype(np.float32)
    rgb = cv2.cvtColor(line[None], cv2.COLOR_Lab2RGB)[0]
    table: Picture = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
    return table


def _levels(
    map: Array, size: tuple[int, int] | None, vmax: float | None, interpolation: str, cmap: str
) -> npt.NDArray[np.uint8]:
    """The map at the wanted size, as indices into a colour table."""
    if interpolation not in INTERPOLATIONS:
        raise DeitError(f"There is no interpolation {interpolation!r}; choose {', '.join(INTERPOLATIONS)}.")
    if vmax is None:
        vmax = shared_vmax([map])
    elif not 0 < vmax < np.inf:
        raise DeitError(f"vmax must be a finite number above 0, not {vmax}; shared_vmax finds one for several maps.")
    values = times_uniform(map) / np.float32(vmax)
    if size:
        resized = cv2.resize(values, (size[1], size[0]), interpolation=_RESIZES[interpolation])
        values = np.asarray(resized, dtype=np.float32)
    # Clipped before the conversion: cubic overshoots, and uint8 would wrap round.
    signed = cmap in SIGNED_MAPS
    steps = np.clip(values, -1, 1) * (255 - _MIDDLE) + _MIDDLE if signed else np.clip(values, 0, 1) * 255
    levels: npt.NDArray[np.uint8] = np.rint(steps).astype(np.uint8)
    return levels


def _as_rgb(image: Array) -> Picture:
    pixels = image.detach().cpu().numpy() if isinstance(image, Tensor) else np.asarray(image)
    if pixels.dtype != np.uint8:
        raise DeitError(
            f"An image must be uint8 with values 0 to 255, not {pixels.dtype}; undo the normalisation first."
        )
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[-1] not in (1, 3) or pixels.size == 0:
        raise DeitError(f"An image must be (H, W), (H, W, 1) or (H, W, 3), not {pixels.shape}; channels come last.")
    rgb: Picture = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    return rgb


def _check_size(size: tuple[int, int]) -> None:
    if min(size) < 1:
        raise DeitError(f"size must be (height, width) in pixels, both at least 1, not {size}.")
