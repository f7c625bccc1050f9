"""The whole of a run as plain data: what is trained, on what, how, and with which seed.

Each field is defined once, with its description, unit and bounds; the form, its tooltips, the command line and the
docs are generated from here. A spec knows nothing of tensors, files on this machine, or the state of a run.
"""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from deit_core.catalog import SOURCES, SourceName
from deit_core.errors import SpecError, spec_error


def _field(
    default: Any, description: str, *, unit: str = "", advanced: bool = False, source: str = "", **bounds: Any
) -> Any:
    """A field with all that a form needs: `advanced` fields are folded away, `unit` stands behind the number, and one
    with a `source` means something with that source alone.
    """
    extra: dict[str, Any] = {"unit": unit, "advanced": advanced, "source": source}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class DataSpec(_Part):
    """Which images, cut how into train, validation and test."""

    source: SourceName = _field("fashion-mnist", "The data set; folder is any folder of images.")
    path: str = _field(
        "",
        "The folder of images, in the data folder or absolute: a folder a class, or train, val and test with such.",
        max_length=1000,
        source="folder",
    )
    colour: bool = _field(True, "Images are read in colour (3 channels), or in grey (1).", source="folder")
    corrupt_images: Literal["refuse", "skip"] = _field(
        "refuse",
        "refuse: a file that cannot be read ends the run, with its name. skip: it is left out, after all were tried.",
        advanced=True,
        source="folder",
    )
    img_size: int = _field(28, "Images are resized to this width and height.", unit="px", ge=8, le=512)
    fraction: float = _field(
        1.0, "Share of the training images that is used, the same share of each class.", gt=0, le=1
    )
    val_fraction: float = _field(
        0.1, "Share of the training images set aside for choosing the best epoch.", ge=0.01, le=0.5, advanced=True
    )
    split_seed: int = _field(
        0,
        "Seed of the validation split and of the fraction. A teacher and its students share it, so that neither "
        "learns from images the other is judged on.",
        ge=0,
        lt=2**31,
        advanced=True,
    )
    normalization: Literal["computed", "half"] = _field(
        "computed",
        "Mean and standard deviation that pixels are normalised with: computed from the training images, or .5 and .5.",
        advanced=True,
    )

    @property
    def split(self) -> tuple[str, float, float, int]:
        """What decides which images are learned and which are held back; a teacher's must be its students'."""
        return self.origin, self.fraction, self.val_fraction, self.split_seed

    @property
    def origin(self) -> str:
        """What tells one collection of images from another."""
        return f"folder {self.path}" if self.source == "folder" else self.source

    @model_validator(mode="after")
    def _folder_has_a_path(self) -> Self:
        if self.source == "folder" and not self.path.strip():
            raise ValueError("A folder of images needs data.path; give it the folder's place.")
        return self


class VisionTransformerSpec(_Part):
    """A ViT; with `distilled` a DeiT, which has a distillation token and a second head."""

    family: Literal["vit"] = _field("vit", "Vision Transformer.")
    distilled: bool = _field(False, "Adds the distillation token and its head: the DeiT student.")
    patch_size: int = _field(4, "Side of the square patches an image is cut into.", unit="px", ge=1, le=64)
    embed_dim: int = _field(64, "Width of every token.", ge=8, le=2048)
    depth: int = _field(6, "Number of transformer blocks.", ge=1, le=48)
    num_heads: int = _field(4, "Attention heads per block; divides the width.", ge=1, le=32)
    mlp_ratio: float = _field(2.0, "Hidden width of a block's MLP, in multiples of the width.", gt=0, le=8)
    drop_rate: float = _field(0.0, "Dropout on positions, attention output and MLP.", ge=0, lt=1, advanced=True)
    attn_drop_rate: float = _field(0.0, "Dropout on the attention weights.", ge=0, lt=1, advanced=True)
    drop_path_rate: float = _field(
        0.0, "Stochastic depth: chance that the last block is skipped; earlier ones less.", ge=0, lt=1, advanced=True
    )

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.embed_dim % self.num_heads:
            raise ValueError(
                f"embed_dim {self.embed_dim} cannot be shared by {self.num_heads} heads; "
                f"choose num_heads among {_divisors(self.embed_dim, 32)} or another embed_dim."
            )
        return self


