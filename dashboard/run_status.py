"""A run in words for pages: the words of deit_core.runs.condition, its kind of model, its partner, a colour.

Knows no widgets.
"""

from collections.abc import Sequence
from typing import Literal

from dashboard.reach import shown
from deit_core.metrics import BEST_VAL_ACCURACY, TEST_ACCURACY
from deit_core.results.role_looks import Look, looks
from deit_core.runs import Run, Status, condition
from deit_core.runs.condition import is_live, label, word
from deit_core.spec import SEARCH_TAG, LibrarySpec
from deit_core.text.quoting import shortened

__all__ = [
    "Tone",
    "choice_label",
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

_CHOICE = 31  # characters of a name in a box

Tone = Literal["gray", "blue", "green", "orange", "red"]


def explain(run: Run, runs: Sequence[Run]) -> str:
    """`condition.explain`, without paths where others can reach the server; plain text."""
    return shown(condition.explain(run, runs))


def choice_label(run: Run) -> str:
    """A run in a box where people choose one: number, name and accuracy, short enough to be read whole.

    The accuracy is that on test images, of a search on validation images.
    """
    score = BEST_VAL_ACCURACY if SEARCH_TAG in run.spec.tags else TEST_ACCURACY
    name = shortened(label(run), _CHOICE)
    return f"{name} · {run.results[score]:.1%}" if score in run.results else name


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
