"""What each preset is for: its purpose, what it teaches, whether it needs a GPU, and how much it downloads.

Knows presets and the sizes that are published; does not know this machine, or what is on it already.
"""

from typing import Literal, NamedTuple, get_args

from deit_core.catalog import SOURCES, TORCHVISION_MB
from deit_core.spec import AnySpec, TorchvisionSpec, members

Purpose = Literal["First steps", "A lesson", "Research", "Your own images", "ImageNet"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


class PresetFacts(NamedTuple):
    """`teaches` is one sentence; `needs_gpu` says that a CPU would take a day or more."""

    purpose: Purpose
    teaches: str
    needs_gpu: bool = False


_FINE_TUNED = "A published DeiT learns your own classes, and a ViT from the same weights shows what the teacher adds."
_LARGER = "The same, and then both go on at 384 px: what larger images add."

FACTS: dict[str, PresetFacts] = {
    "scattered-quick": PresetFacts(
        "First steps", "A CNN knows a digit wherever it stands; its DeiT learns that from it, and a ViT does not."
    ),
    "digits-quick": PresetFacts(
        "First steps", "The whole way in a minute; the task is so easy that the teacher adds little."
    ),
    "smoke": PresetFacts("First steps", "One small ViT, in seconds: does training work on this machine?"),
    "scattered-few-labels": PresetFacts(
        "A lesson", "A teacher names images that have no label, so its student learns from four times as many."
    ),
    "lesson-fractions": PresetFacts(
        "A lesson", "Lesson 3: with few images a CNN is far ahead of a ViT, and a DeiT stands between them."
    ),
    "lesson-positions": PresetFacts(
        "A lesson", "Lesson 3: what a ViT can do that does not know where its patches are."
    ),
    "lesson-skips": PresetFacts("A lesson", "Lesson 4: the same ViT with skip connections and without."),
    "lesson-teachers": PresetFacts("A lesson", "Lesson 5: must a teacher be better than its student?"),
    "fashion-classroom": PresetFacts(
        "A lesson", "With few images of clothes the students are far from their best, and a teacher helps."
    ),
    "cifar10-quick": PresetFacts("A lesson", "The same in colour: small photographs, of which a ViT needs many."),
    "fashion-miniproject": PresetFacts(
        "A lesson", "The mini-project's own settings, with its mistakes in schedule and selection corrected."
    ),
    "mnist-soft-resnet9": PresetFacts(
        "A lesson", "Soft distillation on MNIST, as in the notebook, from a small CNN trained here."
    ),
    "mnist-soft-efficientnet": PresetFacts(
        "A lesson", "Soft distillation on MNIST from EfficientNet-Lite0, of which only the head is trained."
    ),
    "mnist-soft-resnet50": PresetFacts(
        "A lesson", "Soft distillation on MNIST from the notebook's own teacher, a pretrained ResNet-50."
    ),
    "table-3": PresetFacts("Research", "The DeiT paper's table 3: hard or soft distillation, and which head to read."),
    "table-2": PresetFacts("Research", "The DeiT paper's table 2: is a CNN the better teacher, or a transformer?"),
    "ablation": PresetFacts("Research", "Which part of the recipe matters: each is left out or added once."),
    "repeated-aug": PresetFacts("Research", "Several views of an image in one batch, against one view of each."),
    "fashion-full": PresetFacts("Research", "The best recipe known for ten epochs of the mini-project's model."),
    "fashion-long": PresetFacts("Research", "Fifty epochs: how close do the students come to their teacher?"),
    "fashion-few-labels": PresetFacts("Research", "One label in twenty is known: what is a teacher worth then?"),
    "fashion-epochs": PresetFacts("Research", "For how many epochs does a teacher help?"),
    "fashion-fractions": PresetFacts("Research", "With how few images does a teacher help most?"),
    "cifar10-full": PresetFacts(
        "Research", "A ViT for small images on all of CIFAR-10, with the strong recipe of Lee et al.", needs_gpu=True
    ),
    "deit-tiny": PresetFacts("Your own images", _FINE_TUNED, needs_gpu=True),
    "deit-small": PresetFacts("Your own images", _FINE_TUNED, needs_gpu=True),
    "deit-base": PresetFacts("Your own images", _FINE_TUNED, needs_gpu=True),
    "deit-tiny-384": PresetFacts("Your own images", _LARGER, needs_gpu=True),
    "deit-small-384": PresetFacts("Your own images", _LARGER, needs_gpu=True),
    "deit-base-384": PresetFacts("Your own images", _LARGER, needs_gpu=True),
    "tutorial-deit-base": PresetFacts(
        "Your own images", "The notebook's DeiT-Base from scratch, which needs very many images.", needs_gpu=True
    ),
    "imagenet-deit-tiny": PresetFacts("ImageNet", "The paper's recipe for DeiT-Tiny, from scratch.", needs_gpu=True),
    "imagenet-deit-small": PresetFacts("ImageNet", "The paper's recipe for DeiT-Small, from scratch.", needs_gpu=True),
    "imagenet-deit-base": PresetFacts("ImageNet", "The paper's recipe for DeiT-Base, from scratch.", needs_gpu=True),
}


def download_mb(spec: AnySpec) -> float:
    """What is fetched where it is not on the machine yet: data sets, and weights of torchvision, in millions of bytes.

    Files that users get by hand are not among it: a folder of images, weights that a description names.
    """
    runs = members(spec)
    data = {run.data.source for run in runs if run.data.source != "folder"}
    networks = {
        run.model.name for run in runs if isinstance(run.model, TorchvisionSpec) and run.model.pretrained != "off"
    }
    return sum(SOURCES[name].download_mb for name in data) + sum(TORCHVISION_MB[name] for name in networks)
