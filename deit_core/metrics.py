"""What is measured: every metric by its name, with its title, its unit, and whether higher or lower is better.

Plain data; knows nothing of runs, charts or tables. The name of a score says which images, which quantity, which head
where it is not the model's own answer, and which other way of scoring: `val_loss`, `test_accuracy_class_ema`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple

Unit = Literal["share", "nats", "images/s", "s", "count", "none"]
Better = Literal["higher", "lower", "neither"]

TRAIN_LOSS, TRAIN_ACCURACY, TRAIN_AGREEMENT = "train_loss", "train_accuracy", "train_agreement"
TEACHER_HIT_RATE, LR, IMAGES_PER_S = "teacher_hit_rate", "lr", "images_per_s"
VAL_LOSS, VAL_ACCURACY, BEST_VAL_ACCURACY = "val_loss", "val_accuracy", "best_val_accuracy"
VAL_AGREEMENT, VAL_ENTROPY, HEADS_AGREE, TOKEN_COSINE = (
    "val_agreement",
    "val_entropy",
    "val_heads_agree",
    "val_token_cosine",
)
MAX_BLOCKS = 48  # of a transformer, as a spec allows
TEST_LOSS, TEST_ACCURACY = "test_loss", "test_accuracy"
BEST_EPOCH, TRAIN_TIME_S, NUM_PARAMS = "best_epoch", "train_time_s", "num_params"
NUM_TRAIN, NUM_VAL, NUM_TEST = "num_train", "num_val", "num_test"

BEST_EPOCH_BY = (VAL_ACCURACY, VAL_LOSS)  # what decides which epoch is the best, the first before the second


def token_cosine(block: int) -> str:
    """The name of the cosine of class and distillation token after a block, counted from 1; 0 is the input."""
    return f"{TOKEN_COSINE}_{block}"


@dataclass(frozen=True)
class Metric:
    """A number that is measured of a run.

    Args:
        unit: a "share" is in [0, 1], and shown in percent.
        help: sentences that say what it is.
        short: the title where a table has little room; empty where that is the title itself.
    """

    name: str
    title: str
    unit: Unit
    better: Better
    help: str
    short: str = ""

    @property
    def heading(self) -> str:
        """The title of a narrow column."""
        return self.short or self.title

    def rank(self, value: float) -> float:
        """A number that is higher for a better value."""
        assert self.better != "neither", self.name
        return value if self.better == "higher" else -value


def is_better(first: Mapping[str, float], second: Mapping[str, float], by: Sequence[str]) -> bool:
    """Whether `first` is better than `second`: the first metric of `by` in which they differ decides."""
    return [METRICS[name].rank(first[name]) for name in by] > [METRICS[name].rank(second[name]) for name in by]


class _Head(NamedTuple):
    title: str
    subject: str  # of a sentence


class _Way(NamedTuple):
    """Another way of scoring."""

    title: str
    help: str


_HEADS = {
    "": _Head("", "the model"),
    "_class": _Head("class head", "the class head"),
    "_distillation": _Head("distillation head", "the distillation head"),
    "_mean_softmax": _Head("mean of probabilities", "the mean of both heads' probabilities"),
}
_TRAINED_FUSIONS = {
    "_concat_embeddings": _Head("one head on both embeddings", "one head that is fitted on both embeddings"),
    "_sum_embeddings": _Head(
        "one head on the sum of embeddings", "one head that is fitted on the sum of both embeddings"
    ),
}
_WAYS = {
    "": _Way("", ""),
    "_ema": _Way("EMA weights", " The weights are their exponential moving average."),
    "_flip": _Way("with the mirror image", " The logits are the mean of those of the image and of its mirror image."),
}


def _scores(
    split: str, title: str, images: str, help: str, heads: Mapping[str, _Head], ways: Sequence[str], short: str
) -> Iterator[Metric]:
    """Accuracy and loss of each head, in each way. Args: short: of the model's own accuracy."""
    for way, (head, (head_title, subject)) in product(ways, heads.items()):
        end, parts = head + way, [part for part in (head_title, _WAYS[way].title) if part]
        sentences = help + _WAYS[way].help
        yield Metric(
            f"{split}_accuracy{end}",
            ", ".join((f"{title} accuracy", *parts)),
            "share",
            "higher",
            f"Share of the {images} that {subject} classifies correctly.{sentences}",
            ", ".join(parts).capitalize() or short,
        )
        yield Metric(
            f"{split}_loss{end}",
            ", ".join((f"{title} loss", *parts)),
            "nats",
            "lower",
            f"Mean cross-entropy of {subject} on the {images}, without label smoothing.{sentences}",
        )


