"""DeiT on folders of images: the paper's recipe from scratch, and published DeiTs made fit for images of one's own.

Knows names of files that Facebook publishes; nothing of whether they are here.
"""

from typing import Literal

from deit_core.presets.trio import students, teacher_and_students
from deit_core.presets.variants import VARIANTS, vit_variant
from deit_core.spec import AugmentSpec, DataSpec, ExperimentSpec, OptimSpec, TorchvisionSpec, VisionTransformerSpec

Size = Literal["tiny", "small", "base"]

# Facebook's DeiTs without distillation, from which a ViT and a DeiT can start alike.
_PUBLISHED: dict[Size, str] = {
    "tiny": "deit_tiny_patch16_224-a1311bcf.pth",
    "small": "deit_small_patch16_224-cd65a155.pth",
    "base": "deit_base_patch16_224-b5f2ef4d.pth",
}
_ADDRESS = "https://dl.fbaipublicfiles.com/deit/"
WEIGHTS = {file: f"{_ADDRESS}{file}" for file in _PUBLISHED.values()}  # what presets start from, and its address

_OWN_IMAGES = DataSpec(source="folder", path="images", img_size=224)
_AS_PUBLISHED = _OWN_IMAGES.with_changes(normalization="imagenet")  # what published weights expect
_CROPS = AugmentSpec(crop_padding=0, horizontal_flip=True, resized_crop=0.08)  # the original's at 224 and 384 px
_TABLE_9 = _CROPS.with_changes(
    randaugment_ops=2,
    randaugment_magnitude=27,  # timm's m9
    random_erasing=0.25,
    mixup_alpha=0.8,
    cutmix_alpha=1.0,
)


def _table_9_optim(batch_size: int) -> OptimSpec:
    return OptimSpec(
        epochs=300,
        batch_size=batch_size,
        lr=5e-4,
        lr_scaling="linear",
        warmup_epochs=5,
        weight_decay=0.05,
        label_smoothing=0.1,
        ema="separate",
        ema_decay=0.99996,
    )


def _shape(variant: str) -> VisionTransformerSpec:
    """A published shape with the stochastic depth that all were trained with."""
    return vit_variant(variant).with_changes(drop_path_rate=0.1)


def imagenet_deit(size: Size) -> ExperimentSpec:
    return ExperimentSpec(
        name=f"imagenet-deit-{size}",
        description=(
            f"DeiT-{size.capitalize()} from scratch on ImageNet as in the paper (Touvron et al. 2021, "
            "arXiv:2012.12877, table 9): 300 epochs, batch 1024, AdamW at 5e-4 for 512 images, 5 epochs of warm-up, "
            "resized crops, RandAugment, erasing, mixup, CutMix, 3 views an image, stochastic depth .1; hard "
            "distillation. The teacher is RegNetY-16GF with torchvision's ImageNet weights, whose head alone sees the "
            "images for 1 epoch. Other than there: weights begin by Xavier's rule, not at a spread of .02, RandAugment "
            "is torchvision's, crops are cut from images of 224 px and not from their files, erased pixels become "
            "uniform noise and not normal, a hundredth of the training images is held back to choose the epoch, and "
            "images are judged by the whole square in their middle, not by 224 px cut from the middle of 256. A moving "
            "average is scored beside, as the original code does. The images are in data.path, imagenet in the data "
            "folder; for days of a large GPU, where optim.batch_size may be smaller, as the learning rate follows it."
        ),
        runs=teacher_and_students(
            data=DataSpec(source="folder", path="imagenet", img_size=224, val_fraction=0.01, normalization="imagenet"),
            augment=_TABLE_9.with_changes(repeated_aug=3),
            teacher=TorchvisionSpec(name="regnet_y_16gf", pretrained="imagenet", freeze_backbone=True),
            teacher_optim=OptimSpec(epochs=1, batch_size=256, lr=1e-4, warmup_epochs=0),
            teacher_augment=_CROPS,
            student=_shape(f"deit-{size}"),
            student_optim=_table_9_optim(batch_size=1024),
        ),
    )


