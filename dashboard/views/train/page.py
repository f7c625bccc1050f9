"""Train: choose a preset or open a spec, change anything in it, and start it.

Knows presets, specs and their forms; does not know how a run is queued or trained, and keeps nothing that a run needs.
"""

import shlex
from collections.abc import Sequence

import streamlit as st

from dashboard import address
from dashboard.reach import may
from dashboard.state import check_paths
from dashboard.text import escape, message
from dashboard.views.train import form as forms
from dashboard.views.train.changes import Changes
from dashboard.views.train.duration import estimate
from dashboard.views.train.launch import start, teachers, warm
from dashboard.views.train.preset_choice import choose
from dashboard.views.train.repairs import offer_repair
from dashboard.views.train.try_values import sweep_words, try_values
from deit_core import presets
from deit_core.errors import DeitError
from deit_core.image_folders.facts import title_of
from deit_core.plain_text import file_name
from deit_core.spec import (
    AnySpec,
    ExperimentSpec,
    LibrarySpec,
    RunSpec,
    advice,
    change_text,
    members,
    parse_change,
    value_text,
)
from deit_core.wording import duration


def render() -> None:
    st.title("Train")
    chosen = choose()
    if chosen is None:
        return
    source, spec = chosen
    key, changes = _form(source, spec)
    if isinstance(spec, RunSpec) and spec.distillation:
        _choose_teacher(spec, changes, key)
    variant, error = _variant(changes)
    if variant is not None:
        _tell_address(source, changes)
    to_start = variant
    if variant is not None and may("start"):
        to_start, error = try_values(variant, key=key)
    start(spec, to_start, key=key)
    if to_start is None and variant is not None:
        st.error(message(error))
    if variant is None:
        st.error(message(error))
        offer_repair(changes)
    elif may("start"):
        if to_start != variant:
            st.caption("Each run once, without other values:")
        estimate(variant, spec)
    for sentence in advice(variant) if variant is not None else ():
        st.info(message(sentence), icon=":material/lightbulb:")
    _describe(spec, variant)
    st.header("Change anything")
    _list_changes(changes)
    forms.edit(changes, key=key)
    if variant is not None:
        _show_as_text(source, changes, to_start or variant)
    warm()  # once the whole page is drawn


def _form(source: str, spec: AnySpec) -> tuple[str, Changes]:
    """The form of this tab, by its key, and the changes made in it; another choice or address starts a new form."""
    state = st.session_state
    address_changes = address.take("set")
    if address_changes is None and address.is_back():
        address_changes = []  # nothing was changed when the page was left
    is_open = "train_changes" in state and state["train_source"] == source and state["train_changes"].spec == spec
    if address_changes is not None or not is_open:
        state["train_source"], state["train_changes"] = source, _changes(spec, address_changes or [])
        state["train_form"] = state.get("train_form", 0) + 1
    return f"form{state['train_form']}", state["train_changes"]


def _changes(spec: AnySpec, address_changes: Sequence[str]) -> Changes:
    """The changes that the address asks for."""
    try:
        return Changes.of(spec, dict(map(parse_change, address_changes)))
    except DeitError as error:
        sentence = f"The changes in the address cannot be made and are ignored. {message(str(error))}"
        address.note("set", sentence, is_error=True)
        return Changes(spec)


def _tell_address(source: str, changes: Changes) -> None:
    """Write the settings into the address, for a reload or for sending it; the preset is there already."""
    texts = [change_text(path, value) for path, value in changes.by_path.items()]
    address.write("set", texts if source in presets.names() else [])


def _variant(changes: Changes) -> tuple[AnySpec | None, str]:
    try:
        variant = changes.variant()
        check_paths(variant)
        return variant, ""
    except DeitError as error:
        return None, str(error)


def _choose_teacher(run: RunSpec, changes: Changes, key: str) -> None:
    """A single student's teacher: what its spec says, which may be a checkpoint's path, or another finished run."""
    assert run.distillation is not None
    own = run.distillation.teacher
    now = changes.value(run.name, "distillation.teacher")
    labels = {own: own, now: now} | teachers(run)
    names = list(labels)
    chosen = st.selectbox(
        "Teacher", names, names.index(now), format_func=labels.__getitem__, key=f"{key}/teacher", width=400
    )
    changes.set([run.name], "distillation.teacher", chosen)


