"""Is a map faithful? Take patches away in its order and watch the model's score; compare with orders that know nothing.

Knows models, images and maps over patches; nothing of how a map was made.

Shapes: B batch, C channels, P = gh * gw patches, F fractions, O orders, R rows of a forward pass, K patches kept.
"""

from dataclasses import dataclass

import torch
from einops import repeat
from torch import Tensor, nn

from deit_core.attention.methods.explain import target_class
from deit_core.attention.methods.orders import centre_prior, random_orders, relevance_order
from deit_core.catalog import REPLACEMENTS
from deit_core.errors import DeitError
from deit_core.models import VisionTransformer
from deit_core.models.vit import mean_of_heads

_STEPS = 10
_MAX_ROWS = 256  # of one forward pass, and
_MAX_VALUES = 2**22  # in its images, 16 MiB
_TIE = 1e-6  # areas closer than this differ by rounding alone


@dataclass(frozen=True, eq=False)
class Curves:
    """The target's probability while patches go in one order and in its reverse, at equally spaced fractions 0 ... 1.

    morf: (B, F) most relevant first; a faithful map makes it fall early.
    lerf: (B, F) least relevant first; a faithful map keeps it up.
    """

    morf: Tensor
    lerf: Tensor

    @property
    def area(self) -> Tensor:
        """(B,) the area between the two, lerf - morf, by trapezoids: 0 expected by chance, higher is better, <= 1."""
        return torch.trapezoid(self.lerf - self.morf, dx=1 / (self.morf.shape[-1] - 1))


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """A map's curves, and those of orders that know nothing of the model.

    fractions: (F,) of the patches that are gone: 0, 0.1, ... 1, each rounded to whole patches.
    given: by the map.
    centre: by nearness to the centre of the image, the prior that a map must beat to say anything.
    random: by chance, the same orders for every image.
    percentile: (B,) in [0, 100], the share of random orders whose area is smaller than the map's; a tie counts half.
    """

    fractions: Tensor
    given: Curves
    centre: Curves
    random: list[Curves]
    percentile: Tensor


