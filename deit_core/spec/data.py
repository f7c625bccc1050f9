"""Data: which images, and how they are split."""

import os.path
from typing import Literal, Self

from pydantic import model_validator

from deit_core.catalog import DEFAULT_CANVAS, DEFAULT_PLACES, DIGIT_SIZE, SOURCES, SourceFacts, SourceName
from deit_core.spec.fields import Part, field


class DataSpec(Part):
    """Which images, and how they are split into train, validation and test."""

    source: SourceName = field("fashion-mnist", "The data set; folder is any folder of images.", advanced=True)
    path: str = field(
        "",
        "The folder of images, in the data folder or absolute. It has one folder per class, or folders train, val and "
        "test, each with one folder per class.",
        max_length=1000,
        source="folder",
    )
    colour: bool = field(
        True, "Images are read in colour (3 channels), or in grey (1).", source="folder", advanced=True
    )
    corrupt_images: Literal["refuse", "skip"] = field(
        "refuse",
        "What happens if a file cannot be read: the run ends and names the file (refuse), or the file is left out "
        "(skip). skip tries to read all files first.",
        advanced=True,
        source="folder",
    )
    canvas_size: int = field(
        DEFAULT_CANVAS,
        "Width and height of the canvas that each digit of 8 x 8 pixels is put on.",
        unit="px",
        ge=DIGIT_SIZE,
        le=128,
        source="scattered-digits",
        advanced=True,
    )
    places_per_digit: int = field(
        DEFAULT_PLACES,
        "At how many random places each training digit is shown, each place in its own image. Each test digit is "
        "shown at 8 places.",
        ge=1,
        le=64,
        source="scattered-digits",
        advanced=True,
    )
    clutter: int = field(
        0, "Number of fragments of other digits on each canvas.", ge=0, le=32, source="scattered-digits", advanced=True
    )
    new_places: bool = field(
        False,
        "Draws the places of the training digits, noise and fragments anew in each epoch. A model then sees a digit at "
        "many places, and no view repeats.",
        source="scattered-digits",
        advanced=True,
    )
    img_size: int = field(28, "Images are resized to this width and height.", unit="px", ge=8, le=512, advanced=True)
    fraction: float = field(1.0, "Share of the training images that is used, the same share of each class.", gt=0, le=1)
    val_fraction: float = field(
        0.1,
        "Share of the training images kept for validation, which chooses the best epoch. A folder with val and test "
        "has its own validation images.",
        ge=0.01,
        le=0.5,
        advanced=True,
    )
    labelled_fraction: float = field(
        1.0,
        "Share of the training and validation images whose labels are known, the same share of each class. A DeiT also "
        "learns from the other training images, through its teacher; every other run leaves them out.",
        gt=0,
        le=1,
        advanced=True,
    )
    split_seed: int = field(
        0,
        "Seed of the validation split and of the fraction. A teacher and its students must share it, so that neither "
        "learns from images on which the other is evaluated.",
        ge=0,
        lt=2**31,
        advanced=True,
    )
    normalization: Literal["computed", "half", "imagenet"] = field(
        "computed",
        "Mean and standard deviation used to normalise pixels. computed: from the training images. half: 0.5 and 0.5. "
        "imagenet: those of ImageNet, which published weights were trained with; for grey images 0.449 and 0.226, the "
        "means over the three channels.",
        advanced=True,
    )

    @property
    def split(self) -> tuple[str | float, ...]:
        """The values that decide which images are for training; a teacher and its students must have the same."""
        labelled = () if self.labelled_fraction == 1 else (self.labelled_fraction,)
        return self.origin, self.fraction, self.val_fraction, self.split_seed, *labelled

    @property
    def origin(self) -> str:
        """The name of the collection of images."""
        match self.source:
            case "folder":
                return f"folder {os.path.normpath(self.path)}"
            case "scattered-digits":
                made = f"{self.source} {self.canvas_size} {self.places_per_digit} {self.clutter}"
                return f"{made} new places" if self.new_places else made
        return self.source

    @property
    def facts(self) -> SourceFacts | None:
        """What is known of the data before it is read; None for a folder."""
        known = SOURCES.get(self.source)
        if known is None or self.source != "scattered-digits":
            return known
        num_train = known.num_train // DEFAULT_PLACES * self.places_per_digit
        return known._replace(native_size=self.canvas_size, num_train=num_train)

    @model_validator(mode="after")
    def _folder_has_a_path(self) -> Self:
        if self.source == "folder" and not self.path.strip():
            raise ValueError("A folder of images needs data.path; set it to the path of the folder.")
        return self