class ResNet9Spec(_Part):
    """The CNN teacher: a ResNet of nine layers for small images."""

    family: Literal["resnet9"] = _field("resnet9", "Convolutional network.")
    width: int = _field(32, "Channels of the first layer; later layers have 2 and 4 times as many.", ge=4, le=256)


class TorchvisionSpec(_Part):
    """A CNN teacher of torchvision's, with a head for the data set's classes."""

    family: Literal["torchvision"] = _field("torchvision", "Convolutional network of torchvision's.")
    name: Literal[
        "resnet18",
        "resnet50",
        "regnet_y_400mf",
        "regnet_y_800mf",
        "regnet_y_1_6gf",
        "regnet_y_3_2gf",
        "regnet_y_8gf",
        "regnet_y_16gf",
    ] = _field("resnet18", "The network, by torchvision's name. DeiT's own teacher was a RegNetY-16GF.")
    pretrained: Literal["off", "imagenet"] = _field(
        "off",
        "imagenet: starts from torchvision's ImageNet weights, taken from initial_checkpoint where that names a file, "
        "else from torchvision's cache or its download; images are then normalised as ImageNet's. off: from scratch.",
    )
    freeze_backbone: bool = _field(
        False,
        "Trains the new head alone; the rest stays as it was pretrained, its batch norms' statistics too. "
        "Off: everything is fine-tuned.",
    )
    input_size: int | None = _field(
        None,
        "The network resizes images to this before it looks at them, such as 224 for ImageNet weights; empty leaves "
        "them as they are.",
        unit="px",
        ge=8,
        le=512,
    )


ModelSpec = Annotated[VisionTransformerSpec | ResNet9Spec | TorchvisionSpec, Field(discriminator="family")]


class DistillationSpec(_Part):
    """What a student learns from its teacher.

    With a distillation token the teacher's term has an output of its own, the second head. Without one, as in a plain
    ViT or a CNN, the one output learns from the labels and the teacher both: the paper's "usual" and "hard"
    distillation without token.
    """

    teacher: str = _field(
        "teacher",
        "The teacher: the name of a run of the same experiment, the id of a finished run, or a checkpoint's path.",
        min_length=1,
        max_length=1000,
    )
    kind: Literal["hard", "soft"] = _field(
        "hard", "hard: the teacher's decision is a second label. soft: its whole distribution is matched."
    )
    alpha: float = _field(0.5, "Weight of the teacher's term; the true labels get the rest.", ge=0, le=1)
    tau: float = _field(
        3.0, "Temperature of soft distillation: higher shows more of what the teacher finds similar.", gt=0, le=100
    )
    reduction: Literal["batchmean", "numel"] = _field(
        "batchmean",
        "How the soft term is averaged: over images (Hinton et al. 2015), or over images and classes as the original "
        "DeiT code does, which makes it smaller by the number of classes.",
        advanced=True,
    )
    stored_logits: Literal["float32", "float16", "off"] = _field(
        "float32",
        "How the teacher's logits are kept on disk, for all students of the same views. float32: exactly what it says. "
        "float16: half the space, each logit rounded by up to 1/2048 of itself. off: it is asked at every step.",
        advanced=True,
    )


