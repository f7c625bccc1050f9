"""Which models are asked, and the names that the page has for them. Knows runs and widgets; no pictures."""

from collections.abc import Sequence

import streamlit as st

from dashboard.address_runs import take_runs, write_runs
from dashboard.pictures.run_models import has_weights, teacher_of
from dashboard.run_status import choice_label, family, label, newest_pair
from deit_core.runs import Run, Status
from deit_core.spec import DataSpec

_KEY = "predict_models"
_MOST = 4  # so that their answers stand side by side
_GONE = "deleted since, of another store, or not finished"


def finished(runs: Sequence[Run]) -> list[Run]:
    """The completed runs among them whose weights can be read."""
    return [run for run in runs if run.status == Status.COMPLETED and has_weights(run)]


def choose(runs: Sequence[Run]) -> list[Run]:
    """The widget. Args: runs: finished ones, the newest first."""
    by_id = {run.id: run for run in runs}
    ids = take_runs(_KEY, runs, _GONE) or st.session_state.get(_KEY)
    if ids is None:
        ids = [run.id for run in _at_first(runs)]
    st.session_state[_KEY] = [run_id for run_id in ids if run_id in by_id][:_MOST]
    chosen = st.multiselect(
        "Models",
        list(by_id),
        format_func=lambda run_id: choice_label(by_id[run_id]),
        key=_KEY,
        max_selections=_MOST,
        persist_state="session",
        select_all=False,
        wrap=True,
    )
    write_runs(_KEY, chosen)  # a reload shows them, whatever is newer
    return [by_id[run_id] for run_id in chosen]


def names(models: Sequence[Run]) -> list[str]:
    """Teacher, ViT and DeiT where that tells them apart, else the runs' own names."""
    teachers = {run.spec.distillation.teacher for run in models if run.spec.distillation is not None}
    roles = ["Teacher" if run.id in teachers else family(run) for run in models]
    return [role if roles.count(role) == 1 else label(run) for role, run in zip(roles, models, strict=True)]


def transformers(models: Sequence[Run]) -> list[Run]:
    return [run for run in models if run.spec.model.family == "vit"]


def data_of(models: Sequence[Run]) -> DataSpec:
    """Whose test images are offered: those of the first model that the Attention page can show too."""
    return [*transformers(models), *models][0].spec.data


def _at_first(runs: Sequence[Run]) -> list[Run]:
    """The newest DeiT of an experiment with its ViT and its teacher, else the newest run."""
    pair = newest_pair(runs)
    if not pair:
        return [runs[0]]
    teacher = teacher_of(pair[1], runs)
    return pair if teacher is None else [teacher, *pair]
