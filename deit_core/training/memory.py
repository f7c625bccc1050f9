"""When memory runs out: recognises the error, and finds a batch size that fits.

Knows a run's step and its batches; nothing of queues or checkpoints.
"""

import gc
import re
import traceback
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from deit_core.data import TrainBatches
from deit_core.errors import ResourceError
from deit_core.machine.limits import available_memory
from deit_core.machine.own_limit import limit_in_words
from deit_core.training.step import TrainStep

Result = TypeVar("Result")

_SMALLEST = 4  # images: a batch norm over a single cell cannot learn from one
_SAYS_SO = re.compile(
    r"out of memory|can't allocate memory|not enough memory|bad_alloc|ALLOC_FAILED"
    r"|could not create a (primitive|memory)"  # in oneDNN's words
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out: on a GPU, or on a CPU, where torch raises a plain RuntimeError."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and _SAYS_SO.search(str(error)) is not None


def release(error: BaseException) -> None:
    """Release the tensors of the failed step, which the error's traceback still holds."""
    traceback.clear_frames(error.__traceback__)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def with_smaller_batches(score: Callable[[int], Result], batch_size: int) -> Result:
    """The result of `score` for a batch size, which is halved until the memory is large enough.

    Raises: the error of `score` where memory is too small for one image.
    """
    while True:
        try:
            return score(batch_size)
        except (MemoryError, RuntimeError) as error:
            if batch_size == 1 or not is_out_of_memory(error):
                raise
            release(error)
            batch_size //= 2


def out_of_memory(num_images: int, num_parts: int, fitting: int | None) -> ResourceError:
    """The error for a step of `num_images` in so many parts, where at most `fitting` images fit at once."""
    at_once = -(-num_images // num_parts)
    problem = f"Out of memory: there was not enough for a step of {at_once} images{limit_in_words()}"
    if fitting is None:
        return ResourceError(
            f"{problem}, and not even {_SMALLEST} fit; start again with a smaller model or data.img_size, or resume "
            "where there is more memory."
        )
    if fitting == at_once:
        return ResourceError(
            f"{problem}, but now there is: something else had used the memory. Resume: the run continues from the last "
            "saved state."
        )
    return ResourceError(
        f"{problem}; {fitting} fit. Start again with compute.gradient_accumulation_steps {-(-num_images // fitting)}, "
        f"which computes a batch of {num_images} in parts of {fitting}, or resume where there is more memory: it "
        "continues from the last saved state."
    )


def fitting_batch_size(step: TrainStep, batches: TrainBatches) -> int | None:
    """The most images, a power of two up to those of a part, whose step can be made at once; None where not even 4 fit.

    Steps are really made, of twice as many images, since memory is in pieces later on; so the model is of no use
    afterwards. On a CPU, sizes are passed over whose activations alone are larger than what is free: there the system
    may grant memory that it does not have, and end the process once it is used.
    """
    step.optimizer.zero_grad(set_to_none=True)
    step.follow(replace(step.plan, compiled=False, recorded=False))  # compiling for each size would take minutes
    step.model.train()
    at_once, step.num_parts = -(-batches.batch_size // step.num_parts), 1

    def attempt(num_images: int) -> None:
        some = copy(batches)
        some.batch_size = min(num_images, batches.batch_size)
        batch = next(some.epoch(0))
        step(batch.pixels, batch.labels, 0, None, batch.mix)

    size = 1 << (at_once.bit_length() - 1)
    if batches.device.type == "cpu":
        needed = _bytes_per_image(attempt)
        while size * needed > available_memory():
            size //= 2
    while size >= _SMALLEST and not _fits(attempt, 2 * size):
        size //= 2
    return size if size >= _SMALLEST else None


def _fits(attempt: Callable[[int], None], size: int) -> bool:
    try:
        attempt(size)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        release(error)
        return False
    return True


def _bytes_per_image(attempt: Callable[[int], None]) -> int:
    """The bytes that a step keeps per image for its backward pass; 0 where so few images cannot be tried."""
    sizes: list[int] = []
    for num_images in (_SMALLEST, 2 * _SMALLEST):
        storages: dict[int, int] = {}

        def note(tensor: Tensor, by_address: dict[int, int] = storages) -> Tensor:
            storage = tensor.untyped_storage()
            by_address[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            if not _fits(attempt, num_images):
                return 0
        sizes.append(sum(storages.values()))
    return (sizes[1] - sizes[0]) // _SMALLEST
