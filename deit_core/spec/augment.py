"""Augmentation of the training images."""

from deit_core.spec.fields import Part, field


class AugmentSpec(Part):
    """Random views of the training images, the same for every run with the same seed."""

    crop_padding: int = field(
        2,
        "Pads each side by this, then crops at random, so the image is shifted by up to this much.",
        unit="px",
        ge=0,
        le=32,
        advanced=True,
    )
    horizontal_flip: bool = field(False, "Mirrors half of the images. Never for digits.", advanced=True)
    resized_crop: float = field(
        0.0,
        "Random resized crop: a view shows a part of the image, at least this share of its area, enlarged to the full "
        "size; 0 is off, DeiT has 0.08 on ImageNet.",
        ge=0,
        le=0.9,
        advanced=True,
    )
    randaugment_ops: int = field(
        0,
        "RandAugment as in torchvision: number of its 14 operations applied in sequence to each image; 0 is off, DeiT "
        "takes 2.",
        ge=0,
        le=4,
        advanced=True,
    )
    randaugment_magnitude: int = field(
        9, "Strength of the RandAugment operations, 0 to 30. timm's m9 of 10 is 27 here.", ge=0, le=30, advanced=True
    )
    color_jitter: float = field(
        0.0,
        "Brightness, contrast and saturation change by up to this share; 0 is off. DeiT has 0.3, and only without "
        "RandAugment; here both may be on.",
        ge=0,
        le=1,
        advanced=True,
    )
    random_erasing: float = field(
        0.0, "Chance that a rectangle of 2 to 33 % of an image becomes noise; DeiT has 0.25.", ge=0, le=1, advanced=True
    )
    mixup_alpha: float = field(
        0.0,
        "Mixup: each image is a blend of two, with a ratio from Beta(alpha, alpha); 0 is off, DeiT has 0.8.",
        ge=0,
        le=10,
        advanced=True,
    )
    cutmix_alpha: float = field(
        0.0,
        "CutMix: a box in each image comes from another image; its size is from Beta(alpha, alpha). 0 is off, DeiT "
        "has 1.",
        ge=0,
        le=10,
        advanced=True,
    )
    mixup_prob: float = field(1.0, "Share of the batches that Mixup or CutMix changes.", ge=0, le=1, advanced=True)
    mixup_switch_prob: float = field(
        0.5, "If Mixup and CutMix are both on: the share of these batches that gets CutMix.", ge=0, le=1, advanced=True
    )
    repeated_aug: int = field(
        1,
        "Repeated augmentation: number of views of each image in a batch, which then has fewer images; 1 is off, DeiT "
        "has 3.",
        ge=1,
        le=16,
        advanced=True,
    )
    test_flip: bool = field(
        False,
        "Also evaluates the test images with the mean of the logits of each image and its mirror image; reported "
        "separately, as test_accuracy_flip. Never for digits.",
        advanced=True,
    )

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with each other."""
        return self.mixup_prob > 0 and (self.mixup_alpha > 0 or self.cutmix_alpha > 0)

    @property
    def num_views(self) -> int | None:
        """The number of different views of one image; None where it is infinite, or too large for a view to repeat."""
        if self.resized_crop or self.randaugment_ops or self.color_jitter or self.random_erasing or self.mixes:
            return None
        return (2 * self.crop_padding + 1) ** 2 * (2 if self.horizontal_flip else 1)
