"""Attention: where a ViT and a DeiT look on one picture, with the controls of the rollout in hand.

Knows which models and pictures there are to choose from; how one is shown is attention_side.py's to know.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import attention_side, images
from dashboard.attention_panel import Controls, controls
from dashboard.attention_side import Side
from dashboard.images import Picture
from dashboard.navigation import link
from dashboard.run_status import label
from dashboard.state import settings, source, store
from dashboard.text import escape
from deit_core.catalog import SOURCES, SourceName
from deit_core.errors import DataError, DeitError
from deit_core.runs import Run, Status, run_folder
from deit_core.spec import VisionTransformerSpec

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_WHAT_IT_IS = (
    "A rollout follows attention from the output back through the layers and shows where information could have "
    "flowed. It is the same whatever class one asks about, and it does not show which patches decided the prediction."
)


@dataclass(frozen=True)
class Choice:
    """A ViT's run, and the file with its weights after one epoch."""

    run: Run
    checkpoint: Path

    @property
    def model(self) -> VisionTransformerSpec:
        assert isinstance(self.run.spec.model, VisionTransformerSpec)
        return self.run.spec.model

    @property
    def grid_side(self) -> int:
        return self.run.spec.data.img_size // self.model.patch_size


def render() -> None:
    runs = store().runs()
    students = [run for run in runs if run.spec.model.family == "vit"]
    ready = [run for run in students if (_folder(run) / "best.safetensors").exists()]
    if ready:
        _explore(ready)
    else:
        st.title("Attention")
        _say_what_to_do(runs, students)


def _say_what_to_do(runs: Sequence[Run], students: Sequence[Run]) -> None:
    if any(run.status.is_active for run in students):
        st.info("No ViT has finished its first epoch yet. Come back when one has, to see where it looks.")
        link("runs", "See how far the runs are")
    elif runs and not students:
        st.info("Only CNNs have been trained so far, and a CNN has no attention to show. Train a ViT or a DeiT too.")
        link("train", "Train a ViT and a DeiT")
    else:
        st.info("There is no trained ViT yet. Train digits-quick first: it takes about a minute and needs no download.")
        link("train", "Train digits-quick")


@st.fragment
def _explore(runs: Sequence[Run]) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.title("Attention", width="content")
        chooser = st.container(
            horizontal=True, horizontal_alignment="right", vertical_alignment="bottom", width="content"
        )
    panel, *columns = st.columns([2, 4, 4], gap="medium")
    st.caption(_WHAT_IT_IS)
    choices = _choose_models(runs, columns)
    with chooser:
        load_picture = _choose_picture(choices[0].run.spec.data.source)
    with panel:
        set_to = controls(
            depth=max(choice.model.depth for choice in choices),
            grid_side=max(choice.grid_side for choice in choices),
            distilled=any(choice.model.distilled for choice in choices),
        )
    _show(choices, columns, load_picture, set_to)


def _show(
    choices: Sequence[Choice],
    columns: Sequence[DeltaGenerator],
    load_picture: Callable[[], Picture | None],
    set_to: Controls,
) -> None:
    with columns[0]:
        try:
            with st.spinner("Loading the models"):
                picture = load_picture()
                if picture is None:
                    return
                sides = [_look(choice, picture, set_to) for choice in choices]
        except DataError as error:
            st.error(escape(str(error)))
            return
    maps = [side.found.values for side in sides if isinstance(side, Side) and not isinstance(side.found, DeitError)]
    vmax = images.scale(maps) if maps and set_to.shared_scale else None
    for column, name, side in zip(columns, ("left", "right"), sides, strict=False):
        with column:
            if isinstance(side, DeitError):
                st.error(escape(str(side)))
            else:
                attention_side.draw(side, picture, set_to, vmax=vmax, name=name)


def _look(choice: Choice, picture: Picture, set_to: Controls) -> Side | DeitError:
    """A model that cannot be shown does not keep the other from it."""
    try:
        return attention_side.look(choice.checkpoint, picture, set_to)
    except DeitError as error:
        return error


