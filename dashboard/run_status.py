"""What a run is and does, as pages say it: the words of deit_core.runs.condition, its kind, and a colour.

Knows no widgets.
"""

from typing import Literal

from deit_core.runs import Run
from deit_core.runs.condition import explain, is_live, label, word

__all__ = ["Tone", "explain", "family", "is_live", "label", "tone", "word"]

_FAMILIES = {"vit": "ViT", "resnet9": "ResNet-9"}

Tone = Literal["gray", "blue", "green", "orange", "red"]


def family(run: Run) -> str:
    """The kind of model in the field's short name."""
    model = run.spec.model
    if model.family == "torchvision":
        return model.name
    return "DeiT" if model.family == "vit" and model.distilled else _FAMILIES[model.family]


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
