"""Presets for the lessons: each the smallest training that still shows one effect, on digits that need no download.

Knows specs; nothing of the texts of the lessons.
"""

from typing import Any

from deit_core.presets.digits import smoke
from deit_core.presets.scattered import scattered_trio
from deit_core.spec import Expectation, ExperimentSpec, PlainCnnSpec, RunSpec, replace

_EPOCHS = 15  # of the students of four teachers
_NARROW = 4  # channels of the weak teacher
_MEASURED = "one core of an EPYC, processor time, 2026-11-29"

# What `make test-lessons` asks for, of test accuracy, as the mean of three seeds; with seed 42 both were 0.5.
FEW_IMAGES_LEAD = 0.2  # of the CNN over the ViT with a tenth of the images
SKIPS_LEAD = 0.2  # of a ViT with skip connections over one without


def lesson_fractions() -> ExperimentSpec:
    """Lesson 3: accuracy against the number of training images, for a CNN, a ViT and a DeiT."""
    return ExperimentSpec(
        name="lesson-fractions",
        description=(
            "Inductive bias against the amount of data: a CNN, a ViT and a DeiT that learns from the CNN, on 10, 30 "
            "and 100 % of the scattered digits, the last with scattered-quick's recipe. The test images are always the "
            "same."
        ),
        runs=(
            *_named(_few_images(0.1, epochs=60), "10pct"),
            *_named(_few_images(0.3, epochs=30), "30pct"),
            *_named(scattered_trio(), "100pct"),
        ),
        expectation=Expectation(
            accuracy={
                "cnn-10pct": 0.755,
                "vit-10pct": 0.241,
                "deit-10pct": 0.284,
                "cnn-30pct": 0.949,
                "vit-30pct": 0.310,
                "deit-30pct": 0.437,
                "cnn-100pct": 0.984,
                "vit-100pct": 0.717,
                "deit-100pct": 0.792,
            },
            duration_s=161,
            measured_on=f"{_MEASURED}, seed 42; the last three are those of scattered-quick",
        ),
    )


def lesson_positions() -> ExperimentSpec:
    """Lesson 3: the same ViT with learned positions and without any."""
    with_positions = _small_vit("positions", depth=3)
    return ExperimentSpec(
        name="lesson-positions",
        description=(
            "A ViT with learned positions, and the same ViT without positions, which sees its patches as a set: their "
            "order changes nothing."
        ),
        runs=(with_positions, replace(with_positions, {"name": "no-positions", "model.positions": "none"})),
        expectation=Expectation(
            accuracy={"positions": 0.911, "no-positions": 0.711}, duration_s=14, measured_on=f"{_MEASURED}, seed 42"
        ),
    )


def lesson_skips() -> ExperimentSpec:
    """Lesson 4: the same ViT with skip connections and without."""
    with_skips = _small_vit("skips", depth=6)
    return ExperimentSpec(
        name="lesson-skips",
        description=(
            "A ViT of six blocks with skip connections, as all published ViTs have, and the same ViT without: there "
            "each block replaces its input instead of adding to it."
        ),
        runs=(with_skips, replace(with_skips, {"name": "no-skips", "model.skip_connections": False})),
        expectation=Expectation(
            accuracy={"skips": 0.878, "no-skips": 0.381},
            duration_s=21,
            measured_on=f"{_MEASURED}, seed 42",
        ),
    )


def lesson_teachers() -> ExperimentSpec:
    """Lesson 5: one student and four teachers of different strength."""
    resnet, vit, deit = scattered_trio(epochs=_EPOCHS)
    assert deit.distillation is not None
    plain = {name: PlainCnnSpec(width=width) for name, width in (("narrow", _NARROW), ("plain", 16))}
    resnet = replace(resnet, {"optim.epochs": 8, "optim.warmup_epochs": 1})
    assert isinstance(resnet, RunSpec)
    teachers = (
        *(resnet.with_changes(name=name, model=model) for name, model in plain.items()),
        resnet.with_changes(name="resnet"),
        replace(resnet, {"name": "smoothed", "optim.label_smoothing": 0.1}),
    )
    taught = (
        deit.with_changes(name=f"deit-{one.name}", distillation=deit.distillation.with_changes(teacher=one.name))
        for one in teachers
    )
    return ExperimentSpec(
        name="lesson-teachers",
        description=(
            "Must a teacher be better than its student? One DeiT and four teachers: a CNN of two convolutions that is "
            f"too narrow ({_NARROW} channels), a wider one, a ResNet-9, and a ResNet-9 trained with label smoothing."
        ),
        runs=(*teachers, vit, *taught),
        expectation=Expectation(
            accuracy={
                "narrow": 0.209,
                "plain": 0.852,
                "resnet": 0.977,
                "smoothed": 0.978,
                "vit": 0.338,
                "deit-narrow": 0.108,
                "deit-plain": 0.133,
                "deit-resnet": 0.501,
                "deit-smoothed": 0.448,
            },
            duration_s=139,
            measured_on="2 cores of an EPYC, 2026-11-29, seed 42; the time is that of two workers",
        ),
    )


def _small_vit(name: str, *, depth: int) -> RunSpec:
    """On digits that all stand in the middle."""
    changes = {"model.depth": depth, "optim.epochs": 15, "optim.warmup_epochs": 2}
    run = replace(smoke(), {"name": name, "notes": "", **changes})
    assert isinstance(run, RunSpec)
    return run


def _few_images(fraction: float, epochs: int) -> tuple[RunSpec, ...]:
    """The trio on a share of the images, in smaller batches, so that there are enough steps."""
    teacher, vit, deit = scattered_trio(epochs=epochs)
    small: dict[str, Any] = {"data.fraction": fraction, "optim.batch_size": 32}
    few = {"optim.epochs": round(8 / fraction**0.5), "optim.warmup_epochs": 1}
    return tuple(replace(run, small | more) for run, more in ((teacher, few), (vit, {}), (deit, {})))


def _named(trio: tuple[RunSpec, ...], share: str) -> tuple[RunSpec, ...]:
    """The trio with names that say how many images it learned from."""
    teacher, vit, deit = trio
    assert deit.distillation is not None
    name = f"cnn-{share}"
    return (
        teacher.with_changes(name=name),
        vit.with_changes(name=f"vit-{share}"),
        deit.with_changes(name=f"deit-{share}", distillation=deit.distillation.with_changes(teacher=name)),
    )
