"""Which models the page shows: one or two transformers, the epoch of each, and the teacher behind them.

Knows runs and their files; nothing of pictures or maps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard.address_runs import take_runs, write_runs
from dashboard.pictures import images, run_models
from dashboard.pictures.images import Checkpoint
from dashboard.pictures.run_models import best_file, has_weights
from dashboard.run_status import choice_label, newest_pair
from dashboard.state import files_of, may_read
from deit_core.catalog import SOURCES
from deit_core.errors import DeitError
from deit_core.runs import Run, Status
from deit_core.spec import VisionTransformerSpec

_BEST = "Best epoch"
_NOTHING = "Nothing"
_LEFT, _RIGHT = "att_left", "att_right"
_GONE = "deleted since, of another store, without attention, or before its first epoch"


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
    return [run for run in runs if run.spec.model.family == "vit" and has_weights(run)]


def epoch_files(run: Run) -> dict[int, Path]:
    """The weights that were kept after each epoch."""
    return {epoch: file for epoch, file in files_of(run).epochs().items() if may_read(file)}


def choose(runs: Sequence[Run]) -> list[Choice]:
    """The widgets for one model, and for a second one."""
    by_id = {run.id: run for run in runs}
    _set_named(runs)
    first = st.selectbox(
        "Model",
        list(by_id),
        format_func=lambda run_id: choice_label(by_id[run_id]),
        key=_LEFT,
        persist_state="session",
        width=280,
    )
    chosen = _choose_weights(by_id[first], "att_left_weights")
    second = st.selectbox(
        "Second model",
        ["", *by_id],
        format_func=lambda run_id: choice_label(by_id[run_id]) if run_id else _NOTHING,
        key=_RIGHT,
        persist_state="session",
        width=280,
    )
    for key, run_id in ((_LEFT, first), (_RIGHT, second)):  # a reload shows them, also when a newer pair has finished
        write_runs(key, [run_id] if run_id else [])
    if not second:
        return [chosen]
    other = _choose_weights(by_id[second], "att_right_weights")
    return [chosen] if other.file == chosen.file else [chosen, other]  # the same twice would show nothing new


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
    """The teacher of the first model that has one, at its best epoch, if Grad-CAM reads it."""
    for choice in choices:
        teacher = run_models.teacher_of(choice.run, runs)
        if teacher is not None and teacher.spec.model.family != "vit":
            return Choice(teacher, best_file(teacher), _BEST)
    return None


def _at_first(runs: Sequence[Run]) -> tuple[Run, Run | None]:
    """What is shown until a person chooses: the newest pair, else the newest model that has completed."""
    if pair := newest_pair(runs):
        return pair[0], pair[1]
    return min(runs, key=lambda run: run.status != Status.COMPLETED), None


def _set_named(runs: Sequence[Run]) -> None:
    """Set the models to those that the address names, and to the first pair where no choice was made."""
    state, ids = st.session_state, {run.id for run in runs}
    named_left, named_right = (take_runs(key, runs, _GONE) for key in (_LEFT, _RIGHT))
    left, right = _at_first(runs)
    if named_left is not None:
        state[_LEFT] = named_left[0] if named_left else left.id
        named_right = named_right or []  # an address that names one model shows one
    elif named_right is None and _LEFT not in state and right is not None:
        named_right = [right.id]
    if named_right is not None:
        state[_RIGHT] = named_right[0] if named_right else ""
    if state.get(_LEFT) not in ids:
        state[_LEFT] = left.id
    if state.get(_RIGHT) not in ids:
        state[_RIGHT] = ""


def _choose_weights(run: Run, key: str) -> Choice:
    files = {_BEST: best_file(run), "Last epoch": files_of(run).last}
    files = {name: file for name, file in files.items() if may_read(file)}
    files |= {f"Epoch {epoch}": file for epoch, file in epoch_files(run).items()}
    weights = st.selectbox("Weights", list(files), key=key, bind="query-params", width=130)
    return Choice(run, files[weights], weights)
