"""Optimiser, schedule and EMA weights."""

import math
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from deit_core.spec.fields import Part, field

_OLD_EMA = {"beside": "separate", "instead": "replace"}  # values of specs until 2026-11-28


class OptimSpec(Part):
    """Optimiser and schedule: linear warm-up, then cosine decay, a pure function of the step."""

    optimizer: Literal["adamw", "sgd", "muon"] = field(
        "adamw",
        "AdamW; SGD with Nesterov momentum 0.9; or Muon for the matrices of a ViT's blocks and AdamW for the rest, "
        "with one learning rate.",
        advanced=True,
    )
    epochs: int = field(10, "Passes over the training images.", ge=1, le=10_000)
    batch_size: int = field(128, "Images per step; all training images if there are fewer.", ge=1, le=8192)
    lr: float = field(1e-3, "Peak learning rate, before lr_scaling.", gt=0, le=10)
    lr_scaling: Literal["none", "linear", "sqrt"] = field(
        "none",
        "How the peak learning rate follows the batch size. linear: lr * batch_size / 512, as DeiT; sqrt: lr * "
        "sqrt(batch_size / 256), as timm for AdamW. min_lr does not change.",
        advanced=True,
    )
    min_lr: float = field(1e-5, "Learning rate at the end of training.", ge=0, le=1, advanced=True)
    warmup_epochs: float = field(1.0, "Epochs until the peak is reached.", ge=0, advanced=True)
    weight_decay: float = field(
        0.05,
        "Weight decay, decoupled except for SGD; not applied to tokens, positions, biases and norms.",
        ge=0,
        le=1,
        advanced=True,
    )
    label_smoothing: float = field(0.1, "Softens the true labels (not the teacher's).", ge=0, lt=1, advanced=True)
    clip_grad: float | None = field(
        None,
        "Gradients with a larger total norm are scaled down to this norm; empty: never.",
        gt=0,
        le=1000,
        advanced=True,
    )
    layer_decay: float = field(
        1.0,
        "The learning rate of each ViT block is this multiple of the rate of the next block; 1: all the same. Meant "
        "for fine-tuning.",
        gt=0,
        le=1,
        advanced=True,
    )
    ema: Literal["off", "separate", "replace"] = field(
        "off",
        "Moving average of the weights (EMA). separate: it is evaluated too, and its numbers are reported separately "
        "(val_accuracy_ema). replace: it is evaluated and saved in place of the weights themselves.",
        advanced=True,
    )
    ema_decay: float = field(0.9998, "Share of the EMA weights that is kept at each step.", ge=0, lt=1, advanced=True)
    ema_warmup: bool = field(
        True,
        "Lets the EMA weights follow faster at first. Without it, those of a short run are mostly the initial weights.",
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

    @field_validator("ema", mode="before")
    @classmethod
    def _old_names(cls, value: Any) -> Any:
        return _OLD_EMA.get(value, value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _schedule_is_sound(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"A warm-up of {self.warmup_epochs:g} epochs never ends in a run of {self.epochs}; "
                "make optim.warmup_epochs (an advanced field) smaller than optim.epochs."
            )
        if self.min_lr > self.peak_lr:
            scaled = "" if self.lr_scaling == "none" else f", which lr_scaling makes {self.peak_lr:g}"
            raise ValueError(f"min_lr {self.min_lr:g} is larger than lr {self.lr:g}{scaled}; make it smaller.")
        return self
