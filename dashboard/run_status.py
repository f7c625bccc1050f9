"""A run in words for pages: the words of deit_core.runs.condition, its kind of model, its partner, a colour.

Knows no widgets.
"""

from collections.abc import Sequence
from typing import Literal

from dashboard.reach import shown
from deit_core.results.role_looks import Look, looks
from deit_core.runs import Run, Status, condition
from deit_core.runs.condition import is_live, label, word
from deit_core.spec import LibrarySpec

__all__ = [
    "Tone",
    "explain",
    "family",
    "is_live",
    "label",
    "looks_of",
    "newest_pair",
    "tone",
    "word",
]

_FAMILIES = {"vit": "ViT", "cnn": "CNN", "resnet9": "ResNet-9"}

Tone = Literal["gray", "blue", "green", "orange", "red"]


def explain(run: Run, runs: Sequence[Run]) -> str:
    """`condition.explain`, without paths where others can reach the server; plain text."""
    return shown(condition.explain(run, runs))


def family(run: Run) -> str:
    """The kind of model, by its usual short name."""
    model = run.spec.model
    if isinstance(model, LibrarySpec):
        return model.name
    return "DeiT" if model.family == "vit" and model.distilled else _FAMILIES[model.family]


def looks_of(runs: Sequence[Run]) -> list[Look]:
    """How each run of a figure is drawn, by its role."""
    return looks([run.spec for run in runs])


def newest_pair(runs: Sequence[Run]) -> list[Run]:
    """The newest completed ViT and DeiT of one experiment, if possible of one seed; `runs` come newest first."""
    completed = [run for run in runs if run.status == Status.COMPLETED and run.experiment_id is not None]
    for deit in (run for run in completed if family(run) == "DeiT"):
        vits = [run for run in completed if family(run) == "ViT" and run.experiment_id == deit.experiment_id]
        if vits:
            return [next((vit for vit in vits if vit.spec.seed == deit.spec.seed), vits[0]), deit]
    return []


def tone(word: str) -> Tone:
    """The colour that goes with a word."""
    tones: dict[str, Tone] = {
        "running": "blue",
        "stopping": "blue",
        "completed": "green",
        "blocked": "orange",
        "interrupted": "orange",
        "failed": "red",
    }
    return tones.get(word, "gray")