_OF_STEPS = (
    Metric(
        TRAIN_LOSS,
        "Training loss",
        "nats",
        "lower",
        "What the steps minimise, on augmented images. It includes label smoothing and, for a student, the teacher's "
        "term.",
    ),
    Metric(
        "train_loss_class",
        "Training loss, true labels",
        "nats",
        "lower",
        "The term of a student's loss against the true labels, before alpha weighs it.",
    ),
    Metric(
        "train_loss_distillation",
        "Training loss, teacher",
        "nats",
        "lower",
        "The term of a student's loss against the teacher, before alpha weighs it.",
    ),
    Metric(
        TRAIN_ACCURACY,
        "Training accuracy",
        "share",
        "higher",
        "Share of the augmented training images that the model classifies correctly; where two are mixed, the "
        "stronger label counts.",
    ),
    Metric(
        "train_accuracy_class",
        "Training accuracy, class head",
        "share",
        "higher",
        "Training accuracy of a DeiT's class head.",
    ),
    Metric(
        "train_accuracy_distillation",
        "Training accuracy, distillation head",
        "share",
        "higher",
        "Training accuracy of a DeiT's distillation head.",
    ),
    Metric(
        TRAIN_AGREEMENT,
        "Teacher agreement",
        "share",
        "neither",
        "Share of the training images where a DeiT's distillation head decides as the teacher does.",
    ),
    Metric(
        TEACHER_HIT_RATE,
        "Teacher looked up",
        "share",
        "higher",
        "Share of the training images for which the teacher's answer to this very view was on disk already, from an "
        "earlier epoch or another student. The answers are the same either way; those on disk need no computing.",
    ),
    Metric(LR, "Learning rate", "none", "neither", "Warm-up, then cosine decay."),
    Metric(IMAGES_PER_S, "Images per second", "images/s", "higher", "Training speed, without validation."),
)
_OF_A_RUN = (
    Metric(
        BEST_VAL_ACCURACY,
        "Best validation accuracy",
        "share",
        "higher",
        "The highest validation accuracy of all epochs; the weights of that epoch are the run's result.",
        "Val. best",
    ),
    Metric(
        BEST_EPOCH,
        "Best epoch",
        "count",
        "neither",
        "The epoch with the highest validation accuracy; of several, the one with the lowest validation loss.",
    ),
    Metric(NUM_PARAMS, "Parameters", "count", "neither", "Weights and biases of the model, frozen ones as well."),
    Metric(NUM_TRAIN, "Training images", "count", "neither", "Images that the run learns from."),
    Metric(NUM_VAL, "Validation images", "count", "neither", "Images by which the best epoch is chosen."),
    Metric(NUM_TEST, "Test images", "count", "neither", "Images that are looked at once, at the end."),
    Metric(TRAIN_TIME_S, "Training time", "s", "lower", "Time of all sessions, with validation and test.", "Training"),
)

_VALIDATION = _scores(
    "val",
    "Validation",
    "validation images",
    " Measured after each epoch.",
    _HEADS,
    ("", "_ema"),
    "Val. now",
)
_EACH_EPOCH = " Measured after each epoch."
_OF_HEADS = (
    *(
        Metric(
            VAL_AGREEMENT + end,
            ", ".join(("Validation agreement with the teacher", *filter(None, [head.title]))),
            "share",
            "neither",
            f"Share of the validation images where {head.subject} decides as the teacher does.{_EACH_EPOCH}",
        )
        for end, head in _HEADS.items()
        if end != "_mean_softmax"
    ),
    *(
        Metric(
            VAL_ENTROPY + end,
            ", ".join(("Validation entropy", *filter(None, [head.title]))),
            "nats",
            "neither",
            f"Mean entropy of the probabilities of {head.subject} for a validation image: 0 where one class has "
            f"everything.{_EACH_EPOCH}",
        )
        for end, head in _HEADS.items()
        if end != "_mean_softmax"
    ),
    Metric(
        HEADS_AGREE,
        "Heads agree",
        "share",
        "neither",
        f"Share of the validation images where both heads of a DeiT decide alike.{_EACH_EPOCH}",
    ),
)
TOKEN_COSINES = {
    block: Metric(
        token_cosine(block),
        f"Token cosine, block {block}" if block else "Token cosine, input",
        "none",
        "neither",
        f"Mean cosine of a DeiT's class and distillation token {f'after block {block}' if block else 'at the input'}, "
        f"over the validation images: 1 where both point the same way.{_EACH_EPOCH}",
    )
    for block in range(MAX_BLOCKS + 1)
}
_TEST_ONCE = " Measured once, at the end, with the weights of the best epoch."
_TEST = (
    *_scores("test", "Test", "test images", _TEST_ONCE, _HEADS, ("", "_ema", "_flip"), "Test"),
    *_scores("test", "Test", "test images", _TEST_ONCE, _TRAINED_FUSIONS, ("",), "Test"),
)

METRICS = {
    metric.name: metric
    for metric in (*_OF_STEPS, *_VALIDATION, *_OF_HEADS, *TOKEN_COSINES.values(), *_TEST, *_OF_A_RUN)
}

# What tables show of a run's test: the model's own answer, each head, both heads together, and other ways of scoring.
TEST_ACCURACIES = (
    TEST_ACCURACY,
    "test_accuracy_class",
    "test_accuracy_distillation",
    "test_accuracy_mean_softmax",
    "test_accuracy_flip",
    "test_accuracy_ema",
    "test_accuracy_concat_embeddings",
    "test_accuracy_sum_embeddings",
)
