"""The fields of a run's spec as a widget needs them: label, help, kind and choices, all taken from the spec.

Knows pydantic's fields; no widgets.
"""

from dataclasses import dataclass
from types import UnionType
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from deit_core.spec import RunSpec, bounds

_WORDS = {
    "attn": "attention",
    "aug": "augmentation",
    "color": "colour",
    "cutmix": "CutMix",
    "dim": "dimension",
    "ema": "EMA",
    "embed": "embedding",
    "grad": "gradient",
    "img": "image",
    "lr": "learning rate",
    "min": "minimum",
    "mlp": "MLP",
    "normalization": "normalisation",
    "num": "number of",
    "ops": "operations",
    "optimizer": "optimiser",
    "prob": "probability",
    "randaugment": "RandAugment",
    "seeds": "number of seeds",
    "val": "validation",
    "warmup": "warm-up",
}
# A run's role in its experiment: a change of one of these alone gives a spec that cannot be trained.
_ROLES = {"model.distilled", "distillation.teacher"}


@dataclass(frozen=True)
class FormField:
    """A field of a run's spec as a widget needs it. `path` is what `replace` takes."""

    path: str
    label: str
    help: str
    kind: type
    choices: tuple[str, ...]
    is_optional: bool
    is_advanced: bool
    source: str
    max_length: int | None

    @property
    def section(self) -> str:
        return self.path.rpartition(".")[0]


def form_fields(run: RunSpec) -> list[FormField]:
    """Every field of a run that a user may set, in the spec's order, its own (name, seed) first."""
    parts: dict[str, BaseModel] = {"": run}
    parts |= {name: part for name in type(run).model_fields if isinstance(part := getattr(run, name), BaseModel)}
    fields = [
        form_field(f"{prefix}.{name}".lstrip("."), info)
        for prefix, part in parts.items()
        for name, info in type(part).model_fields.items()
        if _is_settable(info)
    ]
    return [field for field in fields if field.path not in _ROLES]


def _is_settable(info: FieldInfo) -> bool:
    """Parts have no unit, only fields of their own; a literal with one value is the name of a kind."""
    is_constant = get_origin(info.annotation) is Literal and len(get_args(info.annotation)) == 1
    return isinstance(info.json_schema_extra, dict) and not is_constant


def form_field(path: str, info: FieldInfo) -> FormField:
    extra = info.json_schema_extra
    assert isinstance(extra, dict)
    annotation = info.annotation
    is_optional = isinstance(annotation, UnionType)
    if is_optional:
        annotation = next(choice for choice in get_args(annotation) if choice is not type(None))
    is_choice = get_origin(annotation) is Literal
    kind = str if is_choice else get_origin(annotation) or annotation
    assert isinstance(kind, type)
    max_length = next((item.max_length for item in info.metadata if hasattr(item, "max_length")), None)
    return FormField(
        path=path,
        label=label_of(path.rpartition(".")[2], info),
        help=help_of(path, info),
        kind=kind,
        choices=get_args(annotation) if is_choice else (),
        is_optional=is_optional,
        is_advanced=bool(extra["advanced"]),
        source=str(extra["source"]),
        max_length=max_length,
    )


def help_of(path: str, info: FieldInfo) -> str:
    return f"{info.description}{bounds(info)} `{path}`"


def label_of(name: str, info: FieldInfo) -> str:
    """The field's title, or its name in words, with its unit."""
    extra = info.json_schema_extra
    unit = str(extra["unit"]) if isinstance(extra, dict) else ""
    return (info.title or _in_words(name, unit)) + (f" ({unit})" if unit else "")


def _in_words(name: str, unit: str) -> str:
    words = name.removesuffix(f"_{unit}").split("_")
    text = " ".join(_WORDS.get(word, word) for word in words)
    return text[0].upper() + text[1:]
