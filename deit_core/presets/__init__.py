"""Experiments and runs by name, each a function that returns its spec.

`names()` lists them, `get(name)` builds one. `expectation` has the results of the last measurement; a preset without it
has not been measured.
"""

from collections.abc import Callable
from functools import partial

from deit_core.errors import SpecError
from deit_core.presets import deit, mnist
from deit_core.presets.cifar import cifar10_full, cifar10_quick
from deit_core.presets.deit import imagenet_deit, published_deit, published_deit_384, tutorial_deit_base
from deit_core.presets.digits import digits_quick, smoke
from deit_core.presets.fashion import (
    fashion_classroom,
    fashion_epochs,
    fashion_few_labels,
    fashion_fractions,
    fashion_full,
    fashion_long,
    fashion_miniproject,
)
from deit_core.presets.lessons import lesson_fractions, lesson_positions, lesson_skips, lesson_teachers
from deit_core.presets.mnist import mnist_soft_efficientnet, mnist_soft_resnet9, mnist_soft_resnet50
from deit_core.presets.paper import ablation, repeated_aug, table_2, table_3
from deit_core.presets.scattered import scattered_few_labels, scattered_quick
from deit_core.spec import AnySpec
from deit_core.text.quoting import quoted

__all__ = ["WEIGHTS", "digits_quick", "fashion_classroom", "fashion_miniproject", "get", "names", "smoke"]

WEIGHTS = deit.WEIGHTS | mnist.WEIGHTS


def names() -> list[str]:
    """The presets: first the one to begin with, last the one that only tries whether training works."""
    return list(_PRESETS)


def get(name: str) -> AnySpec:
    """Build a preset.

    Raises: SpecError for an unknown name.
    """
    if name not in _PRESETS:
        raise SpecError(f"There is no preset {quoted(name)}; choose {', '.join(names()[:-1])} or {names()[-1]}.")
    return _PRESETS[name]()


_PRESETS: dict[str, Callable[[], AnySpec]] = {
    "scattered-quick": scattered_quick,
    "digits-quick": digits_quick,
    "scattered-few-labels": scattered_few_labels,
    "table-3": table_3,
    "table-2": table_2,
    "ablation": ablation,
    "repeated-aug": repeated_aug,
    "lesson-fractions": lesson_fractions,
    "lesson-positions": lesson_positions,
    "lesson-skips": lesson_skips,
    "lesson-teachers": lesson_teachers,
    "fashion-classroom": fashion_classroom,
    "cifar10-quick": cifar10_quick,
    "fashion-miniproject": fashion_miniproject,
    "mnist-soft-resnet9": mnist_soft_resnet9,
    "mnist-soft-efficientnet": mnist_soft_efficientnet,
    "mnist-soft-resnet50": mnist_soft_resnet50,
    "fashion-full": fashion_full,
    "fashion-long": fashion_long,
    "fashion-few-labels": fashion_few_labels,
    "fashion-epochs": fashion_epochs,
    "fashion-fractions": fashion_fractions,
    "cifar10-full": cifar10_full,
    "deit-tiny": partial(published_deit, "tiny"),
    "deit-small": partial(published_deit, "small"),
    "deit-base": partial(published_deit, "base"),
    "deit-tiny-384": partial(published_deit_384, "tiny"),
    "deit-small-384": partial(published_deit_384, "small"),
    "deit-base-384": partial(published_deit_384, "base"),
    "tutorial-deit-base": tutorial_deit_base,
    "imagenet-deit-tiny": partial(imagenet_deit, "tiny"),
    "imagenet-deit-small": partial(imagenet_deit, "small"),
    "imagenet-deit-base": partial(imagenet_deit, "base"),
    "smoke": smoke,
}
