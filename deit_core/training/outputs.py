"""What a model answers for a batch, head by head, and how the answers of an evaluation are kept.

B batch, N images, K classes, D width of an embedding
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deit_core.models import VisionTransformer
from deit_core.run_files.prediction_file import KEPT_BYTES, Predictions, half


@runtime_checkable
class _Embedding(Protocol):
    """A CNN whose head reads an embedding."""

    def forward_embedding(self, x: Tensor) -> Tensor: ...

    def classify(self, embedding: Tensor) -> Tensor: ...


class Outputs(NamedTuple):
    """Of a model in eval mode. `heads` are logits (B, K): "class" and "distillation", or "mean" of a model with one
    head; `embeddings` (B, D) are what these heads read, "class" and "distillation", where there are any; `token_pairs`
    are class and distillation token (B, D) at the input and after each block, of a model with both.
    """

    heads: dict[str, Tensor]
    embeddings: dict[str, Tensor]
    token_pairs: Sequence[tuple[Tensor, Tensor]] = ()


class Reader(Protocol):
    """Reads the outputs of an evaluation, batch by batch."""

    def start(self) -> None:
        """A first batch follows; forget an evaluation that did not come to its end."""

    def read(self, outputs: Outputs, labels: Tensor) -> None:
        """Take a batch. Args: outputs: with the head "mean"."""


def outputs(model: nn.Module, inputs: Tensor) -> Outputs:
    """The outputs of a model for normalised images."""
    if isinstance(model, VisionTransformer):
        tokens, depth = model.forward_depth(inputs)
        heads = model.forward_heads(tokens)
        embeddings = model.forward_embeddings(tokens)
        if not model.distilled:
            return Outputs({"mean": heads["class"]}, embeddings)
        return Outputs(heads, embeddings, [(prefix[:, 0], prefix[:, 1]) for prefix in depth])
    if isinstance(model, _Embedding):
        embedding = model.forward_embedding(inputs)
        return Outputs({"mean": model.classify(embedding)}, {"class": embedding})
    return Outputs({"mean": model(inputs)}, {})


class Keeper:
    """Keeps the outputs of an evaluation: all of them, or logits alone where a file of all would be too large.

    Args:
        num_images: that the file is to hold, of this evaluation and others.
        most_bytes: of such a file.
    """

    def __init__(self, num_images: int, most_bytes: int = KEPT_BYTES) -> None:
        self._num_images, self._most_bytes = num_images, most_bytes
        self._parts: list[Predictions] = []
        self.logits_alone = False

    def start(self) -> None:
        """Forget an evaluation that did not come to its end."""
        self._parts.clear()

    def read(self, outputs: Outputs, labels: Tensor) -> None:
        """Add a batch. Args: outputs: with the head "mean"."""
        heads, embeddings, _ = outputs
        extras: dict[str, NDArray[Any]] = {
            f"logits_{head}": _array(heads[head]) for head in ("class", "distillation") if head in heads
        }
        extras |= {f"embedding_{head}": half(_array(embedding)) for head, embedding in embeddings.items()}
        part = Predictions(labels.cpu().numpy(), _array(heads["mean"]), **extras)
        per_image = sum(array.nbytes for array in part.arrays.values()) / len(part)
        self.logits_alone = per_image * self._num_images > self._most_bytes
        self._parts.append(part.without_extras() if self.logits_alone else part)

    @property
    def predictions(self) -> Predictions:
        """Of all batches since the start."""
        names = self._parts[0].arrays
        return Predictions(**{name: np.concatenate([part.arrays[name] for part in self._parts]) for name in names})


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().to("cpu", torch.float32).numpy()
    return array
