"""One run."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from deit_core.catalog import SOURCES
from deit_core.spec.augment import AugmentSpec
from deit_core.spec.compute import ComputeSpec
from deit_core.spec.data import DataSpec
from deit_core.spec.distillation import DistillationSpec
from deit_core.spec.fields import Part, divisors, field
from deit_core.spec.models import LibrarySpec, ModelSpec, VisionTransformerSpec
from deit_core.spec.optim import OptimSpec

SEARCH_TAG = "search"  # of runs among which a recipe is chosen, and so on validation images alone


class RunSpec(Part):
    """All settings of one run. Equal specs give equal weights on the same CPU, computed in the same precision."""

    version: Literal[1] = 1
    name: str = field("run", "Name of the run on the pages.", min_length=1, max_length=80, pattern=r"\S", advanced=True)
    data: DataSpec = DataSpec()
    model: ModelSpec = VisionTransformerSpec()
    distillation: DistillationSpec | None = None
    optim: OptimSpec = OptimSpec()
    augment: AugmentSpec = AugmentSpec()
    compute: ComputeSpec = ComputeSpec()
    seed: int = field(
        42, "Seed of the initialisation, the order of the images, the views and dropout.", ge=0, lt=2**31, advanced=True
    )
    initial_checkpoint: str = field(
        "",
        "Weights that training starts from: the name of a run of the same experiment, the id of a finished run, or a "
        "file of DeiT Lab, timm, Facebook's DeiT or Hugging Face; for a network of torchvision or timm, a file of that "
        "library. Another image size resamples the positions, and other classes get new heads. Empty: from scratch.",
        advanced=True,
        max_length=1000,
    )
    tags: tuple[Annotated[str, Field(max_length=80)], ...] = field(
        (),
        "Words to find the run by. With the tag search, a report uses its validation accuracy only.",
        advanced=True,
        max_length=50,
    )
    notes: str = field("", "Notes for people.", max_length=10_000, advanced=True)

    @property
    def num_views(self) -> int | None:
        """The number of different views of one training image; None where no view repeats."""
        return None if self.data.new_places else self.augment.num_views

    def num_images(self, num_known: int) -> tuple[float, float]:
        """How many of a data set's training images the run trains on, and how many it holds back for validation."""
        num_used = num_known * self.data.fraction
        num_val = num_used * self.data.val_fraction
        return (num_used - num_val) * self.share_trained, num_val * self.data.labelled_fraction

    @property
    def share_trained(self) -> float:
        """The share of the training images that it trains on: without a teacher those whose labels are known."""
        return self.data.labelled_fraction if self.distillation is None else 1.0

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        facts, size = SOURCES.get(self.data.source), self.data.img_size
        if self.model.family == "vit":
            if size % self.model.patch_size:
                raise ValueError(
                    f"Patches of {self.model.patch_size} px do not divide images of {size} px; "
                    f"choose patch_size among {divisors(size, 64)} or another img_size."
                )
            if self.model.distilled and self.distillation is None:
                raise ValueError(
                    "A distilled model without distillation would leave its second head untrained; "
                    "add a distillation section with a teacher, or set model.distilled to false."
                )
        has_tokens = self.model.family == "vit" and self.model.distilled
        if has_tokens and self.distillation is not None and self.distillation.alpha == 0:
            raise ValueError(
                "With a distillation.alpha of 0 the distillation head learns nothing, and the model predicts with the "
                "mean of both heads; choose an alpha above 0, or set model.distilled to false."
            )
        if self.distillation is not None and self.distillation.trained_fusion and not has_tokens:
            raise ValueError(
                "Late fusion needs the embeddings of two tokens, but a model without distillation token has only one; "
                "set model.distilled to true, or distillation.trained_fusion to false."
            )
        is_random = not self.initial_checkpoint and not (
            self.model.family == "torchvision" and self.model.pretrained != "off"
        )
        if isinstance(self.model, LibrarySpec) and self.model.freeze_backbone and is_random:
            remedy = "set model.pretrained to imagenet, " if self.model.family == "torchvision" else ""
            raise ValueError(
                f"A frozen backbone without pretrained weights stays random; {remedy}name an initial_checkpoint, or "
                "set model.freeze_backbone to false."
            )
        if self.augment.horizontal_flip and facts is not None and not facts.flips_keep_class:
            raise ValueError(
                f"A mirrored image of {facts.title} no longer shows its class; set augment.horizontal_flip to false."
            )
        if self.augment.test_flip and facts is not None and not facts.flips_keep_class:
            raise ValueError(
                f"A mirrored image of {facts.title} no longer shows its class; set augment.test_flip to false."
            )
        if self.augment.crop_padding >= size:
            raise ValueError(
                f"A crop_padding of {self.augment.crop_padding} px can push an image of {size} px out of sight; "
                "make it smaller."
            )
        return self

    @model_validator(mode="after")
    def _recipe_fits_model(self) -> Self:
        if self.model.family != "vit":
            if self.optim.optimizer == "muon":
                raise ValueError(
                    "Muon optimises the matrices of ViT blocks, and this model has none; set optim.optimizer to adamw "
                    "or sgd."
                )
            if self.optim.layer_decay < 1:
                raise ValueError(
                    "optim.layer_decay applies to the blocks of a ViT, and this model has none; set it to 1."
                )
            is_frozen = isinstance(self.model, LibrarySpec) and self.model.freeze_backbone
            if self.optim.batch_size == 1 and not is_frozen:
                raise ValueError("Batch norm cannot learn from one image; set optim.batch_size to 2 or more.")
        return self
