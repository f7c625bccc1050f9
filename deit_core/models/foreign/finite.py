"""Whether all weights are finite numbers."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from deit_core.errors import CheckpointError


def check_finite(tensors: Mapping[str, Tensor], file: Path | str) -> None:
    """Raises: CheckpointError with the name of a tensor that holds an infinite number or none."""
    for name, tensor in tensors.items():
        numbers = tensor.float() if tensor.element_size() == 1 else tensor  # torch does not look into float8
        if not bool(numbers.isfinite().all()):
            raise CheckpointError(
                f"{file} contains numbers that are not finite, in the tensor {name}: its training failed, or the file "
                "is damaged. Choose another checkpoint."
            )
