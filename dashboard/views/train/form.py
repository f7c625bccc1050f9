"""The form of a spec, generated from its fields: one widget per field, with its description, unit and bounds.

Knows pydantic fields and widgets; does not know which presets exist, or how the changes are used.
"""

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.fields import FormField, form_field, form_fields
from dashboard.text import escape
from dashboard.views.train.changes import Changes
from deit_core.spec import AnySpec, ExperimentSpec, RunSpec, members

_SECTIONS = {
    "": "Run",
    "data": "Data",
    "model": "Model",
    "distillation": "Distillation",
    "optim": "Optimisation",
    "augment": "Augmentation",
    "compute": "Computation",
}


def edit(changes: Changes, *, key: str) -> None:
    """Draw the form; the user's changes are in `changes` before the page runs again.

    Args: key: names the form; another key gives a new form.
    """
    runs = _choose_runs(changes.spec, key)
    fields = _common_fields([run for run in members(changes.spec) if run.name in runs])
    fields = [field for field in fields if not field.source or _takes(changes, runs, field.source)]
    if len(runs) < len(members(changes.spec)):
        fields = [field for field in fields if field.path != "name"]  # the experiment's; the runs keep theirs
    elif isinstance(changes.spec, ExperimentSpec):
        fields.append(form_field("seeds", ExperimentSpec.model_fields["seeds"]))
    _draw_sections([field for field in fields if not field.is_advanced], changes, runs, key)
    with st.expander("Advanced"):
        _draw_sections([field for field in fields if field.is_advanced], changes, runs, key)


def _takes(changes: Changes, runs: Sequence[str], source: str) -> bool:
    """Whether all of the runs take their images from `source` now."""
    return all(changes.value(run, "data.source") == source for run in runs)


def _choose_runs(spec: AnySpec, key: str) -> tuple[str, ...]:
    """Let the user choose whose fields to change: those of all runs, of the students, or of one run."""
    runs = members(spec)
    names = tuple(run.name for run in runs)
    if len(runs) == 1:
        return names
    taught = {run.distillation.teacher for run in runs if run.distillation}
    students = tuple(name for name in names if name not in taught)
    scopes = {"All runs": names} | ({"All students": students} if 1 < len(students) < len(names) else {})
    scopes |= {name: (name,) for name in names}
    chosen = st.segmented_control(
        "Change",
        list(scopes),
        default="All runs",
        format_func=escape,
        required=True,
        key=f"{key}/runs",
        help="Change settings for all runs together, so that the comparison stays fair.",
    )
    return scopes[chosen or "All runs"]


def _common_fields(runs: Sequence[RunSpec]) -> list[FormField]:
    """The fields that all of the runs have."""
    first, *others = ({field.path: field for field in form_fields(run)} for run in runs)
    return [field for path, field in first.items() if all(path in other for other in others)]


def _draw_sections(fields: Sequence[FormField], changes: Changes, runs: tuple[str, ...], key: str) -> None:
    for section, title in _SECTIONS.items():
        inside = [field for field in fields if field.section == section]
        if inside:
            heading, body = st.columns([1, 6])
            heading.markdown(f"**{title}**")
            with body, st.grid(4, min_column_width=160, vertical_alignment="bottom"):
                for field in inside:
                    _draw(field, changes, runs, f"{key}/{'+'.join(runs)}/{field.path}")


def _draw(field: FormField, changes: Changes, runs: tuple[str, ...], key: str) -> None:
    """One widget with the value in the changes; empty where the runs differ, until it is set for all of them."""
    values = [changes.value(run, field.path) for run in runs]
    differ = any(value != values[0] for value in values)
    shown = None if differ else values[0]
    placeholder = ", ".join(map(_plain, values)) if differ else None
    common: dict[str, Any] = {
        "label": field.label,
        "key": key,
        "help": field.help,
        "on_change": _record,
        "args": (field, changes, runs, key),
    }
    if field.kind is bool and not differ:
        st.toggle(**common, value=bool(shown))
    elif field.choices or field.kind is bool:
        choices = field.choices or (False, True)
        index = None if differ else choices.index(shown)
        st.selectbox(**common, options=choices, index=index, format_func=_plain, placeholder=placeholder)
    elif field.kind in (int, float):
        if field.is_optional:  # only a number that begins empty can be emptied
            st.session_state.setdefault(key, shown)
            shown = None
        st.number_input(**common, **_number_options(field, values), value=shown, placeholder=placeholder)
    elif field.kind is tuple:
        st.multiselect(**common, options=shown or (), default=shown, accept_new_options=True, placeholder="Add")
    elif field.max_length is not None and field.max_length > 1000:
        st.text_area(**common, value=shown, max_chars=field.max_length, placeholder=placeholder, height=68)
    else:
        st.text_input(**common, value=shown, max_chars=field.max_length, placeholder=placeholder)


def _record(field: FormField, changes: Changes, runs: tuple[str, ...], key: str) -> None:
    value = st.session_state[key]
    if value is not None or field.is_optional:
        changes.set(runs, field.path, tuple(value) if field.kind is tuple else value)


def _number_options(field: FormField, values: Sequence[float | None]) -> dict[str, Any]:
    return {"step": 1, "format": "%d"} if field.kind is int else {"step": _step(values[0]), "format": "%g"}


def _step(value: float | None) -> float:
    """A tenth of the number's order of magnitude, so that + and - change its second digit."""
    return 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 0.01


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