def tutorial_deit_base() -> ExperimentSpec:
    return ExperimentSpec(
        name="tutorial-deit-base",
        description=(
            f"The DeiT notebook's own model ({VARIANTS['tutorial-deit-base'].source}): 224 px, patch 16, width 768, "
            "depth 12, from scratch, with the paper's teacher and its recipe, without repeated augmentation (the "
            "notebook trains nothing). Mended: the distillation token is one of its own and is concatenated (the "
            "head read a patch in its place), and has a position; scores are scaled before the softmax and by the root "
            "of a head's width, not after it and by that of all; queries, keys and values lie as in timm; residuals "
            "are not added in place; there is a last LayerNorm; tokens and positions begin at a spread of .02, not 1; "
            "the teacher is in eval mode and no part of the loss; in eval mode the model gives one tensor. The images "
            "are in data.path, images in the data folder; for a GPU."
        ),
        runs=teacher_and_students(
            data=_OWN_IMAGES,
            augment=_TABLE_9,
            teacher=TorchvisionSpec(name="regnet_y_16gf", pretrained="imagenet", freeze_backbone=True),
            teacher_optim=OptimSpec(epochs=10, batch_size=64, lr=1e-3, warmup_epochs=1),
            teacher_augment=_CROPS,
            student=_shape("tutorial-deit-base"),
            student_optim=_table_9_optim(batch_size=64),
        ),
    )


def published_deit(size: Size) -> ExperimentSpec:
    file = _PUBLISHED[size]
    return ExperimentSpec(
        name=f"deit-{size}",
        description=(
            f"A published DeiT-{size.capitalize()} made fit for a folder of images of your own, at 224 px, with new "
            f"heads. ViT and DeiT start from the same weights: fetch {file} from {_ADDRESS} into the folder "
            "that DeiT Lab is started in. 30 epochs with the augmentation of the paper's table 9, without repeated "
            "augmentation, and pixels normalised as ImageNet's, as those weights expect; the teacher is torchvision's "
            "RegNetY-3.2GF with ImageNet weights, fine-tuned first. The images are in data.path, images in the data "
            "folder; for a GPU."
        ),
        runs=teacher_and_students(
            data=_AS_PUBLISHED,
            augment=_TABLE_9,
            teacher=TorchvisionSpec(name="regnet_y_3_2gf", pretrained="imagenet"),
            teacher_optim=OptimSpec(epochs=10, batch_size=64, lr=1e-4),
            teacher_augment=_CROPS,
            student=_shape(f"deit-{size}"),
            student_optim=OptimSpec(
                epochs=30, batch_size=64, lr=5e-4, lr_scaling="linear", min_lr=1e-6, warmup_epochs=3
            ),
            student_start=file,
        ),
    )


def published_deit_384(size: Size) -> ExperimentSpec:
    first = published_deit(size)
    at_384 = students(
        data=_AS_PUBLISHED.with_changes(img_size=VARIANTS[f"deit-{size}-384"].img_size),
        augment=_TABLE_9,
        model=_shape(f"deit-{size}-384"),
        optim=OptimSpec(epochs=30, batch_size=64, lr=5e-6, min_lr=5e-6, warmup_epochs=5, weight_decay=1e-8),
        suffix="-384",
    )
    return ExperimentSpec(
        name=f"deit-{size}-384",
        description=(
            f"deit-{size}, and then both students fine-tuned from 224 to 384 px: positions resampled (bicubic), 30 "
            "epochs at a learning rate of 5e-6 and a weight decay of 1e-8 as in the original, and the DeiT still "
            f"taught, which the original refuses. {first.description}"
        ),
        runs=(
            *first.runs,
            *(
                run.with_changes(initial_checkpoint=start.name)
                for run, start in zip(at_384, first.runs[1:], strict=True)
            ),
        ),
    )
