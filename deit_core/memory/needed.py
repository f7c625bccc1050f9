"""The memory of a run, from its spec and the facts on its data: an estimate that is rather too high than too low.

Knows arithmetic and what a training keeps; nothing of this machine. How near it comes is in docs/performance.md.
"""

from dataclasses import dataclass
from typing import NamedTuple

from deit_core.catalog import SourceFacts
from deit_core.memory.networks import NetworkSize, network_size
from deit_core.spec import RunSpec

FOLDER_SHARE = 0.25  # of the memory, that the images of a folder may take; training holds a padded copy of them too

_NUMBER_BYTES = 4
_PROCESS_BYTES = 400_000_000  # Python, torch, torchvision and numpy, before any data
_POOL = 2.2  # memory of a step by the memory of its tensors: freed pieces of other sizes stay in malloc's pools
_NUM_PIXEL_COPIES = 6  # of a batch: bytes, views, floats, normalised
_NUM_SOURCE_COPIES = 3  # of a named data set while it is read: the file, its array, the bytes that are hashed
_NUM_AHEAD = 1024  # images of a streamed folder: those of this batch and of the next
_EVAL_IMAGES, _TEACHER_IMAGES = 128, 32  # at once (data/batches.py, training/teacher_logits.py)
_STATES = {"adamw": 2, "sgd": 1, "muon": 1}  # numbers per weight
_ORDER_BYTES = 64  # per training image: the order and the views of an epoch


@dataclass(frozen=True)
class Needed:
    """Bytes of memory by what they are for. On a GPU only those of the machine's own memory.

    process: Python and its libraries.
    loading: while the images are read, before there is a model.
    images: all images, and the padded copy of the training images; few where a folder is read in every epoch.
    weights: with gradients, the optimiser, EMA weights, and the copy that is tried first or saved.
    step: what a step keeps for its backward pass, or an evaluation computes. malloc's pools keep it while a file is
        written.
    teacher: its weights, and what it computes.
    logits: the table of teacher logits, which is a file: the system drops it from memory when it needs the space, so
        it is not a part of `total`.
    """

    process: int
    loading: int
    images: int
    weights: int
    step: int
    teacher: int
    logits: int

    @property
    def total(self) -> int:
        """The largest number of bytes at one time."""
        return self.process + max(self.loading, self.training)

    @property
    def training(self) -> int:
        """From when the images are read on, without the process itself."""
        return self.images + self.weights + self.step + self.teacher


def memory_needed(
    run: RunSpec,
    facts: SourceFacts,
    *,
    teacher: RunSpec | None = None,
    images_bytes: float | None = None,
    on_gpu: bool = False,
) -> Needed:
    """The memory that a run needs.

    Args:
        facts: of its data.
        teacher: the spec of its teacher's run, if it has one that is known.
        images_bytes: a folder whose images need more is read in every epoch; None: it is always held.
        on_gpu: whether a GPU holds what a step needs.
    """
    shape = facts.in_chans, len(facts.classes)
    size = network_size(run, *shape)
    loading, images = _images(run, facts, images_bytes)
    weights = _weights(run, size)
    taught_by = None if teacher is None else network_size(teacher, *shape)
    teacher_bytes = 0 if taught_by is None else _NUMBER_BYTES * taught_by.num_params
    if on_gpu:
        own = _NUMBER_BYTES * size.num_params + weights.saved
        return Needed(_PROCESS_BYTES, loading, images, own, 0, teacher_bytes, _logits(run, facts))
    step, evaluation = _step(run, facts, size), _NUMBER_BYTES * _EVAL_IMAGES * size.passed
    if taught_by is not None:
        teacher_bytes += _NUMBER_BYTES * _TEACHER_IMAGES * taught_by.passed
    computing = max(step, evaluation)
    own = max(weights.tried, weights.lasting + weights.saved)
    return Needed(_PROCESS_BYTES, loading, images, own, computing, teacher_bytes, _logits(run, facts))


def _images(run: RunSpec, facts: SourceFacts, images_bytes: float | None) -> tuple[int, int]:
    """Bytes while they are read, and afterwards."""
    data, in_chans = run.data, facts.in_chans
    num_train = facts.num_train * data.fraction
    if run.data.source == "folder":
        held = (num_train + facts.num_test) * in_chans * data.img_size**2
        if images_bytes is not None and held > images_bytes:
            order = num_train * run.augment.repeated_aug * _ORDER_BYTES
            streamed = round(_NUM_AHEAD * in_chans * data.img_size**2 + order)
            return streamed, streamed
    held = (num_train + facts.num_test) * in_chans * data.img_size**2
    side = data.img_size + 2 * run.augment.crop_padding
    padded = run.num_images(facts.num_train)[0] * (in_chans * side**2 + run.augment.repeated_aug * _ORDER_BYTES)
    whole = (facts.num_train + facts.num_test) * in_chans * (facts.native_size or 0) ** 2
    return round(_NUM_SOURCE_COPIES * whole + held), round(held + padded)


class _Weights(NamedTuple):
    """Bytes of weights, gradients, optimiser and EMA weights; of these with a copy of the model that tries a plan; and
    of the content of the largest file that is written.
    """

    lasting: int
    tried: int
    saved: int


def _weights(run: RunSpec, size: NetworkSize) -> _Weights:
    model, states = size.num_params, _STATES[run.optim.optimizer] * size.num_trained
    average = 0 if run.optim.ema == "off" else model
    lasting = model + size.num_trained + states + average
    saved = max(2 * model, model + states + average)  # a file of weights exists twice before it is written
    return _Weights(*(_NUMBER_BYTES * count for count in (lasting, model + average + lasting, saved)))


def _step(run: RunSpec, facts: SourceFacts, size: NetworkSize) -> int:
    batch_size = run.optim.batch_size
    num_images = min(batch_size, round(facts.num_train * run.data.fraction)) or batch_size  # none are known of
    pixels = _NUM_PIXEL_COPIES * facts.in_chans * run.data.img_size**2
    at_once = -(-num_images // run.compute.gradient_accumulation_steps)
    return round(_POOL * _NUMBER_BYTES * (at_once * size.kept + num_images * pixels))


def _logits(run: RunSpec, facts: SourceFacts) -> int:
    taught, views = run.distillation, run.num_views
    if taught is None or taught.stored_logits == "off" or (views is None and taught.stored_views != "all"):
        return 0
    num_train, _ = run.num_images(facts.num_train)
    num_rows = round(num_train) * (run.optim.epochs if views is None else views)
    return num_rows * (len(facts.classes) * (2 if taught.stored_logits == "float16" else 4) + 4)
