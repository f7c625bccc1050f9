"""The buttons that start runs: a whole experiment, one run of it with a finished teacher, or a single run.

Knows the store and the launcher; does not know where the spec came from.
"""

import secrets
import time

import streamlit as st

from dashboard.navigation import link
from dashboard.reach import DEMO, may
from dashboard.run_status import label
from dashboard.state import check_paths, launcher, settings, store
from dashboard.text import escape, message
from dashboard.views.train import duration as estimate
from deit_core.errors import DeitError
from deit_core.metrics import METRICS, TEST_ACCURACY
from deit_core.runs import Status
from deit_core.spec import AnySpec, ExperimentSpec, RunSpec, members, replace, trainings

_ONE_CLICK_S = 3.0  # a second click on the same button within this time is the same submission


def start(spec: AnySpec, variant: AnySpec | None, *, key: str) -> None:
    """Draw the buttons, and the result of the last click.

    Args:
        spec: the choice of the user.
        variant: the spec to start, with the user's changes; None while it cannot be trained.
        key: another key forgets what was started.
    """
    if not may("start"):
        st.info(DEMO)
        return
    to_start = None
    count = len(members(spec) if variant is None else trainings(variant))
    is_experiment = isinstance(variant or spec, ExperimentSpec)
    title = f"Start all {count} runs" if is_experiment else "Start this run"
    with st.container(horizontal=True):
        if st.button(title, type="primary", icon=":material/play_arrow:", disabled=variant is None, key="start"):
            to_start = variant
        if isinstance(spec, ExperimentSpec):
            with st.popover("Start one run only", disabled=variant is None):
                to_start = (_ask_for_one(variant) if isinstance(variant, ExperimentSpec) else None) or to_start
    if to_start is not None:
        _submit(to_start, variant, key)
    refused, why = st.session_state.get(f"{key}/refused", (None, ""))
    if why and refused == variant:  # it stays until something is changed
        st.error(message(why))
    running = [run for run in store().runs() if run.status == Status.RUNNING]
    if started := st.session_state.get(f"{key}/started"):
        _tell_started(started)
    elif not settings().num_workers:
        st.caption("This machine trains nothing (DEIT_WORKERS is 0): a worker on another machine takes a new run.")
    elif len(running) >= settings().num_workers:
        names = escape(", ".join(run.name for run in running))
        st.caption(f"Training now: {names}. A new run waits in the queue until this ends.")


def _tell_started(run_ids: list[str]) -> None:
    runs = store().runs(run_ids)[::-1]
    if not runs:
        st.warning(
            "The runs that were started here are gone: they were deleted, or the store of runs was moved or removed."
        )
        return
    st.success(f"Queued: {escape(', '.join(map(label, runs)))}. Training continues when this page is closed.")
    link("runs", "Watch on the Runs page")


def warm() -> None:
    """Start a worker that waits while the user fills in the form, so that a run starts at once."""
    if may("start"):
        launcher().warm()


def teachers(student: RunSpec) -> dict[str, str]:
    """Id -> label of the finished runs that can teach, the best first.

    Their data was split in the same way: a teacher must not have learned images that its student is evaluated on.
    """
    completed = [run for run in store().runs() if run.status == Status.COMPLETED]
    candidates = [run for run in completed if run.spec.data.split == student.data.split]
    candidates.sort(key=lambda run: METRICS[TEST_ACCURACY].rank(run.results[TEST_ACCURACY]), reverse=True)
    return {run.id: f"{label(run)}, {run.results[TEST_ACCURACY]:.1%} on test" for run in candidates}


def _ask_for_one(experiment: ExperimentSpec) -> RunSpec | None:
    """Let the user start a single run of an experiment; returns it once the button is clicked."""
    by_name = {run.name: run for run in experiment.runs}
    names = list(by_name)
    chosen = st.segmented_control("Run", names, default=names[0], format_func=escape, required=True, key="alone")
    run = by_name[chosen or names[0]]
    teacher = experiment.teacher_of(run) and _ask_for_teacher(run)
    if not st.button("Start only this run", disabled=teacher == "", key="start_alone"):
        return None
    alone = replace(run, {"distillation.teacher": teacher}) if teacher else run
    assert isinstance(alone, RunSpec)
    return alone


def _ask_for_teacher(run: RunSpec) -> str:
    """The id of the finished run that will teach `run`; empty where there is none."""
    labels = teachers(run)
    if labels:
        return st.selectbox("Teacher", list(labels), format_func=labels.__getitem__, key="alone_teacher")
    st.caption(
        "This run needs a teacher, and no finished run has learned from the same images. "
        "Start the teacher first, or all runs together."
    )
    return ""


def _submit(spec: AnySpec, variant: AnySpec | None, key: str) -> None:
    started_at, started, key_of_click = st.session_state.get("last_start", (0.0, None, ""))
    if started != spec or time.monotonic() - started_at >= _ONE_CLICK_S:
        key_of_click = secrets.token_hex(16)
    st.session_state["last_start"] = (time.monotonic(), spec, key_of_click)
    estimate.cancel()  # it would slow the training, and the training it
    try:
        check_paths(spec)
        run_ids = launcher().submit(spec, key=key_of_click)
    except DeitError as error:
        st.session_state[f"{key}/refused"] = (variant, str(error))
    else:
        st.session_state.pop(f"{key}/refused", None)
        st.session_state[f"{key}/started"] = run_ids
        st.session_state["runs"] = run_ids  # what the Runs page shows first
