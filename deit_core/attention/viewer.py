"""A trained model, ready to be shown pictures: what it predicts, its attention, and what any method makes of them.

Every method is called in one way, with pixels as `fit_image` makes them. Knows checkpoints; no runs, no pages.

Shapes: B batch, C channels, S img_size, K classes, gh x gw patches
"""

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deit_core.attention.flow.query import Query
from deit_core.attention.flow.rollout import Rollout
from deit_core.attention.look import Look, look
from deit_core.attention.methods.explain import check_logits
from deit_core.attention.methods.faithfulness import Faithfulness, faithfulness
from deit_core.attention.methods.randomisation import Randomised, randomisation_check
from deit_core.attention.methods.table import Explain
from deit_core.attention.other_model import OtherModel, reading_of
from deit_core.errors import CheckpointError, DeitError
from deit_core.models import (
    Reading,
    VisionTransformer,
    is_foreign,
    load_checkpoint,
    load_foreign_reading,
    read_card,
)
from deit_core.models.adapted_classifier import AdaptedClassifier
from deit_core.models.cnn import Cnn

Pixels = NDArray[np.uint8]


class Viewer:
    """A model in eval mode, and its card: a run's, or of a model of others how it reads pixels and what it tells apart.

    Nothing here changes the model, so threads may share it.

    Every `images` is (B, C, S, S) uint8, as `fit_image` makes them.

    Args:
        model: of DeiT Lab with its card, or a ViT of timm, Hugging Face, torchvision or your own, whose attention is
            taken while it runs: `look` shows it, the other methods read DeiT Lab's own models alone.
        card: how it reads pixels; None takes what a model of these libraries says of itself.
        num_prefix_tokens, grid_size: of a model of others, where they cannot be seen.
    Raises: DeitError for a model that does not say how it reads pixels.
    """

    def __init__(
        self,
        model: nn.Module,
        card: Reading | None = None,
        *,
        num_prefix_tokens: int | None = None,
        grid_size: tuple[int, int] | None = None,
    ) -> None:
        is_own = isinstance(model, VisionTransformer | Cnn | AdaptedClassifier)
        self.model = model if is_own else OtherModel(model, num_prefix_tokens, grid_size)
        self.card = card or reading_of(model)

    @classmethod
    def load(cls, checkpoint: Path | str, *, img_size: int | None = None) -> "Viewer":
        """The model of a run's folder or checkpoint, of an export of ours, or of a file or folder of others.

        Args: img_size: side in pixels, of a ViT in a foreign file; another than the file's resamples the positions.
        Raises: CheckpointError where it is missing, damaged or of a kind that is not read.
        """
        if is_foreign(checkpoint):
            reading, model = load_foreign_reading(Path(checkpoint), img_size=img_size)
            return cls(model, reading)
        if img_size is not None:
            raise CheckpointError(f"{checkpoint} was made here, and reads images of one size; leave img_size out.")
        return cls(load_checkpoint(checkpoint), read_card(checkpoint))

    @property
    def num_bytes(self) -> int:
        """Of the model's parameters and buffers."""
        return sum(tensor.nbytes for tensor in chain(self.model.parameters(), self.model.buffers()))

    @property
    def is_transformer(self) -> bool:
        return isinstance(self.model, VisionTransformer | OtherModel)

    @property
    def predicts(self) -> bool:
        """Whether it has a head; a backbone has none."""
        return len(self.card.classes) > 0

    def look(self, images: Pixels) -> Look:
        """Raises: ValueError for a model without attention, or images of another size than the model reads."""
        return look(self.model, self.card, images)

    def rollout(self, images: Pixels, **options: Any) -> Rollout:
        """The rollout of each image, with the images: a notebook shows the maps over them.

        Args: options: as in `rollout`.
        Raises: ValueError, as `look` and `rollout`.
        """
        return self.look(images).rollout(**options).over(images)

    @torch.no_grad()
    def predict(self, images: Pixels) -> NDArray[np.float32]:
        """Probabilities (B, K) of the classes.

        Raises: ValueError for another number of channels, an output that is not finite, or a backbone.
        """
        logits: Tensor = self.model(self._normalised(images))
        check_logits(logits)
        probabilities: NDArray[np.float32] = logits.softmax(-1).numpy()
        return probabilities

    def explain(
        self, images: Pixels, method: Explain, *, query: Query = "head", target: int | None = None
    ) -> NDArray[np.float32]:
        """What a method of `METHODS` finds, (B, gh, gw).

        Args: target: a class's index; None is the class that the model predicts for each image.
        Raises: ValueError, as the method, and for a model of others.
        """
        if isinstance(self.model, OtherModel):
            raise DeitError(
                f"The methods read models of DeiT Lab, not {self.card.name!r}; take look(images).rollout(), or load "
                "its weights from a file (Viewer.load)."
            )
        maps = method(self.model, self._normalised(images), query=query, target=_target(target, len(images)))
        values: NDArray[np.float32] = maps.numpy()
        return values

    def faithfulness(
        self, images: Pixels, maps: NDArray[np.float32], *, target: int | None = None, **options: Any
    ) -> Faithfulness:
        """How the prediction fares when patches go in the order of `maps` (B, gh, gw); see `faithfulness`."""
        classes = _target(target, len(images))
        return faithfulness(self.model, self._normalised(images), torch.from_numpy(maps), target=classes, **options)

    def randomisation_check(self, images: Pixels, method: Explain, *, seed: int = 0) -> list[Randomised]:
        """What a method finds while the model is made random from the top; see `randomisation_check`."""
        return randomisation_check(self.model, self._normalised(images), method, seed=seed)

    def _normalised(self, images: Pixels) -> Tensor:
        return self.card.normalise(torch.from_numpy(images))


def _target(target: int | None, num_images: int) -> Tensor | None:
    return None if target is None else torch.full((num_images,), target)
