"""What to train: a preset by its card or its name, or a spec from a file.

Knows presets and widgets; nothing of what is changed in a spec, or how it is started.
"""

from collections.abc import Sequence

import streamlit as st

from dashboard.reach import may
from dashboard.state import settings
from dashboard.text import escape, message
from dashboard.views.train.preset_picture import preset_picture
from deit_core import presets
from deit_core.errors import DeitError
from deit_core.presets.purposes import FACTS, PURPOSES, PresetFacts, download_mb
from deit_core.runs.estimates import Estimates
from deit_core.spec import AnySpec, ExperimentSpec, load_spec
from deit_core.wording import duration

_FIRST_PRESET = presets.names()[0]
_KEY = "preset"
_CARD_CSS = """
<style>
.preset-card img { height: 56px; display: block; margin-bottom: 8px; }
.preset-card p { margin: 0 0 4px; font-size: 0.875rem; line-height: 1.4; }
</style>
"""


def choose() -> tuple[str, AnySpec] | None:
    """What to train, and what the command line calls it: a preset's name, or a file's. None for an unreadable file."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="train_choice"):
        purposes = st.container(width="content")
        preset = st.selectbox(
            "Preset",
            presets.names(),
            index=presets.names().index(_FIRST_PRESET),
            width=220,
            key=_KEY,
            bind="query-params",
            on_change=_close,
        )
        if may("add data"):
            _open_spec()
        opened = st.session_state.get("opened_spec")
        if opened is not None:
            st.button("Back to the presets", on_click=_close)
    if opened is not None:
        try:
            spec = load_spec(opened[1])
        except DeitError as error:
            st.error(message(str(error)))
            return None
        st.caption(f"From {escape(opened[0])}.")
        return opened[0], spec
    name = preset or _FIRST_PRESET
    with purposes:  # of the chosen preset at first
        purpose = st.segmented_control(
            "What for?", PURPOSES, default=FACTS[name].purpose, required=True, key=f"purpose of {name}"
        )
    _show_cards([one for one in presets.names() if FACTS[one].purpose == purpose], name)
    return name, presets.get(name)


def _show_cards(names: Sequence[str], chosen: str) -> None:
    st.html(_CARD_CSS)
    with st.grid(4, min_column_width=200):
        for name in names:
            with st.container(border=True, height="stretch", key=f"about_{name}"):
                _show_card(name, FACTS[name], is_chosen=name == chosen)


def _show_card(name: str, facts: PresetFacts, *, is_chosen: bool) -> None:
    spec = presets.get(name)
    st.html(
        f'<div class="preset-card"><img src="{preset_picture(spec)}" alt="">'
        f"<p>{facts.teaches}</p><p><small>{_facts_in_words(spec, facts)}</small></p></div>"
    )
    st.button(
        name,
        key=f"card-{name}",
        icon=":material/check:" if is_chosen else None,
        width="stretch",
        on_click=_take,
        args=(name,),
    )


def _facts_in_words(spec: AnySpec, facts: PresetFacts) -> str:
    size = download_mb(spec)
    return " · ".join(
        (
            _time(spec),
            f"downloads {size:.0f} MB once" if size else "no download",
            "for a GPU" if facts.needs_gpu else "no GPU needed",
        )
    )


def _time(spec: AnySpec) -> str:
    measured = Estimates(settings()).get(spec)
    if measured is not None and not measured.error:
        return f"{duration(measured.duration_s)} here"
    if isinstance(spec, ExperimentSpec) and spec.expectation is not None:
        return f"{duration(spec.expectation.duration_s)} on {spec.expectation.measured_on.partition(',')[0]}"
    return "time not measured yet"


def _take(name: str) -> None:
    _close()
    st.session_state[_KEY] = name


def _open_spec() -> None:
    """Take a spec from a file; it is also there when the user comes back to this page."""
    with st.popover("Open a spec"):
        file = st.file_uploader(
            "The JSON of a run or an experiment",
            type="json",
            max_upload_size=1,
            key=f"opened{st.session_state.get('spec_uploader', 0)}",
        )
        if file is not None:
            st.session_state["opened_spec"] = (file.name, file.getvalue())


def _close() -> None:
    """Forget the opened spec; another key empties the uploader."""
    st.session_state.pop("opened_spec", None)
    st.session_state["spec_uploader"] = st.session_state.get("spec_uploader", 0) + 1