def _describe(chosen: AnySpec, variant: AnySpec | None) -> None:
    """Describe the runs to start; without the changes, while these cannot be trained."""
    spec = variant or chosen
    words = _words(spec)
    if variant is None:
        st.caption("Your changes cannot be trained. Without them:")
    elif words and variant != chosen and words == _words(chosen):  # the changes may have made the words wrong
        st.caption("Before your changes:")
    if words:
        st.markdown(escape(words))
    runs = members(spec)
    expectation = spec.expectation if isinstance(spec, ExperimentSpec) else None
    with st.grid(min(3, len(runs)), border=True, min_column_width=240):
        for run in runs:
            accuracy = expectation and expectation.accuracy.get(run.name)
            num_seeds = spec.num_repeats(run) if isinstance(spec, ExperimentSpec) else 1
            _describe_run(run, num_seeds, f"Expected test accuracy {accuracy:.1%}" if accuracy else "")
    if expectation:
        took, where = duration(expectation.duration_s), escape(expectation.measured_on)
        st.caption(f"The whole experiment took {took} when it was last measured ({where}).")
    else:
        st.caption("No expected test accuracy: this has not been measured.")


def _words(spec: AnySpec) -> str:
    return spec.description if isinstance(spec, ExperimentSpec) else spec.notes


def _describe_run(run: RunSpec, num_seeds: int, expected: str) -> None:
    share = f"{100 * run.data.fraction:g}% of " if run.data.fraction < 1 else ""
    labels = f" with {100 * run.data.labelled_fraction:g}% of its labels" if run.data.labelled_fraction < 1 else ""
    lines = [
        f"**{escape(run.name)}**",
        _model_in_words(run),
        f"{_epochs(run)} on {share}{escape(title_of(run.data))}{labels} at {run.data.img_size} px",
    ]
    if run.distillation:
        lines.append(f"Learns from {escape(run.distillation.teacher)}, {run.distillation.kind} distillation")
    if num_seeds > 1:
        lines.append(f"Trained {num_seeds} times, with the seeds {run.seed} to {run.seed + num_seeds - 1}")
    if expected:
        lines.append(expected)
    st.markdown("  \n".join(lines))


def _epochs(run: RunSpec) -> str:
    return "1 epoch" if run.optim.epochs == 1 else f"{run.optim.epochs} epochs"


def _model_in_words(run: RunSpec) -> str:
    model = run.model
    if model.family == "cnn":
        return f"CNN: two convolutions from {model.width} channels"
    if model.family == "resnet9":
        return f"CNN: ResNet-9 from {model.width} channels"
    if model.family == "torchvision":
        start = "from scratch" if model.pretrained == "off" else "pretrained on ImageNet"
        return f"CNN: torchvision's {model.name}, {start}{_what_learns(model)}"
    if model.family == "timm":
        start = "pretrained" if run.initial_checkpoint else "from scratch"
        return f"timm's {escape(model.name)}, {start}{_what_learns(model)}"
    kind = "DeiT" if model.distilled else "ViT"
    return f"{kind}: {model.patch_size} px patches, width {model.embed_dim}, depth {model.depth}"


def _what_learns(model: LibrarySpec) -> str:
    return ", only its head is trained" if model.freeze_backbone else ""


def _list_changes(changes: Changes) -> None:
    if not changes.by_path:
        st.caption("No changes yet. Your changes make a variant; the preset itself stays the same.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            "Changed: " + ", ".join(f"{escape(path)} = {escape(value_text(v))}" for path, v in changes.by_path.items())
        )
        st.button("Undo all changes", on_click=st.session_state.pop, args=("train_changes",), key="undo")


def _show_as_text(source: str, changes: Changes, variant: AnySpec) -> None:
    """The same spec for the command line, for Python, and for next time."""
    document = variant.model_dump_json(indent=2)
    words = ["python", "-m", "deit_core", "submit", source]
    words += [word for path, value in changes.by_path.items() for word in ("--set", change_text(path, value))]
    words += sweep_words(variant) if isinstance(variant, ExperimentSpec) else []
    with st.expander("Command and JSON"):
        st.code(shlex.join(words), language="bash", wrap_lines=True)
        st.download_button(
            "Download the JSON",
            document,
            file_name=f"{file_name(variant.name)}.json",
            mime="application/json",
            on_click="ignore",
        )
        st.code(document, language="json", height=320)
