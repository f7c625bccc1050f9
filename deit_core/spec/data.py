"""Which images."""

import os.path
from typing import Literal, Self

from pydantic import model_validator

from deit_core.catalog import SourceName
from deit_core.spec.fields import Part, field


class DataSpec(Part):
    """Which images, cut how into train, validation and test."""

    source: SourceName = field("fashion-mnist", "The data set; folder is any folder of images.")
    path: str = field(
        "",
        "The folder of images, in the data folder or absolute: one folder per class, or train, val and test with such.",
        max_length=1000,
        source="folder",
    )
    colour: bool = field(True, "Images are read in colour (3 channels), or in grey (1).", source="folder")
    corrupt_images: Literal["refuse", "skip"] = field(
        "refuse",
        "refuse: a file that cannot be read ends the run, with its name. skip: it is left out, after all were tried.",
        advanced=True,
        source="folder",
    )
    img_size: int = field(28, "Images are resized to this width and height.", unit="px", ge=8, le=512)
    fraction: float = field(1.0, "Share of the training images that is used, the same share of each class.", gt=0, le=1)
    val_fraction: float = field(
        0.1,
        "Share of the training images set aside for choosing the best epoch; a folder with val and test has its own.",
        ge=0.01,
        le=0.5,
        advanced=True,
    )
    split_seed: int = field(
        0,
        "Seed of the validation split and of the fraction. A teacher and its students share it, so that neither "
        "learns from images the other is judged on.",
        ge=0,
        lt=2**31,
        advanced=True,
    )
    normalization: Literal["computed", "half", "imagenet"] = field(
        "computed",
        "Mean and standard deviation that pixels are normalised with: computed from the training images; half: .5 and "
        ".5; imagenet: ImageNet's, with which published weights were trained, or of grey images .449 and .226, the "
        "means of its three.",
        advanced=True,
    )

    @property
    def split(self) -> tuple[str, float, float, int]:
        """What decides which images are learned and which are held back; a teacher's must be its students'."""
        return self.origin, self.fraction, self.val_fraction, self.split_seed

    @property
    def origin(self) -> str:
        """What tells one collection of images from another, as far as names do."""
        return f"folder {os.path.normpath(self.path)}" if self.source == "folder" else self.source

    @model_validator(mode="after")
    def _folder_has_a_path(self) -> Self:
        if self.source == "folder" and not self.path.strip():
            raise ValueError("A folder of images needs data.path; give it the folder's place.")
        return self
