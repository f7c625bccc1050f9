"""A model card in Markdown: what a checkpoint is, from which data and recipe it comes, and how well it does.

Knows a checkpoint's `ModelCard` and the numbers it is given; no files, no runs.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from deit_core.catalog import SOURCES
from deit_core.image_folders.facts import title_of
from deit_core.results.markdown import Markup, plain, table
from deit_core.spec import LibrarySpec, RunSpec, run_without_places

if TYPE_CHECKING:
    from torch import nn

    from deit_core.models import ModelCard

_WHAT_IT_IS = {
    "ViT": "A Vision Transformer",
    "DeiT": "A Vision Transformer with a distillation token (DeiT)",
    "teacher": "A convolutional network",
}
_LIBRARIES = {"torchvision": "torchvision's", "timm": "timm's"}


def role(spec: RunSpec) -> str:
    """What a run's model is in a lesson: "DeiT" for a ViT with a distillation token, "ViT" without, else "teacher"."""
    if spec.model.family != "vit":
        return "teacher"
    return "DeiT" if spec.model.distilled else "ViT"


def model_card(card: "ModelCard", results: Mapping[str, float], model: "nn.Module") -> str:
    """The card as Markdown.

    Args:
        results: further numbers by name, such as those of the test; of validation the card's own count, which are of
            these weights and not of the last epoch's.
        model: that the card belongs to.
    """
    spec, title = run_without_places(card.spec), title_of(card.spec.data)
    origin = f"{SOURCES[spec.data.source].origin}. " if spec.data.source in SOURCES else ""
    scores = {name: value for name, value in (dict(results) | dict(card.metrics)).items() if _is_score(name)}
    held = f"{100 * spec.data.val_fraction:g}% of them for choosing the epoch (split seed {spec.data.split_seed})"
    if spec.data.source == "folder":
        held += ", or its own val part where it has val and test"
    versions = ", ".join(plain(f"{name} {version}") for name, version in card.versions.items()) or "not recorded"
    num_params = sum(parameter.numel() for parameter in model.parameters())
    sections = [
        f"# {plain(spec.name)}",
        f"{_what_it_is(spec)} of {num_params:,} parameters that tells {len(card.classes)} classes of "
        f"{plain(title)} apart. Trained with DeiT Lab; these are the weights after epoch {card.epoch} of "
        f"{spec.optim.epochs}, the best on validation images.",
        plain(spec.notes),
        "## Data",
        f"{plain(title)}: {origin}{100 * spec.data.fraction:g}% of its training images was used, {held}. SHA-256 "
        f"of the data: {plain(card.data_hash)}.",
        f"Classes, in the order of the logits: {', '.join(map(plain, card.classes))}.",
        *_inputs(card, model),
        "## Results",
        table(("Measure", "Value"), ((name, f"{value:.4f}") for name, value in sorted(scores.items()))),
        _on_test(scores),
        "## Recipe",
        f"Seed {spec.seed}, computed in {plain(card.precision or spec.compute.precision)}. {_teacher(spec)}",
        table(("Field", "Value"), ((Markup(f"`{path}`"), str(value)) for path, value in _fields(spec))),
        "## Versions",
        f"{versions[0].upper()}{versions[1:]}.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _what_it_is(spec: RunSpec) -> str:
    if spec.model.family == "timm":
        return f"{plain(spec.model.name)}, a network of timm's,"
    return _WHAT_IT_IS[role(spec)]


def _inputs(card: "ModelCard", model: "nn.Module") -> Iterator[str]:
    """What the model reads; of another library's, what the network reads that is exported without the rest."""
    own = pixels(card.in_chans, card.spec.data.img_size, card.mean, card.std)
    if not isinstance(card.spec.model, LibrarySpec):
        yield f"Input: {own}."
        return
    from deit_core.models import network_input

    network = network_input(card, model)
    assert network.img_size is not None
    grey = "; a grey image is repeated to three channels" if card.in_chans == 1 else ""
    yield (
        f"Input of a `.pt` or `.safetensors` export, which is {_LIBRARIES[card.spec.model.family]} network alone: "
        f"{pixels(3, network.img_size[0], network.mean, network.std)}{grey}."
    )
    yield f"Input of the run's checkpoint and of an ONNX export, which do the rest for themselves: {own}."


def pixels(in_chans: int, size: int, mean: Iterable[float], std: Iterable[float]) -> str:
    """What a network reads, in words."""
    return (
        f"{in_chans} x {size} x {size} pixels in [0, 1], less the mean {_numbers(mean)} and divided by the standard "
        f"deviation {_numbers(std)}"
    )


def _on_test(scores: Mapping[str, float]) -> str:
    if any(name.startswith("test_") for name in scores):
        return "Test images were looked at once, after the epoch had been chosen on validation images."
    return "There is no score on test images: they are looked at once, at the end of a run."


def _is_score(name: str) -> bool:
    return name.startswith(("val_", "test_"))


def _teacher(spec: RunSpec) -> str:
    if spec.distillation is None:
        return "No teacher."
    return f"Teacher: {plain(spec.distillation.teacher)}, {spec.distillation.kind} distillation."


def _fields(part: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            yield from _fields(value, f"{prefix}{name}.")
        elif prefix + name not in ("version", "name", "notes"):
            yield prefix + name, value


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
