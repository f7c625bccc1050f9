"""Two models on the same images: who is right where, whether chance explains the difference, and how many images would
tell.

Knows which images each model is right on; nothing of models or files.

    N images
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_POWER, _LEVEL = 0.8, 0.05
_LEAST_DISCORDANT = 6  # images that only one is right on: with fewer McNemar's test never tells
_NUM_DRAWS = 10_000


@dataclass(frozen=True)
class Paired:
    """The number of images that both models are right on, only one of them, or neither."""

    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def num_images(self) -> int:
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def accuracies(self) -> tuple[float, float]:
        return (self.both + self.only_first) / self.num_images, (self.both + self.only_second) / self.num_images

    @property
    def difference(self) -> float:
        """The accuracy of the second less that of the first."""
        return (self.only_second - self.only_first) / self.num_images

    @property
    def p_value(self) -> float:
        """McNemar's exact test, on images that only one is right on: how often chance alone splits them as unevenly.

        Source: McNemar 1947, "Note on the sampling error of the difference between correlated proportions".
        """
        from scipy.special import bdtr  # here, since no page needs it to paint

        few, many = sorted((self.only_first, self.only_second))
        return 1.0 if few == many else min(1.0, 2 * float(bdtr(few, few + many, 0.5)))

    @property
    def can_tell(self) -> bool:
        """Whether chance alone gives such a difference less than once in twenty times."""
        return self.p_value < _LEVEL

    def interval(self, seed: int = 0) -> tuple[float, float]:
        """The 95% bootstrap interval of the difference, over the choice of images, of 10,000 draws.

        To draw N images and count is to draw the counts: of a difference of +1, -1 and 0 with their shares.
        """
        counts = np.array([self.only_second, self.only_first, self.both + self.neither])
        draws = np.random.default_rng(seed).multinomial(self.num_images, counts / counts.sum(), size=_NUM_DRAWS)
        low, high = np.percentile((draws[:, 0] - draws[:, 1]) / self.num_images, (2.5, 97.5))
        return float(low), float(high)

    @property
    def images_needed(self) -> int | None:
        """The number of images that would tell the two apart with 80% power at the level of 5%, if the shares of images
        that only one is right on stay; None where these shares are equal, since no number would.

        Source: Connor 1987, "Sample size for testing differences in proportions for the paired-sample design".
        """
        if self.only_first == self.only_second:
            return None
        discordant = (self.only_first + self.only_second) / self.num_images
        level, power = NormalDist().inv_cdf(1 - _LEVEL / 2), NormalDist().inv_cdf(_POWER)
        root = level * math.sqrt(discordant) + power * math.sqrt(discordant - self.difference**2)
        return math.ceil(max((root / self.difference) ** 2, _LEAST_DISCORDANT / discordant))


def paired(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Paired:
    """Args: first, second: (N,), whether each model is right, on the same images in the same order."""
    return Paired(
        both=int((first & second).sum()),
        only_first=int((first & ~second).sum()),
        only_second=int((~first & second).sum()),
        neither=int((~first & ~second).sum()),
    )
