"""A run in words for pages: the words of deit_core.runs.condition, its kind of model, its partner, a colour.

Knows no widgets.
"""

from collections.abc import Sequence
from typing import Literal

from dashboard.reach import shown
from deit_core.runs import Run, Status, condition
from deit_core.runs.condition import is_live, label, word

__all__ = [
    "Tone",
    "colour_of_role",
    "colours_of",
    "explain",
    "family",
    "is_live",
    "label",
    "newest_pair",
    "tone",
    "word",
]

_FAMILIES = {"vit": "ViT", "resnet9": "ResNet-9"}

# By role, the same in every comparison. Of Okabe & Ito's palette and two more: each stands out from a white and from a
# nearly black page; patterns and dashes tell them apart without any colour.
_COLOURS = {"teacher": ("#D55E00", "#A84818"), "ViT": ("#0072B2", "#7A3FF2"), "DeiT": ("#009E73", "#CC79A7")}

Tone = Literal["gray", "blue", "green", "orange", "red"]


def explain(run: Run, runs: Sequence[Run]) -> str:
    """`condition.explain`, without paths where others can reach the server; plain text."""
    return shown(condition.explain(run, runs))


def family(run: Run) -> str:
    """The kind of model, by its usual short name."""
    model = run.spec.model
    if model.family == "torchvision":
        return model.name
    return "DeiT" if model.family == "vit" and model.distilled else _FAMILIES[model.family]


def colours_of(runs: Sequence[Run]) -> list[str]:
    """The colour of each run by its role in a comparison: ViT, DeiT, or else the teacher; another where a role comes
    again.
    """
    roles = [found if (found := family(run)) in _COLOURS else "teacher" for run in runs]
    return [_COLOURS[role][min(1, roles[:index].count(role))] for index, role in enumerate(roles)]


def colour_of_role(role: Literal["teacher", "ViT", "DeiT"]) -> str:
    """The first colour of a role, for what is drawn of many runs at once."""
    return _COLOURS[role][0]


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
