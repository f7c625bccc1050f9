"""How long a spec will take on this machine, and how much memory. The page asks for the estimate and never waits.

Knows deit_core's estimates, which another process measures; does not know what is measured, or how. Until that is
there, the time is scaled from what is known of the spec before its changes.
"""

import streamlit as st

from dashboard.error_messages import errors_as_messages
from dashboard.run_status import is_live
from dashboard.state import settings, store
from dashboard.text import escape, message
from deit_core.analysis.rough_time import rough_duration
from deit_core.errors import DeitError
from deit_core.memory import most_needed
from deit_core.runs.estimates import Estimate, Estimates
from deit_core.runs.launcher import check_here
from deit_core.spec import AnySpec, ExperimentSpec
from deit_core.wording import duration


def estimate(spec: AnySpec, unchanged: AnySpec) -> None:
    """Show how long it takes: another process measures it, and the page looks every second until it is known.

    A spec that needs more memory than there is, or a network that timm does not have, shows that instead, and nothing
    is started.

    Args: unchanged: the spec without the user's changes, of which the time may be known.
    """
    try:
        check_here(spec, settings())
        gigabytes = most_needed(spec, settings().runs_dir) / 1e9
    except DeitError as error:
        st.warning(message(str(error)))
        return
    is_open = _find(spec) is None
    st.fragment(_show, run_every=1.0 if is_open else None)(spec, is_open, roughly(spec, unchanged))
    st.caption(
        f"Up to {gigabytes:.1f} GB of memory, counted from its settings.",
        help="Of the largest run, Python and its libraries included. It is more often too high than too low.",
    )


def roughly(spec: AnySpec, unchanged: AnySpec) -> str:
    """A sentence on the time before it is measured; empty where nothing is known to scale."""
    measured = _estimates().get(unchanged)
    expected = unchanged.expectation if isinstance(unchanged, ExperimentSpec) else None
    if measured is not None and not measured.error:
        seconds = rough_duration(unchanged, measured.duration_s, measured.run_s, spec)
        known = f"the {duration(measured.duration_s)} measured here before your changes"
    elif expected is not None:
        seconds = rough_duration(unchanged, expected.duration_s, {}, spec)
        known = f"the {duration(expected.duration_s)} measured on {escape(expected.measured_on.partition(',')[0])}"
    else:
        return ""
    return "" if seconds is None else f"Roughly **{duration(seconds)}**, counted in operations from {known}. "


@errors_as_messages()
def _show(spec: AnySpec, was_open: bool, roughly: str) -> None:
    result = _find(spec)
    if result is None:
        st.caption(f"{roughly}Measuring how long this takes on this machine…")
    elif was_open:
        st.rerun()  # the page knows now, and stops looking
    elif result.error:
        st.caption(f"{roughly}How long this takes is not known: {escape(result.error)}")
    else:
        parts = ", ".join(f"{escape(name)} {duration(seconds)}" for name, seconds in result.run_s.items())
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"About **{duration(result.duration_s)}** on this machine: {parts}.",
                width="content",
                help="Measured with one second of real training steps per run. The rest is for starting Python. "
                "Other busy programs make it longer.",
            )
            st.button("Measure again", type="tertiary", on_click=_measure_again, args=(spec,), key="measure_again")


def _find(spec: AnySpec) -> Estimate | None:
    """The estimate; None while it is measured. Starts the measuring if necessary."""
    estimates, requested, document = (
        _estimates(),
        st.session_state.setdefault("train_measured", set()),
        spec.model_dump_json(),
    )
    is_measuring = estimates.is_measuring(spec)
    result = estimates.get(spec)
    if result is not None or is_measuring:
        return result
    if not store().is_there:
        return Estimate(0.0, {}, "the store of runs is gone.")  # its file would create the folder again
    runs = store().runs()
    if any(is_live(run, runs) for run in runs):  # those that queue begin in a moment
        return Estimate(0.0, {}, "it can only be measured while no run trains.")
    if document in requested:
        return Estimate(0.0, {}, f"the measuring failed; {settings().runs_dir / 'estimates'} holds its log.")
    estimates.request(spec)
    if estimates.is_measuring(spec):
        requested.add(document)
    return None


def cancel() -> None:
    """Stop the measuring; a later visit measures it again."""
    _estimates().cancel()
    st.session_state.pop("train_measured", None)


@errors_as_messages()
def _measure_again(spec: AnySpec) -> None:
    _estimates().forget(spec)
    st.session_state.pop("train_measured", None)


@st.cache_resource(show_spinner=False)
def _estimates() -> Estimates:
    return Estimates(settings())
