"""Lesson 2: one picture under one control at a time, and whether later layers look where the first one looks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.components.live_chart import live_chart
from dashboard.lessons.evidence import Answer, from_newest, newest
from dashboard.pictures import images
from dashboard.pictures.images import Checkpoint, Picture
from dashboard.pictures.run_models import best_file
from dashboard.state import test_source
from dashboard.views.learn.exhibits.figures import chart, enlarged, line
from deit_core.runs import Run

_NUM_IMAGES = 100  # test images that correlations are the mean of
_LIMIT = 0.3  # of a correlation that is called one, on either side of 0
_SIZE = 150  # px, of a map

_CONTROLS: Mapping[str, tuple[str, Sequence[Any], str]] = {
    "Combine the heads": ("head_fusion", ("mean", "max", "min"), "min keeps only what all heads agree on."),
    "Leave out weak links": (
        "discard_ratio",
        (0.0, 0.5, 0.9, 0.99),
        "Links were removed; the model itself looks at as many patches as before.",
    ),
    "Layers": ("layers", (), "Each layer alone, and then all of them together."),
    "Residual": (
        "residual",
        (0.0, 0.5, 0.9, 1.0),
        "At 1 each token keeps what it has, and nothing of the patches reaches the output.",
    ),
}


def draw() -> Answer | None:
    run = newest("ViT", source="scattered-digits") or newest("ViT")
    if run is None:
        return None
    pictures = _pictures(run)
    if pictures is None:
        st.info("The test images of this run are not on this machine, so its maps cannot be drawn.")
        return None
    _worked_picture(run, pictures)
    return _later_layers(run, pictures)


def _pictures(run: Run) -> NDArray[np.uint8] | None:
    """The first test images, as they are in the data set, (B, C, S, S)."""
    loaded = test_source(run.spec.data)
    return None if loaded is None else np.asarray(loaded.test_images[:_NUM_IMAGES])


def _worked_picture(run: Run, pictures: NDArray[np.uint8]) -> None:
    control, number = st.columns(2)
    name = control.segmented_control(
        "Control", list(_CONTROLS), default="Combine the heads", required=True, wrap=True, key="learn_control"
    )
    index = int(number.number_input("Test image", 1, len(pictures), 1, key="learn_image")) - 1
    field, values, look_for = _CONTROLS[name or "Combine the heads"]
    pixels = np.ascontiguousarray(np.broadcast_to(pictures[index], (3, *pictures.shape[2:])).transpose(1, 2, 0))
    checkpoint = Checkpoint.at(best_file(run))
    seen = images.subject(checkpoint, Picture(f"{run.spec.data.origin} test {index}", f"test {index}", pixels))
    depth = len(seen.look.attention)
    options: list[tuple[str, dict[str, Any]]] = (
        [(f"layer {layer + 1}", {"layers": (layer,)}) for layer in range(depth)] + [("all layers", {})]
        if field == "layers"
        else [(f"{name}: {value}", {field: value}) for value in values]
    )
    with st.container(horizontal=True):
        st.image(enlarged(pixels, _SIZE), caption="The picture", width=_SIZE)
        for title, changed in options:
            st.image(_map(seen, changed), caption=title, width=_SIZE)
    st.caption(f"{look_for} Bright is much; each map has a scale of its own. {from_newest(run)}")


def _map(seen: images.Subject, changed: Mapping[str, Any]) -> NDArray[np.uint8]:
    from deit_core.attention import colourise, times_uniform

    fusion = {"head_fusion": changed.get("head_fusion", "mean"), "scope": "matrix"}
    rest = {name: value for name, value in changed.items() if name != "head_fusion"}
    values = seen.prepared(**fusion).map(query=seen.look.query(), **rest).values
    return enlarged(colourise(values, vmax=float(times_uniform(values).max()) or 1.0), _SIZE)


def _later_layers(run: Run, pictures: NDArray[np.uint8]) -> Answer:
    trained, control = _correlations(Checkpoint.at(best_file(run)), pictures)
    layers = list(range(1, len(trained) + 1))
    figure = chart(
        [
            line("trained", layers, trained, role="ViT", hover="%{y:.2f} in layer %{x}"),
            line("random weights", layers, control, hover="%{y:.2f} in layer %{x}"),
        ],
        x="Layer",
        y="Rank correlation with layer 1",
        whole=True,
    )
    figure["layout"]["yaxis"]["range"] = [-1, 1.05]
    last = trained[-1]
    alt = (
        f"The map of layer {len(trained)} has a rank correlation of {last:.2f} with that of layer 1 in the trained "
        f"model, and of {control[-1]:.2f} with random weights; means of {len(pictures)} test images."
    )
    live_chart(figure, key="learn_layers", title="Layers against the first", alt=alt, height=300)
    right = 0 if last < -_LIMIT else 1 if last <= _LIMIT else 2
    return Answer(right, alt, from_newest(run))


@st.cache_data(max_entries=8, show_spinner="Looking at the test images…")
def _correlations(checkpoint: Checkpoint, _pictures: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    from deit_core.lessons.accuracy import fitted
    from deit_core.lessons.layer_maps import correlation_with_first, untrained_viewer

    viewer = images.viewer(checkpoint)
    pictures = fitted(viewer, _pictures)
    found = (correlation_with_first(one, pictures).mean(1).tolist() for one in (viewer, untrained_viewer(viewer)))
    trained, control = found
    return trained, control