@torch.no_grad()
def faithfulness(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    *,
    target: Tensor | None = None,
    replacement: str = "drop",
    num_random: int = 5,
    seed: int = 0,
) -> Faithfulness:
    """Measure whether a map names the patches that the model's score rests on.

    Args:
        model: a classifier in eval mode, images in and logits (B, classes) out; never modified.
        images: (B, C, height, width) float, normalised as in training, on the model's device.
        maps: (B, gh, gw), finite, any sign and scale: only the order of its values counts. Equal values are ordered by
            a seeded shuffle, so a constant map is one more random order.
        target: (B,) the classes whose probability is watched; None takes what the model predicts for the whole image.
        replacement: what becomes of a patch that goes. "drop" deletes its token after the position embedding, so that
            it is truly absent; for a VisionTransformer, with its own grid. "blur" shows a Gaussian blur of the image
            there, as wide as a patch and at least a sixteenth of the image; "mean" the data set's mean, 0 in normalised
            images. Both need only a grid that divides the image, and show the model pictures unlike its training.
        num_random: random orders, at least 1; the percentile moves in steps of 100 / num_random.
        seed: of the random orders and of the shuffle. The global generators are left alone.
    Returns: a `Faithfulness`. Every curve starts at the whole image's score and ends at that of no patch at all.
    Raises: ValueError for a model in train mode, for "drop" without tokens, or if an argument lies outside what is
        listed here.
    Source: Samek et al. 2015 (arXiv:1509.06321), most and least relevant first, over patches in place of pixels; curves
        of the probability as in RISE (arXiv:1806.07421). Random orders are measured too because such measures can
        fail to tell a map from chance (SaCo, arXiv:2404.01415).
    """
    _check(model, images, maps, replacement, num_random)
    rows, columns = maps.shape[1:]
    num_patches = rows * columns
    shuffle, *chance = random_orders(num_random + 1, num_patches, seed).to(images.device)
    centre = centre_prior((rows, columns)).to(images.device).expand_as(maps)
    informed = [relevance_order(values, shuffle) for values in (maps.to(images.device), centre)]
    orders = torch.stack([*informed, *(order.expand(len(maps), -1) for order in chance)])  # O B P

    chunk = max(1, min(_MAX_ROWS, _MAX_VALUES // images[0].numel()))
    logits = torch.cat([model(some) for some in images.split(chunk)])
    target = target_class(logits, target)
    probe = _Probe(model, images, target, _fill(images, (rows, columns), replacement), (rows, columns), chunk)
    # Both ends are measured once: no order can matter there, not even by rounding.
    scores = {0: _probability(logits, target), num_patches: probe.scores(orders[0, :, :0])}
    gone = [(step * num_patches + _STEPS // 2) // _STEPS for step in range(_STEPS + 1)]
    for count in {*gone} - scores.keys():
        scores[count] = probe.scores(torch.stack([orders[..., count:], orders[..., : num_patches - count]]))
    morf, lerf = torch.stack([scores[count].expand(2, *orders.shape[:2]) for count in gone], dim=-1)  # O B F each

    given, middle, *random = (Curves(*pair) for pair in zip(morf, lerf, strict=True))
    return Faithfulness(
        fractions=torch.linspace(0, 1, _STEPS + 1),
        given=given,
        centre=middle,
        random=random,
        percentile=_percentile(given.area, torch.stack([curves.area for curves in random])),
    )


@dataclass(frozen=True, eq=False)
class _Probe:
    """Asks a model about images of which only some patches are there; with `fill` None the others' tokens are gone."""

    model: nn.Module
    images: Tensor
    target: Tensor
    fill: Tensor | None
    grid_size: tuple[int, int]
    chunk: int

    def scores(self, keep: Tensor) -> Tensor:
        """(..., B, K) indices of the patches that are there -> (..., B) probability of the target."""
        shape, batch = keep.shape[:-1], keep.shape[-2]
        keep = keep.reshape(shape.numel(), keep.shape[-1])
        index = torch.arange(batch, device=keep.device).repeat(len(keep) // batch)  # the image of each row
        rows = zip(keep.split(self.chunk), index.split(self.chunk), strict=True)
        scores = [_probability(self._logits(some, of), self.target[of]) for some, of in rows]
        return torch.cat(scores).view(shape)

    def _logits(self, keep: Tensor, index: Tensor) -> Tensor:
        """(R, K) patches of the images (R,) -> (R, classes)."""
        images = self.images[index]
        if self.fill is None:
            assert isinstance(self.model, VisionTransformer)
            tokens, _ = self.model.forward_features(images, keep=keep)
            return mean_of_heads(self.model.forward_heads(tokens))
        (height, width), (rows, columns) = images.shape[-2:], self.grid_size
        there = torch.zeros(len(keep), rows * columns, dtype=torch.bool, device=keep.device).scatter(1, keep, True)
        pixels = repeat(there, "R (gh gw) -> R 1 (gh ph) (gw pw)", gh=rows, ph=height // rows, pw=width // columns)
        logits: Tensor = self.model(torch.where(pixels, images, self.fill[index]))
        return logits


def _probability(logits: Tensor, target: Tensor) -> Tensor:
    return logits.softmax(-1).gather(-1, target.unsqueeze(-1)).squeeze(-1)


def _percentile(area: Tensor, areas: Tensor) -> Tensor:
    """Where areas (B,) rank among those of random orders (O, B), in percent."""
    lead = area - areas
    wins = torch.where(lead.abs() <= _TIE, 0.5, (lead > 0).to(area.dtype))
    return 100 * wins.mean(0)


def _fill(images: Tensor, grid_size: tuple[int, int], replacement: str) -> Tensor | None:
    """What shows where a patch is gone, as whole images; None for "drop", which shows nothing."""
    match replacement:
        case "blur":
            return _blur(images, grid_size)
        case "mean":
            return torch.zeros_like(images)
        case _:
            return None


def _blur(images: Tensor, grid_size: tuple[int, int]) -> Tensor:
    from deit_core.torchvision_ops import torchvision  # a second of import that the other replacements do not need

    sides = images.shape[-2:]
    deviations = [max(side / patches, side / 16) for side, patches in zip(sides, grid_size, strict=True)]
    # The picture is mirrored at its edge, which reaches no further than the picture itself.
    reaches = [min(round(2 * deviation), side - 1) for side, deviation in zip(sides, deviations, strict=True)]
    blurred: Tensor = torchvision.transforms.functional.gaussian_blur(
        images, [2 * reach + 1 for reach in reversed(reaches)], deviations[::-1]
    )  # torchvision takes width first
    return blurred


def _check(model: nn.Module, images: Tensor, maps: Tensor, replacement: str, num_random: int) -> None:
    if model.training:
        raise DeitError("The model is in train mode, where dropout changes every score; call model.eval() first.")
    if replacement not in REPLACEMENTS:
        raise DeitError(f"There is no replacement {replacement!r}; choose {', '.join(REPLACEMENTS)}.")
    if num_random < 1:
        raise DeitError(f"num_random must be at least 1, not {num_random}; a map is ranked among random orders.")
    if images.ndim != 4 or maps.ndim != 3 or len(images) != len(maps) or 0 in images.shape + maps.shape:
        raise DeitError(
            f"Images (B, C, height, width) and their maps (B, gh, gw) belong together, but these are "
            f"{tuple(images.shape)} and {tuple(maps.shape)}; pass one map per image."
        )
    if not maps.isfinite().all():
        raise DeitError("The maps hold NaN or infinite values; their patches cannot be put in order.")
    (height, width), (rows, columns) = images.shape[-2:], maps.shape[1:]
    if replacement == "drop":
        if not isinstance(model, VisionTransformer):
            raise DeitError(f"A {type(model).__name__} has no tokens to drop; choose replacement blur or mean.")
        if (rows, columns) != model.grid_size or (height, width) != model.img_size:
            raise DeitError(
                f"The model reads images of {model.img_size} px as a grid of {model.grid_size} patches, not "
                f"{(height, width)} px and {(rows, columns)}; pool the maps to its grid, or choose blur or mean."
            )
    elif height % rows or width % columns:
        raise DeitError(
            f"A grid of {rows} x {columns} does not divide an image of {height} x {width} px; pool the maps to one "
            "that does."
        )
