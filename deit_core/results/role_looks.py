"""How a model is drawn in every figure: a colour and a marker by its role, another dash where the role comes again.

Knows specs; no figures.
"""

from collections.abc import Sequence
from typing import NamedTuple

from deit_core.results.model_card import role
from deit_core.spec import RunSpec

# Of Okabe & Ito's palette and one more: each stands out from a white and from a nearly black page. Markers, dashes and
# patterns tell them apart without any colour.
_COLOURS = {
    "teacher": "#D55E00",
    "ViT": "#0072B2",
    "DeiT": "#009E73",
    "DeiT class": "#7A3FF2",
    "DeiT distillation": "#CC79A7",
}
_SYMBOLS = {
    "teacher": "diamond",
    "ViT": "circle",
    "DeiT": "square",
    "DeiT class": "triangle-up",
    "DeiT distillation": "triangle-down",
}
_PATTERNS = {"teacher": ("", "-"), "ViT": ("/", "\\"), "DeiT": (".", "+")}
_DASHES = ("solid", "dash", "dashdot", "longdash", "longdashdot")
_FILLS = ("", "-open", "-dot", "-open-dot")  # of markers, once all dashes are taken


class Look(NamedTuple):
    """In Plotly's words."""

    colour: str
    symbol: str
    dash: str
    pattern: str


def look_of(role: str, number: int = 0, head: str = "") -> Look:
    """The look of a model.

    Args:
        role: as of `model_card.role`.
        number: how many models of this role are drawn before it.
        head: "class" or "distillation", where a line is about one head alone. A DeiT's have colours of their own.
    """
    patterns = _PATTERNS[role]
    return Look(
        _COLOURS.get(f"{role} {head}", _COLOURS[role]),
        _SYMBOLS[f"DeiT {head}" if head else role] + _FILLS[number // len(_DASHES) % len(_FILLS)],
        _DASHES[number % len(_DASHES)],
        patterns[number % len(patterns)],
    )


def numbered_roles(specs: Sequence[RunSpec]) -> list[tuple[str, int]]:
    """The role of each, and how many of it come before."""
    roles = [role(spec) for spec in specs]
    return [(one, roles[:index].count(one)) for index, one in enumerate(roles)]


def looks(specs: Sequence[RunSpec]) -> list[Look]:
    """The look of each model of a figure."""
    return [look_of(*one) for one in numbered_roles(specs)]