class OptimSpec(_Part):
    """Optimiser and schedule: linear warm-up, then cosine decay, a pure function of the step."""

    optimizer: Literal["adamw", "sgd", "muon"] = _field(
        "adamw",
        "AdamW; SGD with Nesterov momentum .9; or Muon on the matrices of a ViT's blocks and AdamW on the rest, at "
        "one learning rate.",
    )
    epochs: int = _field(10, "Passes over the training images.", ge=1, le=10_000)
    batch_size: int = _field(128, "Images per step.", ge=1, le=8192)
    lr: float = _field(1e-3, "Peak learning rate, before lr_scaling.", gt=0, le=10)
    lr_scaling: Literal["none", "linear", "sqrt"] = _field(
        "none",
        "How the peak follows the batch size. linear: lr * batch_size / 512, as DeiT; sqrt: lr * sqrt(batch_size / "
        "256), as timm for AdamW. The minimum stays as it is.",
        advanced=True,
    )
    min_lr: float = _field(1e-5, "Learning rate at the end.", ge=0, le=1, advanced=True)
    warmup_epochs: float = _field(1.0, "Epochs until the peak is reached.", ge=0, advanced=True)
    weight_decay: float = _field(
        0.05, "Decoupled weight decay; spares tokens, positions, biases and norms.", ge=0, le=1, advanced=True
    )
    label_smoothing: float = _field(0.1, "Softens the true labels (not the teacher's).", ge=0, lt=1, advanced=True)
    clip_grad: float | None = _field(
        None, "Gradients whose joint norm is larger are scaled down to it; empty: never.", gt=0, le=1000, advanced=True
    )
    layer_decay: float = _field(
        1.0,
        "Each block of a ViT learns at this multiple of the rate of the block after it; 1: all at the same. Meant "
        "for fine-tuning.",
        gt=0,
        le=1,
        advanced=True,
    )
    ema: Literal["off", "beside", "instead"] = _field(
        "off",
        "Moving average of the weights. beside: judged as well, its numbers reported apart (val_accuracy_ema). "
        "instead: judged and kept in place of the weights themselves.",
        advanced=True,
    )
    ema_decay: float = _field(
        0.9998, "Share that the moving average keeps of itself at each step.", ge=0, lt=1, advanced=True
    )
    ema_warmup: bool = _field(
        True,
        "Lets the moving average follow faster at first; without it a short run's is mostly its initial weights.",
        advanced=True,
    )

    @property
    def peak_lr(self) -> float:
        """The learning rate at the end of the warm-up, scaled for the batch size."""
        factors = {
            "none": 1.0,
            "linear": self.batch_size / 512,
            "sqrt": math.sqrt(self.batch_size / 256),
        }
        return self.lr * factors[self.lr_scaling]

    @model_validator(mode="after")
    def _schedule_is_sound(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"A warm-up of {self.warmup_epochs:g} epochs never ends in a run of {self.epochs}; "
                "make optim.warmup_epochs (an advanced field) smaller than optim.epochs."
            )
        if self.min_lr > self.peak_lr:
            scaled = "" if self.lr_scaling == "none" else f", which lr_scaling makes {self.peak_lr:g}"
            raise ValueError(f"min_lr {self.min_lr:g} lies above lr {self.lr:g}{scaled}; make it smaller.")
        return self


class AugmentSpec(_Part):
    """Random views of the training images, the same for every run with the same seed."""

    crop_padding: int = _field(
        2, "Pads by this much and crops back at random: shifts by up to it.", unit="px", ge=0, le=32
    )
    horizontal_flip: bool = _field(False, "Mirrors half of the images. Never for digits.")
    randaugment_ops: int = _field(
        0,
        "RandAugment as in torchvision: so many of its 14 operations in a row on each image; 0 is off, DeiT takes 2.",
        ge=0,
        le=4,
        advanced=True,
    )
    randaugment_magnitude: int = _field(
        9, "How strong they are, 0 to 30. What timm calls m9 of 10 is 27 here.", ge=0, le=30, advanced=True
    )
    color_jitter: float = _field(
        0.0,
        "Brightness, contrast and saturation change by up to this share; 0 is off. DeiT has .3, which RandAugment "
        "replaces where it is on.",
        ge=0,
        le=1,
        advanced=True,
    )
    random_erasing: float = _field(
        0.0, "Chance that a rectangle of 2 to 33 % of an image becomes noise; DeiT has .25.", ge=0, le=1, advanced=True
    )
    mixup_alpha: float = _field(
        0.0,
        "Mixup: each image is a blend of two, by a share from Beta(alpha, alpha); 0 is off, DeiT has .8.",
        ge=0,
        le=10,
        advanced=True,
    )
    cutmix_alpha: float = _field(
        0.0,
        "CutMix: a box of each image is another's, of a share from Beta(alpha, alpha); 0 is off, DeiT has 1.",
        ge=0,
        le=10,
        advanced=True,
    )
    mixup_prob: float = _field(1.0, "Share of the batches that are mixed at all.", ge=0, le=1, advanced=True)
    mixup_switch_prob: float = _field(
        0.5, "Where both are on, the share of them that CutMix takes.", ge=0, le=1, advanced=True
    )
    repeated_aug: int = _field(
        1,
        "Repeated augmentation: views of one image in a batch, which then has fewer images; 1 is off, DeiT has 3.",
        ge=1,
        le=16,
        advanced=True,
    )
    test_flip: bool = _field(
        False,
        "Also scores the test images by the mean of each image's logits and its mirror image's; reported apart, as "
        "test_accuracy_flip. Never for digits.",
        advanced=True,
    )

    @property
    def mixes(self) -> bool:
        """Whether images are mixed with each other."""
        return self.mixup_prob > 0 and (self.mixup_alpha > 0 or self.cutmix_alpha > 0)

    @property
    def num_views(self) -> int | None:
        """How many views there are of one image; None where they are without end, or too many to come twice."""
        if self.randaugment_ops or self.color_jitter or self.random_erasing or self.mixes:
            return None
        return (2 * self.crop_padding + 1) ** 2 * (2 if self.horizontal_flip else 1)