def _choose_models(runs: Sequence[Run], columns: Sequence[DeltaGenerator]) -> list[Choice]:
    by_id = {run.id: run for run in runs}
    ids = list(by_id)
    left, right = _pair(runs)
    with columns[0].container(horizontal=True):
        first = st.selectbox(
            "Model",
            ids,
            index=ids.index(left.id),
            format_func=lambda run_id: label(by_id[run_id]),
            key="att_left",
            bind="query-params",
        )
        chosen = [_choose_weights(by_id[first], "att_left_weights")]
    with columns[1].container(horizontal=True):
        second = st.selectbox(
            "Beside it",
            ["", *ids],
            index=ids.index(right.id) + 1 if right else 0,
            format_func=lambda run_id: label(by_id[run_id]) if run_id else "Nothing",
            key="att_right",
            bind="query-params",
        )
        if second:
            chosen.append(_choose_weights(by_id[second], "att_right_weights"))
    return chosen


def _pair(runs: Sequence[Run]) -> tuple[Run, Run | None]:
    """What is shown at first: the newest completed ViT beside its experiment's DeiT, which differs in nothing else."""
    completed_first = sorted(runs, key=lambda run: run.status != Status.COMPLETED)
    for vit in completed_first:
        for deit in completed_first:
            together = vit.experiment_id is not None and vit.experiment_id == deit.experiment_id
            if together and vit.spec.distillation is None and deit.spec.distillation is not None:
                return vit, deit
    return completed_first[0], None


def _choose_weights(run: Run, key: str) -> Choice:
    files = {"Best epoch": "best", "Last epoch": "last"}
    epochs = sorted(file.stem for file in (_folder(run) / "epochs").glob("*.safetensors"))
    files |= {f"Epoch {int(stem)}": f"epochs/{stem}" for stem in epochs}
    weights = st.selectbox("Weights", list(files), key=key, bind="query-params", width=140)
    return Choice(run, _folder(run) / f"{files[weights]}.safetensors")


def _choose_picture(name: SourceName) -> Callable[[], Picture | None]:
    """What is to be shown to the models. Loading it is left for later, so that the page stands first."""
    facts = SOURCES[name]
    kind = st.segmented_control(
        "Picture", ["Test image", "Upload"], default="Test image", required=True, key="att_picture", bind="query-params"
    )
    if kind == "Test image":
        label = st.selectbox("Class", facts.classes, key="att_class", bind="query-params", width=160)
        largest = facts.num_test // len(facts.classes)
        number = st.number_input("Image", 1, largest, key="att_image", bind="query-params", width=140)
        return partial(_test_image, name, facts.classes.index(label), number)
    invert = st.toggle(
        "Invert", key="att_invert", help=f"{facts.title} shows light things on black; most photographs do not."
    )
    file = st.file_uploader(
        "Your picture",
        ["png", "jpg", "jpeg", "webp"],
        max_upload_size=20,
        label_visibility="collapsed",
        width=320,
    )
    return partial(_upload, file, invert)


def _test_image(name: SourceName, label: int, number: int) -> Picture | None:
    from deit_core.data import is_here
    from deit_core.data.inputs import find_examples, source_picture

    if not is_here(name, settings().data_dir):  # fetching it would hold up the page
        st.error(f"{SOURCES[name].title} is not on this machine. Get it on the Data page, or upload a picture.")
        link("data", f"Get {SOURCES[name].title}")
        return None
    loaded = source(name)
    examples = find_examples(loaded, label)
    position = examples[(number - 1) % len(examples)]
    return Picture(f"{name} test {position}", source_picture(loaded, position), truth=loaded.classes[label])


def _upload(file: "UploadedFile | None", invert: bool) -> Picture | None:
    if file is None:
        st.info("Upload a picture of one thing. The models see the square in its middle.")
        return None
    return Picture(file.file_id, images.decode(file.file_id, file), invert=invert)


def _folder(run: Run) -> Path:
    return run_folder(settings().runs_dir, run.id)
