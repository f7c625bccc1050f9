"""DeiT on folders of images: the paper's recipe from scratch, and published DeiTs fine-tuned on your own images.

Knows names of files that Facebook publishes; does not know whether they are on this machine.
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
WEIGHTS = {  # the file that presets start from, and how to get it
    file: f"download {_ADDRESS}{file} into {{folder}}" for file in _PUBLISHED.values()
}

_OWN_IMAGES = DataSpec(source="folder", path="images", img_size=224)
_AS_PUBLISHED = _OWN_IMAGES.with_changes(normalization="imagenet")  # as published weights expect
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
    """A published shape with the stochastic depth of its training."""
    return vit_variant(variant).with_changes(drop_path_rate=0.1)


def imagenet_deit(size: Size) -> ExperimentSpec:
    return ExperimentSpec(
        name=f"imagenet-deit-{size}",
        description=(
            f"DeiT-{size.capitalize()} from scratch on ImageNet as in the paper (Touvron et al. 2021, "
            "arXiv:2012.12877, table 9): 300 epochs, batch 1024, AdamW at 5e-4 for 512 images, 5 epochs of warm-up, "
            "resized crops, RandAugment, erasing, mixup, CutMix, 3 views per image, stochastic depth 0.1; hard "
            "distillation. The teacher is RegNetY-16GF with torchvision's ImageNet weights; only its head is trained, "
            "for 1 epoch. Differences from the paper: weights start by Xavier's rule, not with a standard deviation of "
            "0.02; RandAugment is torchvision's; crops are cut from images of 224 px and not from their files; erased "
            "pixels become uniform noise and not normal; 1 % of the training images is held out to choose the epoch; "
            "and images are evaluated on the whole square in their middle, not on 224 px from the middle of 256. EMA "
            "weights are evaluated too, as in the original code. The images are in data.path, imagenet in the data "
            "folder. It needs days on a large GPU; optim.batch_size may be smaller, as the learning rate follows it."
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
            "notebook trains nothing). Corrections: the distillation token is concatenated as a separate token with a "
            "position (in the notebook the head read a patch); attention scores are scaled before the softmax by the "
            "root of a head's width, not after it by that of the whole width; queries, keys and values have timm's "
            "order; residuals are not added in place; there is a last LayerNorm; tokens and positions start with a "
            "standard deviation of 0.02, not 1; the teacher is in eval mode and not part of the loss module; in eval "
            "mode the model returns one tensor. The images are in data.path, images in the data folder; for a GPU."
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
            f"A published DeiT-{size.capitalize()} fine-tuned on a folder of your own images, at 224 px, with new "
            f"heads. ViT and DeiT start from the same weights: download {file} from {_ADDRESS} into the folder where "
            "DeiT Lab is started. 30 epochs with the augmentation of the paper's table 9, without repeated "
            "augmentation, and pixels normalised like ImageNet's, as those weights expect; the teacher is "
            "torchvision's RegNetY-3.2GF with ImageNet weights, fine-tuned first. The images are in data.path, images "
            "in the data folder; for a GPU."
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
            "epochs at a learning rate of 5e-6 and a weight decay of 1e-8 as in the original. The DeiT keeps its "
            f"teacher, which the original refuses. {first.description}"
        ),
        runs=(
            *first.runs,
            *(
                run.with_changes(initial_checkpoint=start.name)
                for run, start in zip(at_384, first.runs[1:], strict=True)
            ),
        ),
    )