class ComputeSpec(_Part):
    """Where and how a run is computed. Changes the speed, not what is learned (beyond rounding)."""

    device: Literal["auto", "cpu", "cuda", "mps"] = _field(
        "auto", "auto takes a GPU where there is one.", advanced=True
    )
    precision: Literal["auto", "float32", "bfloat16"] = _field(
        "auto",
        "auto tries both on the run's first steps and takes the faster; bfloat16 is autocast, mostly faster for CNNs "
        "and on GPUs, slower for a small ViT on a CPU.",
        advanced=True,
    )
    num_threads: int | None = _field(
        None, "CPU threads; empty shares the cores among the workers.", ge=1, le=256, advanced=True
    )
    checkpoint_interval_s: float = _field(
        60.0,
        "Longest time between two saved states, beside the one at each epoch's end.",
        unit="s",
        gt=0,
        advanced=True,
    )


class RunSpec(_Part):
    """One training, completely. Equal specs give equal weights on the same CPU, computed in the same precision."""

    version: Literal[1] = 1
    name: str = _field("run", "What the run is called on the pages.", min_length=1, max_length=80, pattern=r"\S")
    data: DataSpec = DataSpec()
    model: ModelSpec = VisionTransformerSpec()
    distillation: DistillationSpec | None = None
    optim: OptimSpec = OptimSpec()
    augment: AugmentSpec = AugmentSpec()
    compute: ComputeSpec = ComputeSpec()
    seed: int = _field(42, "Seed of initialisation, order, views and dropout.", ge=0, lt=2**31)
    initial_checkpoint: str = _field(
        "",
        "Weights that training starts from: the name of a run of the same experiment, the id of a finished run, or a "
        "file of DeiT Lab, timm, Facebook's DeiT or Hugging Face. Another image size resamples the positions, other "
        "classes get new heads. Empty: from scratch.",
        advanced=True,
        max_length=1000,
    )
    tags: tuple[Annotated[str, Field(max_length=80)], ...] = _field(
        (), "Words to find the run by.", advanced=True, max_length=50
    )
    notes: str = _field("", "Anything worth remembering.", max_length=10_000, advanced=True)

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        facts, size = SOURCES.get(self.data.source), self.data.img_size
        if self.model.family == "vit":
            if size % self.model.patch_size:
                raise ValueError(
                    f"Patches of {self.model.patch_size} px do not divide images of {size} px; "
                    f"choose patch_size among {_divisors(size, 64)} or another img_size."
                )
            if self.model.distilled and self.distillation is None:
                raise ValueError(
                    "A distilled model without distillation would leave its second head untrained; "
                    "add a distillation section with a teacher, or set model.distilled to false."
                )
        is_random = not self.initial_checkpoint and not (
            self.model.family == "torchvision" and self.model.pretrained != "off"
        )
        if self.model.family == "torchvision" and self.model.freeze_backbone and is_random:
            raise ValueError(
                "A frozen backbone that has learned nothing stays random; set model.pretrained to imagenet, name "
                "an initial_checkpoint, or set model.freeze_backbone to false."
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
                    "Muon moves the matrices of a ViT's blocks, and this model has none; set optim.optimizer to adamw "
                    "or sgd."
                )
            if self.optim.layer_decay < 1:
                raise ValueError("optim.layer_decay counts the blocks of a ViT, and this model has none; set it to 1.")
        return self


class Expectation(_Part):
    """What a preset gave when it was last measured: test accuracy by run name, and the time for all of it."""

    accuracy: dict[str, float]
    duration_s: float
    measured_on: str


