"""The reference of all fields of a spec, as the command `fields` prints it and `docs/fields.md` has it.

Knows only specs and Markdown.
"""

from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from deit_core.results.markdown import Markup, table
from deit_core.spec import (
    AugmentSpec,
    ComputeSpec,
    DataSpec,
    DistillationSpec,
    ExperimentSpec,
    OptimSpec,
    PlainCnnSpec,
    ResNet9Spec,
    RolloutSpec,
    RunSpec,
    Sweep,
    TimmSpec,
    TorchvisionSpec,
    VisionTransformerSpec,
    field_help,
    value_text,
)
from deit_core.spec.fields import Part

_INTRODUCTION = """
Each field is defined once, in `deit_core/spec/`; this page, the form and the command line are made from there.
`--set PATH=VALUE` sets a field of every run that has it, `--set NAME.PATH=VALUE` of the run NAME of an experiment.
Those of a sweep have options of their own, `--sweep`, `--trials`, `--sweep-seed` and `--stop-early`.
Fields marked * are under *Advanced* in the form. The last section has the fields of the Attention page, which are the
options of `python -m deit_core rollout` too (`--discard-ratio` for `discard_ratio`).
"""

_SECTIONS: tuple[tuple[str, str, type[Part]], ...] = (
    ("A run", "", RunSpec),
    ("Data", "data.", DataSpec),
    ("Model: ViT and DeiT", "model.", VisionTransformerSpec),
    ("Model: the CNN teacher", "model.", ResNet9Spec),
    ("Model: a plain CNN", "model.", PlainCnnSpec),
    ("Model: a CNN of torchvision's", "model.", TorchvisionSpec),
    ("Model: a network of timm's", "model.", TimmSpec),
    ("Distillation", "distillation.", DistillationSpec),
    ("Optimisation", "optim.", OptimSpec),
    ("Augmentation", "augment.", AugmentSpec),
    ("Computation", "compute.", ComputeSpec),
    ("An experiment", "", ExperimentSpec),
    ("A sweep", "sweep.", Sweep),
    ("A map of attention", "", RolloutSpec),
)


def field_reference() -> str:
    """The whole page."""
    parts = ["# All fields of a spec", _INTRODUCTION.strip()]
    for title, prefix, part in _SECTIONS:
        parts += [f"## {title}", table(("Field", "Default", "What it is"), _rows(prefix, part))]
    return "\n\n".join(parts) + "\n"


def _rows(prefix: str, part: type[Part]) -> Iterator[tuple[str, str, str]]:
    for name, info in part.model_fields.items():
        if isinstance(info.json_schema_extra, dict):  # parts, and the version, are set by no one
            mark = " *" if info.json_schema_extra["advanced"] else ""
            yield Markup(f"`{prefix}{name}`{mark}"), Markup(_default(info)), Markup(field_help(info))


def _default(info: FieldInfo) -> str:
    default: Any = info.default
    if info.is_required():
        return "required"
    if default is None or default in ((), ""):
        return "empty"
    return f"`{value_text(default)}`"
