"""The form that makes a sweep: fields, values to try of each, and how many of their combinations.

What it asks for stands in the address, under the names of the command line's options. Knows fields of specs and
widgets; does not know how runs are started.
"""

from collections.abc import Collection, Mapping
from typing import Any

import streamlit as st

from dashboard import address
from dashboard.fields import FormField, form_fields
from dashboard.text import escape
from dashboard.views.train.duration import roughly
from deit_core.errors import DeitError
from deit_core.spec import AnySpec, ExperimentSpec, Range, members, parse_values, trainings, value_text, with_sweep
from deit_core.text.quoting import shortened

_MOST_TRIALS, _MOST_SEEDS = 1000, 2**31
_HELP = (
    "Values with commas between them, such as 1e-3, 2e-3; or a range, such as 1e-4..1e-2, from which some are drawn."
)


def try_values(spec: AnySpec, *, key: str) -> tuple[AnySpec | None, str]:
    """Draw the form. Returns the spec with the sweep that is asked for, if one is; or None, and why it cannot be.

    Args: key: names the form; another key gives a new form.
    """
    if isinstance(spec, ExperimentSpec) and spec.sweep is not None:  # opened from a file
        return _checked(spec)
    by_path = {field.path: field for run in reversed(members(spec)) for field in form_fields(run)}
    paths = [path for path in by_path if path not in ("name", "notes", "tags")]
    _take_address(key, paths)
    is_used = bool(st.session_state.get(f"{key}/sweep"))
    box = st.expander("Try several values", icon=":material/grid_on:", expanded=is_used)
    with box:
        st.caption(
            "All combinations are trained as one experiment, or some that are drawn at random. The students change, "
            "and a teacher is trained once, unless a field of the data changes. Compare shows which values are best on "
            "validation images."
        )
        chosen = st.multiselect(
            "Fields to vary",
            paths,
            format_func=lambda path: f"{by_path[path].label} ({path})",
            key=f"{key}/sweep",
            filter_mode="contains",
            select_all=False,
        )
        texts = {
            path: st.text_input(
                f"Values of {path}", placeholder=_example(by_path[path]), help=_HELP, key=f"{key}/sweep/{path}"
            )
            for path in chosen
        }
        options = _options(key) if chosen else {}
    _tell_address(texts, options)
    if not chosen:
        return spec, ""
    if missing := [path for path, text in texts.items() if not text.strip()]:
        box.caption(f"Type the values to try of {escape(', '.join(missing))}. Until then nothing is varied.")
        return spec, ""
    try:
        sweep = with_sweep(spec, parse_values([f"{path}={text}" for path, text in texts.items()]), **options)
        number = len(trainings(sweep))
    except DeitError as error:
        return None, str(error)
    box.markdown(f"**{number:,} trainings.** {roughly(sweep, spec)}")
    return sweep, ""


def _example(field: FormField) -> str:
    """What may be typed, by the kind of the field."""
    if field.choices:
        return ", ".join(field.choices[:2])
    return {bool: "true, false", int: "2, 4 or 2..8", float: "1e-3, 2e-3 or 1e-4..1e-2"}.get(field.kind, "")


def _take_address(key: str, paths: Collection[str]) -> None:
    """Fill the form with what the address asks for, once."""
    state = st.session_state
    asked = address.take("sweep")
    if asked is None:
        return
    values = {path: text for path, _, text in (one.partition("=") for one in asked) if path in paths}
    if unknown := sorted({one.partition("=")[0] for one in asked} - values.keys()):
        names = escape(shortened(", ".join(unknown)))
        address.note("sweep", f"The address asks to vary {names}, which cannot be varied here; it is left out.")
    state[f"{key}/sweep"] = list(values)
    state.update({f"{key}/sweep/{path}": text for path, text in values.items()})
    for name, low, high in (("trials", 1, _MOST_TRIALS), ("sweep-seed", 0, _MOST_SEEDS)):
        for text in address.take(name) or ():
            if text.isascii() and text.isdecimal() and low <= int(text[:12]) <= high:
                state[f"{key}/{name}"] = int(text)
            else:
                wrong = f"The address asks for {escape(shortened(f'{name}={text}'))}, which is no whole number from"
                address.note(name, f"{wrong} {low} to {high}; it is left out.")
    state[f"{key}/stop-early"] = address.take("stop-early") == ["true"]


def _tell_address(texts: Mapping[str, str], options: Mapping[str, Any]) -> None:
    address.write("sweep", [f"{path}={text}" for path, text in texts.items()])
    address.write("trials", [str(options["trials"])] if options.get("trials") else [])
    address.write("sweep-seed", [str(options["seed"])] if options.get("seed") else [])
    address.write("stop-early", ["true"] if options.get("stop_early") else [])


def sweep_words(spec: ExperimentSpec) -> list[str]:
    """The options of the command line for the sweep of a spec."""
    sweep = spec.sweep
    if sweep is None:
        return []
    words = [word for path, values in sweep.values.items() for word in ("--sweep", f"{path}={_text(values)}")]
    words += [] if sweep.trials is None else ["--trials", str(sweep.trials)]
    words += ["--sweep-seed", str(sweep.seed)] if sweep.seed else []
    return words + (["--stop-early"] if sweep.stop_early else [])


def _options(key: str) -> Mapping[str, Any]:
    """How many combinations, and whether runs may stop early."""
    with st.grid(3, min_column_width=200, vertical_alignment="bottom"):
        trials = st.number_input(
            "Combinations (trials)",
            min_value=1,
            max_value=_MOST_TRIALS,
            value=None,
            placeholder="all of them",
            help="How many combinations are drawn at random; a range needs this number. Empty: every combination.",
            key=f"{key}/trials",
        )
        seed = st.number_input(
            "Seed of the draw",
            min_value=0,
            max_value=_MOST_SEEDS,
            help="With the same seed, a larger number begins with the same combinations.",
            key=f"{key}/sweep-seed",
        )
        stop_early = st.toggle(
            "Stop weak runs early",
            help="A run whose best validation accuracy is below the median of the finished runs of its kind stops; "
            "Resume trains it to its end.",
            key=f"{key}/stop-early",
        )
    return {"trials": trials, "seed": seed, "stop_early": stop_early}


def _checked(spec: AnySpec) -> tuple[AnySpec | None, str]:
    try:
        trainings(spec)
    except DeitError as error:
        return None, str(error)
    return spec, ""


def _text(values: Any) -> str:
    return f"{values.low:g}..{values.high:g}" if isinstance(values, Range) else ",".join(map(value_text, values))
