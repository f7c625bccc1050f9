"""Mixup and CutMix: two images and their labels in one. Knows a batch; no model, no loss.

How each batch is mixed is drawn from a counter, (seed, epoch). As in the DeiT recipe and timm's default, a whole batch
is mixed in the same way: the first image with the last, the second with the last but one, and so on.

    B batch, C channels, S img_size, K classes

Sources: Zhang et al. 2018 (arXiv:1710.09412), Yun et al. 2019 (arXiv:1905.04899).
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from deit_core.randomness import Purpose, counter_seed
from deit_core.spec import AugmentSpec


@dataclass(frozen=True)
class MixDraw:
    """How one batch is mixed: the `share` of each image that stays, and for CutMix the box that is replaced.

    box: (top, bottom, left, right) in pixels, the second and fourth exclusive; None for mixup.
    """

    share: float
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Mix:
    """What mixing did to the labels of a batch: `others` (B,) are those mixed in, `share` is that of an image's own, a
    scalar on the device where a recorded step reads it.
    """

    others: Tensor
    share: float | Tensor

    def targets(self, labels: Tensor, num_classes: int) -> Tensor:
        """Both labels by their shares: (B,) -> (B, K), rows that sum to 1. A label of -1, not known, counts as 0."""
        own, other = (F.one_hot(given.clamp(min=0), num_classes).float() for given in (labels, self.others))
        return own * self.share + other * (1 - self.share)

    def stronger(self, labels: Tensor) -> Tensor:
        """The label (B,) of the image that the larger share comes from; of two halves, the own one."""
        if isinstance(self.share, Tensor):
            return torch.where(self.share >= 0.5, labels, self.others)
        return labels if self.share >= 0.5 else self.others


def draw_mixes(num_steps: int, img_size: int, spec: AugmentSpec, seed: int, epoch: int) -> list[MixDraw | None]:
    """One draw for each step of an epoch; None where a batch stays as it is."""
    if not spec.mixes:
        return [None] * num_steps
    generator = np.random.default_rng(counter_seed(seed, epoch, Purpose.MIXING))
    is_mixed = generator.random(num_steps) < spec.mixup_prob
    cutmix_share = spec.mixup_switch_prob if spec.mixup_alpha and spec.cutmix_alpha else float(spec.cutmix_alpha > 0)
    is_cut = generator.random(num_steps) < cutmix_share
    mixup, cutmix = (generator.beta(a, a, num_steps) if a else None for a in (spec.mixup_alpha, spec.cutmix_alpha))
    centres = generator.integers(0, img_size, (num_steps, 2))
    draws: list[MixDraw | None] = []
    for step in range(num_steps):
        drawn = cutmix if is_cut[step] else mixup
        if drawn is None or not is_mixed[step]:
            draws.append(None)
        elif is_cut[step]:
            draws.append(_cut(float(drawn[step]), (int(centres[step, 0]), int(centres[step, 1])), img_size))
        else:
            draws.append(MixDraw(float(drawn[step])))
    return draws


def mix(pixels: Tensor, labels: Tensor, draw: MixDraw) -> tuple[Tensor, Mix]:
    """Mix a batch with itself in reverse: pixels (B, C, S, S) and labels (B,)."""
    if draw.box is None:
        mixed = pixels * draw.share + pixels.flip(0) * (1 - draw.share)
    else:
        top, bottom, left, right = draw.box
        mixed = pixels.clone()
        mixed[:, :, top:bottom, left:right] = pixels.flip(0)[:, :, top:bottom, left:right]
    return mixed, Mix(labels.flip(0), draw.share)


def mix_by_tensors(pixels: Tensor, labels: Tensor, share: Tensor, box: Tensor) -> tuple[Tensor, Mix]:
    """As `mix`, for a draw in tensors: the share () and the box (4,), which is empty for Mixup."""
    other = pixels.flip(0)
    span = torch.arange(pixels.shape[-1], device=pixels.device)
    top, bottom, left, right = box.unbind()
    is_inside = ((span >= top) & (span < bottom))[:, None] & ((span >= left) & (span < right))
    outside = share.masked_fill(bottom > top, 1.0)  # of CutMix the share is one of labels alone
    mixed = torch.where(is_inside, other, pixels * outside + other * (1 - outside))
    return mixed, Mix(labels.flip(0), share)


def _cut(share: float, centre: tuple[int, int], img_size: int) -> MixDraw:
    """A square of about 1 - share of the image, cut off at its edges; the share is then that of what is left."""
    side = int(img_size * (1 - share) ** 0.5)
    top, left = (max(0, middle - side // 2) for middle in centre)
    bottom, right = (min(img_size, middle + (side + 1) // 2) for middle in centre)
    return MixDraw(1 - (bottom - top) * (right - left) / img_size**2, (top, bottom, left, right))
