"""A picture that learns: where a model looks on one test image, drawn again after each epoch while it trains.

Knows runs and their files; how a map is made and painted is in dashboard/pictures, which keeps each map for all pages.
Loads torch, so it is drawn last.
"""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dashboard import state
from dashboard.address import whole_number
from dashboard.components.panels import Panel, panels
from dashboard.components.png import png
from dashboard.pictures import images
from dashboard.pictures.map_painting import panel, scales_of
from dashboard.pictures.picture_choice import test_picture
from dashboard.pictures.picture_maps import token_map
from dashboard.pictures.preparation import prepare
from dashboard.run_status import label
from dashboard.text import escape
from deit_core.errors import DeitError
from deit_core.runs import Run, Status
from deit_core.spec import RolloutSpec

_SPEC = RolloutSpec(vmax=3.0)  # one scale for all epochs, so that a change of colour is a change of the map
_HELP = (
    "An attention rollout: from which patches information can reach the model's output tokens. Yellow: at least "
    "three times as much as if all patches had the same. The Attention page has all of its settings."
)


def can_learn(runs: Sequence[Run]) -> bool:
    """Whether there is a model among them whose attention can be shown, or will be."""
    return any(run.spec.model.family == "vit" and (run.status.is_active or _newest(run)) for run in runs)


def title() -> None:
    st.markdown("**Where it looks**", help=_HELP)


def show(runs: Sequence[Run]) -> None:
    """Of the transformer that trains, else of the one that began last. Nothing where there is none."""
    watched = _to_watch(runs)
    if watched is None:
        if coming := [run for run in runs if run.spec.model.family == "vit" and run.status.is_active]:
            first = min(coming, key=lambda run: run.number)
            st.caption(f"The picture comes after the first epoch of {escape(label(first))}.")
        return
    preparation = prepare()
    if watched[0].status == Status.RUNNING and not preparation.done():
        st.caption("The picture comes in a moment.")  # with the next progress, which would break off what takes long
        return
    preparation.result()
    try:
        _draw(*watched)
    except DeitError:
        st.caption("The picture cannot be drawn; the Attention page says why.")


def _draw(run: Run, file: Path) -> None:
    """Raises: DeitError where the images or the weights cannot be read."""
    source = state.test_source(run.spec.data)
    if source is None:
        st.caption("Its test images are not on this machine.")
        return
    number = whole_number(
        "Test image", 1, len(source.test_labels), key="run_image", label_visibility="collapsed"
    )  # no higher than the curves beside it
    picture = test_picture(run.spec.data, source, number - 1)
    subject = images.subject(images.Checkpoint.at(file), picture)
    shown = token_map(subject, "head", _SPEC)
    seen = Panel(
        png(images.rgb(shown.pixels)), "The test image as the model sees it", caption=f"Test image: {picture.truth}"
    )
    looked_at = panel(shown, scales_of([shown], _SPEC), _SPEC)
    panels([[seen], [looked_at]], key="run_picture", max_width=96)
    st.caption(f"{escape(label(run))} after epoch {subject.card.epoch} of {run.spec.optim.epochs}")


def _to_watch(runs: Sequence[Run]) -> tuple[Run, Path] | None:
    """A run and its newest weights."""
    students = [run for run in runs if run.spec.model.family == "vit"]
    students.sort(key=lambda run: (run.status == Status.RUNNING, run.started_at or 0), reverse=True)
    return next(((run, newest) for run in students if (newest := _newest(run))), None)


def _newest(run: Run) -> Path | None:
    """The weights after the last epoch that has ended, which the worker has put there whole; a run that ships has those
    of its best epoch alone.
    """
    files = state.files_of(run)
    known = (*reversed(files.epochs().values()), files.last, files.best)
    return next((file for file in known if file.exists() and state.may_read(file)), None)
