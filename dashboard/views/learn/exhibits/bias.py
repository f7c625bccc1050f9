"""Lesson 3: accuracy against the amount of data, on moved images, and on images with their patches in another order."""

import numpy as np
import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.lessons.evidence import Answer, Evidence, evidence, from_runs, of_preset, together
from dashboard.pictures import images
from dashboard.pictures.images import Checkpoint
from dashboard.pictures.run_models import best_file
from dashboard.run_status import family
from dashboard.state import test_source
from dashboard.views.learn.exhibits.figures import chart, enlarged, line
from deit_core import presets
from deit_core.runs import Run
from deit_core.spec import ExperimentSpec

_ROLES = {"cnn": "teacher", "vit": "ViT", "deit": "DeiT"}
_TITLES = {"cnn": "CNN", "vit": "ViT", "deit": "DeiT"}
_KINDS = {"ResNet-9": "teacher", "ViT": "ViT", "DeiT": "DeiT"}
_STILL = "digits"  # data in which all digits stand in the middle
_NUM_SHOWN, _SHOWN = 6, 100  # test images, and their width in px
_SHIFTS = (0, 1, 2, 3, 4, 5)  # px


def draw() -> Answer | None:
    _show_images()
    found = evidence("lesson-fractions")
    answer = _amounts(found) if found else None
    _moved_images()
    _orders()
    return answer


def _show_images() -> None:
    spec = presets.get("lesson-fractions")
    assert isinstance(spec, ExperimentSpec)
    loaded = test_source(spec.runs[0].data)
    if loaded is None:
        return
    with st.container(horizontal=True):
        for index in np.linspace(0, len(loaded.test_images) - 1, _NUM_SHOWN, dtype=int):
            st.image(enlarged(np.asarray(loaded.test_images[index, 0]), _SHOWN), width=_SHOWN)
    st.caption("Scattered digits, as the models are tested on them.")


def _amounts(found: Evidence) -> Answer:
    by_model: dict[str, dict[float, float]] = {}
    for name, sample in found.accuracy.items():
        kind, _, share = name.removesuffix("pct").rpartition("-")
        by_model.setdefault(kind, {})[float(share)] = sample.mean
    figure = chart(
        [
            line(
                _TITLES[kind],
                sorted(shares),
                [shares[one] for one in sorted(shares)],
                role=_ROLES[kind],
                hover="%{y:.1%}",
            )
            for kind, shares in by_model.items()
        ],
        x="Share of the training images (%)",
        y="Test accuracy",
        log="x",
        percent=True,
    )
    amounts = sorted(by_model["vit"])
    figure["layout"]["xaxis"] |= {"tickmode": "array", "tickvals": amounts, "ticktext": [f"{one:g}" for one in amounts]}
    least, most = amounts[0], amounts[-1]
    few = {kind: shares[least] for kind, shares in by_model.items()}
    gap_few, gap_all = (by_model["cnn"][one] - by_model["vit"][one] for one in (least, most))
    sentence = (
        f"With {least:g} % of the images: "
        + ", ".join(f"{_TITLES[kind]} {value:.1%}" for kind, value in few.items())
        + f". The CNN is {100 * gap_few:.0f} points ahead of the ViT there, and {100 * gap_all:.0f} with all images."
    )
    live_chart(figure, key="learn_amounts", title="Accuracy by the amount of data", alt=sentence, height=340)
    st.caption(found.source)
    options = list(_TITLES)
    return Answer(max(range(3), key=lambda index: few[options[index]]), sentence, found.source)


def _moved_images() -> None:
    shown = together(list(_KINDS), source=_STILL)
    curves = {run.id: curve for run in shown if (curve := _when_moved(Checkpoint.at(best_file(run)), run))}
    if not shown or len(curves) < len(shown):
        return
    st.markdown("**Digits that were all in the middle, moved**")
    figure = chart(
        [line(family(run), _SHIFTS, curves[run.id], role=_KINDS[family(run)], hover="%{y:.1%}") for run in shown],
        x="Moved to the right (px of 16)",
        y="Test accuracy",
        percent=True,
        whole=True,
    )
    ends = ", ".join(f"{family(run)} from {curves[run.id][0]:.1%} to {curves[run.id][-1]:.1%}" for run in shown)
    alt = f"Moved by {_SHIFTS[-1]} px: {ends}. What leaves at the right comes in at the left."
    live_chart(figure, key="learn_moved", title="Accuracy on moved images", alt=alt, height=300)
    st.caption(f"{alt} {from_runs(shown)}")


@st.cache_data(max_entries=24, show_spinner="Moving the test images…")
def _when_moved(checkpoint: Checkpoint, _run: Run) -> list[float]:
    from deit_core.lessons.accuracy import accuracy_when_moved

    loaded = test_source(_run.spec.data)
    if loaded is None:
        return []
    return accuracy_when_moved(images.viewer(checkpoint), np.asarray(loaded.test_images), loaded.test_labels, _SHIFTS)


def _orders() -> None:
    trained = (of_preset("lesson-positions", name) for name in ("positions", "no-positions"))
    shown = [run for run in trained if run is not None]
    if not shown:
        shown = [run for run in together(list(_KINDS), source=_STILL) if family(run) == "ViT"]
    rows = [row for run in shown if (row := _row(run))]
    if not rows:
        return
    st.markdown("**The same test images, with their patches in another order**")
    st.dataframe(rows, hide_index=True, width=560)
    more = "" if len(rows) > 1 else " Train lesson-positions to see a ViT without positions beside this one."
    st.caption(from_runs(shown) + more)


def _row(run: Run) -> dict[str, str]:
    assert run.spec.model.family == "vit"
    found = _when_shuffled(Checkpoint.at(best_file(run)), run, run.spec.model.patch_size)
    if found is None:
        return {}
    in_order, shuffled = found
    return {
        "Positions": run.spec.model.positions,
        "In order": f"{in_order:.1%}",
        "In another order": f"{shuffled:.1%}",
    }


@st.cache_data(max_entries=24, show_spinner="Shuffling the patches…")
def _when_shuffled(checkpoint: Checkpoint, _run: Run, patch_size: int) -> tuple[float, float] | None:
    from deit_core.lessons.accuracy import accuracy_when_shuffled

    loaded = test_source(_run.spec.data)
    if loaded is None:
        return None
    viewer = images.viewer(checkpoint)
    return accuracy_when_shuffled(viewer, np.asarray(loaded.test_images), loaded.test_labels, patch_size)
