"""Lesson 3: accuracy against the amount of data, on moved images, and on images with their patches in another order."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.lessons.evidence import Answer, Evidence, evidence, from_runs, newest
from dashboard.pictures import images
from dashboard.pictures.images import Checkpoint
from dashboard.pictures.run_models import best_file
from dashboard.run_status import family
from dashboard.state import test_source
from dashboard.views.learn.exhibits.figures import chart, line
from deit_core.runs import Run

_ROLES = {"cnn": "teacher", "vit": "ViT", "deit": "DeiT"}
_TITLES = {"cnn": "CNN", "vit": "ViT", "deit": "DeiT"}
_SHIFTS = (0, 2, 4, 6, 8, 10)  # px
_NUM_IMAGES = 400  # test images that are moved or shuffled


def draw() -> Answer | None:
    found = evidence("lesson-fractions")
    answer = _amounts(found) if found else None
    _moved_images()
    _orders()
    return answer


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
    least, most = min(by_model["vit"]), max(by_model["vit"])
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
    shown = [run for kind in ("ResNet-9", "ViT", "DeiT") if (run := newest(kind, source="scattered-digits"))]
    if not shown:
        return
    st.markdown("**The same test images, moved**")
    curves = {run.id: _when_moved(Checkpoint.at(best_file(run)), run) for run in shown}
    if not all(curves.values()):
        return
    roles = {"ResNet-9": "teacher", "ViT": "ViT", "DeiT": "DeiT"}
    figure = chart(
        [line(family(run), _SHIFTS, curves[run.id], role=roles[family(run)], hover="%{y:.1%}") for run in shown],
        x="Moved to the right (px)",
        y="Test accuracy",
        percent=True,
    )
    ends = ", ".join(f"{family(run)} from {curves[run.id][0]:.1%} to {min(curves[run.id]):.1%}" for run in shown)
    alt = f"Moved by up to {_SHIFTS[-1]} px, what leaves at one side comes in at the other: {ends} at the lowest."
    live_chart(figure, key="learn_moved", title="Accuracy on moved images", alt=alt, height=300)
    st.caption(f"{alt} {from_runs(shown)}")


@st.cache_data(max_entries=24, show_spinner="Moving the test images…")
def _when_moved(checkpoint: Checkpoint, _run: Run) -> list[float]:
    from deit_core.lessons.accuracy import accuracy_when_moved

    loaded = test_source(_run.spec.data)
    if loaded is None:
        return []
    pictures, labels = np.asarray(loaded.test_images[:_NUM_IMAGES]), loaded.test_labels[:_NUM_IMAGES]
    return list(accuracy_when_moved(images.viewer(checkpoint), pictures, labels, _SHIFTS).values())


def _orders() -> None:
    st.markdown("**The same test images, with their patches in another order**")
    shown = [
        run
        for name in ("positions", "no-positions")
        if (run := newest("ViT", preset="lesson-positions", name=name)) is not None
    ]
    if not shown:
        own = newest("ViT", source="scattered-digits")
        shown = [own] if own else []
        st.caption("Train lesson-positions to see a ViT without positions beside this one.")
    rows = [_row(run) for run in shown]
    if rows:
        st.dataframe(rows, hide_index=True, width=560)
        st.caption(from_runs(shown))


def _row(run: Run) -> dict[str, str]:
    assert run.spec.model.family == "vit"
    found = _when_shuffled(Checkpoint.at(best_file(run)), run, run.spec.model.patch_size)
    in_order, shuffled = found or (float("nan"),) * 2
    return {
        "Positions": run.spec.model.positions,
        "In order": f"{in_order:.1%}",
        "In another order": f"{shuffled:.1%}",
    }


@st.cache_data(max_entries=24, show_spinner="Shuffling the patches…")
def _when_shuffled(checkpoint: Checkpoint, _run: Run, patch_size: int) -> Sequence[float]:
    from deit_core.lessons.accuracy import accuracy_when_shuffled

    loaded = test_source(_run.spec.data)
    if loaded is None:
        return ()
    pictures, labels = np.asarray(loaded.test_images[:_NUM_IMAGES]), loaded.test_labels[:_NUM_IMAGES]
    return tuple(accuracy_when_shuffled(images.viewer(checkpoint), pictures, labels, patch_size).values())