class ExperimentSpec(_Part):
    """A named set of runs, a teacher before its students: the unit a lesson launches."""

    version: Literal[1] = 1
    name: str = Field(min_length=1, max_length=80)
    description: str = ""
    runs: tuple[RunSpec, ...] = Field(min_length=1, max_length=100)
    expectation: Expectation | None = None

    @model_validator(mode="after")
    def _runs_fit(self) -> Self:
        names = [run.name for run in self.runs]
        if awkward := [name for name in names if name in RunSpec.model_fields or "=" in name]:
            raise ValueError(f"A run cannot be called {awkward[0]!r}: fields are changed by name; give it another.")
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"Two runs are called {min(twice)!r}; give each run of an experiment its own name.")
        for index, run in enumerate(self.runs):
            if (start := self.start_of(run)) is not None:
                if names.index(start.name) >= index:
                    raise ValueError(f"{run.name!r} starts from {start.name!r}; list that run before it.")
                if start.data.source == run.data.source and start.data.split != run.data.split:
                    raise ValueError(
                        f"{start.name!r} and {run.name!r} split their data differently, so the second would start "
                        "from weights that have learned images it is judged on; give both the same fraction, "
                        "val_fraction and split_seed."
                    )
            if (teacher := self.teacher_of(run)) is None:
                continue
            if names.index(teacher.name) >= index:
                raise ValueError(f"{run.name!r} learns from {teacher.name!r}; list the teacher before its students.")
            if teacher.data.split != run.data.split:
                raise ValueError(
                    f"{teacher.name!r} and {run.name!r} split their data differently, so the "
                    "teacher would have learned images its student is judged on; give both the same source, "
                    "fraction, val_fraction and split_seed."
                )
        return self

    def teacher_of(self, run: RunSpec) -> RunSpec | None:
        """The run of this experiment that teaches `run`, if one does."""
        if run.distillation is None:
            return None
        return next((other for other in self.runs if other.name == run.distillation.teacher), None)

    def start_of(self, run: RunSpec) -> RunSpec | None:
        """The run of this experiment that `run` starts from, if it starts from one."""
        return next((other for other in self.runs if other.name == run.initial_checkpoint), None)


AnySpec = RunSpec | ExperimentSpec


def members(spec: AnySpec) -> tuple[RunSpec, ...]:
    """The runs of an experiment, or the one run."""
    return spec.runs if isinstance(spec, ExperimentSpec) else (spec,)


def load_spec(text: str | bytes) -> AnySpec:
    """Read a run or an experiment from its JSON.

    Raises: SpecError, a sentence a mistake.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"This is not JSON ({error}); copy a spec from the Train page or a run's spec.json.") from None
    if not isinstance(document, dict):
        raise SpecError("A spec is a JSON object; copy one from the Train page or a run's spec.json.")
    return _validate(ExperimentSpec if "runs" in document else RunSpec, document)


def replace(spec: AnySpec, changes: Mapping[str, Any]) -> AnySpec:
    """A validated variant of a spec: `replace(spec, {"optim.lr": 1e-3})`.

    On an experiment a change reaches every run that has the field; a path that begins with a run's name
    ("vit.optim.lr") reaches that run alone.

    Raises: SpecError where no such field is, or the outcome cannot be trained.
    """
    document = spec.model_dump(mode="json")
    for path, value in changes.items():
        keys = path.split(".")
        if isinstance(spec, RunSpec) or keys[0] in ("name", "description"):
            reached = [document] if _has(document, keys) else []
        elif named := [run for run in document["runs"] if path.startswith(run["name"] + ".")]:
            alone = max(named, key=lambda run: len(run["name"]))  # a name may have dots of its own
            keys = path.removeprefix(alone["name"] + ".").split(".")
            reached = [alone] if _has(alone, keys) else []
        else:
            reached = [run for run in document["runs"] if _has(run, keys)]
        if not reached:
            raise SpecError(f"There is no field {path}; the Train page and `show` list the fields of a spec.")
        for target in reached:
            for key in keys[:-1]:
                target = target[key]
            target[keys[-1]] = value
    if changes and "expectation" in document:
        document["expectation"] = None  # it was measured on the unchanged spec
    return _validate(type(spec), document)


def _validate(kind: type[AnySpec], document: Any) -> AnySpec:
    adapter: TypeAdapter[AnySpec] = TypeAdapter(kind)
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        raise spec_error(error, document) from None


def _has(document: Any, keys: list[str]) -> bool:
    for key in keys:
        if not isinstance(document, dict) or key not in document:
            return False
        document = document[key]
    return bool(keys)


def _divisors(number: int, largest: int) -> list[int]:
    return [n for n in range(1, min(number, largest) + 1) if number % n == 0]
