"""Which models the page shows: one or two transformers, the epoch of each, and the teacher behind them.

Knows runs and their files; nothing of pictures or maps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard.attention import images
from dashboard.attention.images import Checkpoint
from dashboard.run_status import family, label
from dashboard.state import settings
from dashboard.text import escape
from deit_core import epochs
from deit_core.catalog import SOURCES
from deit_core.errors import DeitError
from deit_core.runs import Run, Status, run_folder
from deit_core.spec import VisionTransformerSpec

_BEST = "Best epoch"
_NOTHING = "Nothing"
_LEFT, _RIGHT = "att_left", "att_right"


@dataclass(frozen=True)
class Choice:
    """A run, and the file with its weights after one epoch; `weights` is what people call that epoch."""

    run: Run
    file: Path
    weights: str

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint.at(self.file)

    @property
    def model(self) -> VisionTransformerSpec:
        assert isinstance(self.run.spec.model, VisionTransformerSpec)
        return self.run.spec.model

    @property
    def grid_side(self) -> int:
        return self.run.spec.data.img_size // self.model.patch_size


def ready(runs: Sequence[Run]) -> list[Run]:
    """The transformers among them that have a checkpoint to show."""
    return [run for run in runs if run.spec.model.family == "vit" and best_file(run).exists()]


def best_file(run: Run) -> Path:
    return run_folder(settings().runs_dir, run.id) / "best.safetensors"


def epoch_files(run: Run) -> dict[int, Path]:
    """The weights that were kept after each epoch."""
    return epochs.epoch_files(run_folder(settings().runs_dir, run.id))


def choose(runs: Sequence[Run]) -> list[Choice]:
    """The widgets for one model and another beside it."""
    by_id = {run.id: run for run in runs}
    left, right = _pair(runs)
    _name_in_address(runs, left, right)
    first = st.selectbox(
        "Model",
        list(by_id),
        index=None,  # so that the address always names it
        format_func=lambda run_id: label(by_id[run_id]),
        key=_LEFT,
        bind="query-params",
        placeholder=label(left),
        width=170,
    )
    chosen = _choose_weights(by_id[first or left.id], "att_left_weights")
    second = st.selectbox(
        "Beside it",
        ["", *by_id],
        format_func=lambda run_id: label(by_id[run_id]) if run_id else _NOTHING,
        key=_RIGHT,
        bind="query-params",
        width=170,
    )
    if not second:
        return [chosen]
    other = _choose_weights(by_id[second], "att_right_weights")
    return [chosen] if other.file == chosen.file else [chosen, other]  # beside itself it would show nothing new


def classes(choice: Choice) -> Sequence[str]:
    """What a model tells apart, also where the folder that it learned from is gone."""
    data = choice.run.spec.data
    if data.source != "folder":  # then the page stands before the model is loaded
        return SOURCES[data.source].classes
    try:
        return images.viewer(choice.checkpoint).card.classes
    except DeitError:  # the table says why
        return ()


def teacher_of(choices: Sequence[Choice], runs: Sequence[Run]) -> Choice | None:
    """The teacher of the first model that has one, at its best epoch, if it is a CNN, which Grad-CAM reads."""
    by_id = {run.id: run for run in runs}
    for choice in choices:
        distillation = choice.run.spec.distillation
        teacher = by_id.get(distillation.teacher) if distillation is not None else None
        if teacher is not None and teacher.spec.model.family != "vit" and best_file(teacher).exists():
            return Choice(teacher, best_file(teacher), _BEST)
    return None


def _pair(runs: Sequence[Run]) -> tuple[Run, Run | None]:
    """What is shown at first: the newest completed ViT beside its experiment's DeiT, which differs in nothing else."""
    completed_first = sorted(runs, key=lambda run: run.status != Status.COMPLETED)
    for vit in completed_first:
        for deit in completed_first:
            together = vit.experiment_id is not None and vit.experiment_id == deit.experiment_id
            if together and (family(vit), family(deit)) == ("ViT", "DeiT"):
                return vit, deit
    return completed_first[0], None


def _name_in_address(runs: Sequence[Run], left: Run, right: Run | None) -> None:
    """Set the models that neither a link nor a person chose, and the address with them.

    A reload then shows the same models, also when a newer pair has finished.
    """
    names = {run.id: label(run) for run in runs}
    named = {key: st.query_params[key] for key in (_LEFT, _RIGHT) if key in st.query_params}
    is_first = not named and _LEFT not in st.session_state
    for key, default in ((_LEFT, left.id), (_RIGHT, right.id if right and is_first else "")):
        here = {"": _NOTHING, **names} if key == _RIGHT else names
        is_set = st.session_state.get(key) in here
        if is_set or (key not in st.session_state and named.get(key) in here.values()):
            continue
        if key in named and named[key] not in here.values():
            name = escape(named[key])
            st.info(f"Run {name} is not here: deleted since, without attention, or before its first epoch.")
        if key not in st.session_state and default:  # as in `put`, it does not reach the address by itself
            st.query_params[key] = names[default]
        st.session_state[key] = default


def _choose_weights(run: Run, key: str) -> Choice:
    folder = run_folder(settings().runs_dir, run.id)
    files = {_BEST: best_file(run), "Last epoch": folder / "last.safetensors"}
    files |= {f"Epoch {epoch}": file for epoch, file in epoch_files(run).items()}
    weights = st.selectbox("Weights", list(files), key=key, bind="query-params", width=130)
    return Choice(run, files[weights], weights)
