"""The DeiT paper's experiments in small, on scattered digits: its tables 2, 3 and 8 (Touvron et al. 2021).

Knows specs; the paper's own numbers are in `deit_core.analysis.paper_tables`.
"""

import itertools
from collections.abc import Iterator

from deit_core.presets.scattered import scattered_trio
from deit_core.presets.trio import HARD
from deit_core.spec import AugmentSpec, Expectation, ExperimentSpec, RunSpec, replace

_NUM_VIEWS = 3  # of repeated augmentation
_BATCHES = (32, 256)

# The paper's table 9, as far as digits allow it: a name, the field, its value, and the value that leaves it out.
_TABLE_9: tuple[tuple[str, str, float, float], ...] = (
    ("mixup", "augment.mixup_alpha", 0.8, 0),
    ("cutmix", "augment.cutmix_alpha", 1.0, 0),
    ("randaugment", "augment.randaugment_ops", 2, 0),
    ("erasing", "augment.random_erasing", 0.25, 0),
    ("repeated-aug", "augment.repeated_aug", _NUM_VIEWS, 1),
    ("stochastic-depth", "model.drop_path_rate", 0.1, 0),
    ("smoothing", "optim.label_smoothing", 0.1, 0),
    ("weight-decay", "optim.weight_decay", 0.05, 0),
)


def table_3() -> ExperimentSpec:
    teacher, vit, deit = scattered_trio()
    hard = HARD.with_changes(teacher=teacher.name)
    return ExperimentSpec(
        name="table-3",
        description=(
            "Table 3 of the DeiT paper in small, with scattered-quick's data and recipe: a ViT without a teacher; with "
            "soft distillation; with hard distillation; and with hard distillation and the distillation token, where "
            "class head, distillation head and both together are evaluated, also by a head that is trained on both "
            "embeddings. Soft distillation has scattered-quick's alpha of 0.9 and tau of 3, hard distillation the "
            "paper's alpha of 0.5."
        ),
        runs=(
            teacher,
            vit,
            vit.with_changes(name="soft", distillation=deit.distillation),
            vit.with_changes(name="hard", distillation=hard),
            deit.with_changes(distillation=hard.with_changes(trained_fusion=True)),
        ),
        expectation=Expectation(
            accuracy={"teacher": 0.984, "vit": 0.698, "soft": 0.813, "hard": 0.781, "deit": 0.773},
            duration_s=210,
            measured_on="2 cores of an EPYC, 2026-11-29, means of seeds 42 to 44; the time is that of one seed",
        ),
    )


def table_2() -> ExperimentSpec:
    teacher, vit, deit = scattered_trio()
    cnn = teacher.with_changes(name="cnn", optim=teacher.optim.with_changes(epochs=5, warmup_epochs=1))
    transformer = vit.with_changes(
        name="transformer",
        model=vit.model.with_changes(embed_dim=64),
        augment=AugmentSpec(crop_padding=6),
        optim=vit.optim.with_changes(epochs=80, warmup_epochs=8, label_smoothing=0.0),
    )
    assert deit.distillation is not None
    taught = [
        deit.with_changes(name=f"deit-{one.name}", distillation=deit.distillation.with_changes(teacher=one.name))
        for one in (cnn, transformer)
    ]
    return ExperimentSpec(
        name="table-2",
        description=(
            "Table 2 of the DeiT paper in small, on scattered digits: one student with scattered-quick's recipe, "
            "taught by a CNN and by a ViT of about the same accuracy: 94.1 and 94.8 % of the test images with seed 42, "
            "measured once. For this the CNN trains for 5 epochs only. The ViT is wider than its student and trains "
            "for 80 epochs on images that are shifted by up to 6 px, so it sees digits at many more places: from these "
            "shifts it learns most of what a CNN assumes."
        ),
        runs=(cnn, transformer, vit, *taught),
    )


def ablation() -> ExperimentSpec:
    teacher, *pair = scattered_trio()
    full = [replace(run, {path: value for _, path, value, _ in _TABLE_9}) for run in pair]
    without = (
        replace(run, {"name": f"{run.name}-without-{name}", path: off})
        for name, path, _, off in _TABLE_9
        for run in full
    )
    return ExperimentSpec(
        name="ablation",
        description=(
            "Table 8 of the DeiT paper in small, on scattered digits: ViT and DeiT with the augmentations and "
            "regularisers of the paper's recipe, and then with each of them left out in turn. The paper's DeiT-B "
            "without a teacher reaches 81.8 % on ImageNet; 79.6 without RandAugment, 78.7 without mixup, 80.0 without "
            "CutMix, 76.5 without repeated augmentation; 4.3 without erasing and 3.4 without stochastic depth, where "
            "training diverges. Here RandAugment also moves a digit to places where a ViT would not see it otherwise."
        ),
        runs=(teacher, *full, *without),
    )


def repeated_aug() -> ExperimentSpec:
    teacher, *pair = scattered_trio()
    return ExperimentSpec(
        name="repeated-aug",
        description=(
            f"ViT and DeiT with one view and with {_NUM_VIEWS} views of each image in a batch (repeated augmentation), "
            f"in batches of {_BATCHES[0]} and of {_BATCHES[1]} images, on scattered digits. All see the same number of "
            "views in an epoch; with repeated augmentation a batch has a third of the images, which is little in a "
            "small batch. "
            "The learning rate follows the square root of the batch size, and is scattered-quick's at 64."
        ),
        runs=(teacher, *_repeated(pair)),
    )


def _repeated(pair: list[RunSpec]) -> Iterator[RunSpec]:
    for batch, views, run in itertools.product(_BATCHES, (1, _NUM_VIEWS), pair):
        changes = {"optim.batch_size": batch, "augment.repeated_aug": views}
        scaled = {"optim.lr": 2 * run.optim.lr, "optim.lr_scaling": "sqrt"}  # sqrt counts from 256
        yield replace(run, {"name": f"{run.name}-{batch}-{views}view", **changes, **scaled})
