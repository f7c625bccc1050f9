"""A closer look at belief: does the prediction rest on the patches that the map points at, and the map on the model?"""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.components.panels import panels
from dashboard.curves.charts import COLOURS
from dashboard.pictures import images
from dashboard.pictures.images import Picture, Subject
from dashboard.pictures.map_painting import draw_scales, panel, scales_of
from dashboard.pictures.picture_maps import PictureMap, fitted, token_map
from dashboard.views.attention import save
from dashboard.views.attention.map_table import settings, sheet
from dashboard.views.attention.maps import Column
from deit_core.catalog import REPLACEMENTS
from deit_core.spec import RolloutSpec

if TYPE_CHECKING:
    from deit_core.attention import Curves, Faithfulness

_TITLES = {"drop": "Tokens dropped", "blur": "Blurred", "mean": "Mean colour"}


def draw(picture: Picture, column: Column, spec: RolloutSpec) -> None:
    """Raises: DeitError where the model cannot be measured."""
    if spec.query == "patch":
        st.info(
            "The map of a patch explains that patch, not the prediction. Choose *Output tokens* under *Trace from*."
        )
        return
    subject = images.subject(column.choice.checkpoint, picture)
    picture_map = token_map(subject, column.token, spec)
    left, right = st.columns([5, 4], gap="medium")
    with left:
        _draw_strip(subject, picture_map, column, spec)
    with right:
        _draw_randomisation(subject, picture_map, column, spec)


def _draw_strip(subject: Subject, picture_map: PictureMap, column: Column, spec: RolloutSpec) -> None:
    replacement = st.segmented_control(
        "Patches that go are",
        REPLACEMENTS,
        default=REPLACEMENTS[0],
        required=True,
        format_func=_TITLES.__getitem__,
        key="att_replacement",
        bind="query-params",
        help="Dropped tokens are truly absent from the sequence; blurred or mean-coloured patches show the model "
        "pictures unlike those it learned from.",
    )
    target = None if spec.target is None else subject.card.class_index(spec.target)
    with st.spinner("Asking the model with patches taken away"):
        measured = images.faithfulness(subject, picture_map.cell.values, replacement, target)
    areas = {"map": measured.given.area[0].item(), "centre prior": measured.centre.area[0].item()}
    share = measured.percentile[0].item()
    live_chart(
        _figure(measured),
        key="att_strip",
        title="Probability while patches go",
        alt=_in_words(measured, areas["map"]),
        height=280,
    )
    st.caption(
        f"Area between the map's curves: {areas['map']:+.3f}, larger than {share:.0f}% of {len(measured.random)} "
        f"random orders; of the centre prior: {areas['centre prior']:+.3f}.",
        help="The score is the probability of the chosen class, or else of the predicted one, in the model's output. "
        "MoRF takes the most relevant patches first, LeRF the least. The centre prior knows only where the middle of "
        "the picture is. A map that is better than all random orders and than the centre says something about this "
        "prediction; for other pictures it may be different.",
    )
    curves = {"map": measured.given, "centre": measured.centre} | {
        f"random {number}": one for number, one in enumerate(measured.random, start=1)
    }
    with st.container(horizontal=True):
        save.offer(
            "faithfulness",
            partial(
                sheet,
                [[picture_map]],
                scales_of([picture_map], spec),
                spec,
                columns=["Map"],
                picture_title="Picture",
                note=column.title,
            ),
            {"fractions": measured.fractions.numpy()}
            | {
                f"{name} {kind}": getattr(one, kind)[0].numpy()
                for name, one in curves.items()
                for kind in ("morf", "lerf")
            },
            settings("faithfulness", [subject.picture], [column], spec) | {"replacement": replacement},
        )


def _in_words(measured: "Faithfulness", area: float) -> str:
    half = len(measured.fractions) // 2
    most, least = (curve[0, half].item() for curve in (measured.given.morf, measured.given.lerf))
    return (
        f"Probability while patches go: with {measured.fractions[half].item():.0%} of them gone it is {most:.1%} where "
        f"the most relevant go first and {least:.1%} where the least do; the area between both is {area:.2f}."
    )


def _figure(measured: "Faithfulness") -> dict[str, Any]:
    share = measured.fractions.tolist()
    chance = [curve for one in measured.random for curve in (one.morf[0].tolist(), one.lerf[0].tolist())]
    low, high = (
        [min(values) for values in zip(*chance, strict=True)],
        [max(values) for values in zip(*chance, strict=True)],
    )
    band = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    return {
        "data": [
            band | {"uid": "low", "name": "random, lowest", "x": share, "y": low, "showlegend": False},
            band
            | {
                "uid": "high",
                "name": "random",
                "meta": {"column": "random, highest"},
                "x": share,
                "y": high,
                "fill": "tonexty",
                "fillcolor": "rgba(128,128,128,0.3)",
            },
            *_lines("centre", measured.centre, share, COLOURS[2], ("dot", "dashdot"), width=1.5),
            *_lines("map", measured.given, share, COLOURS[1], ("solid", "dash"), width=2.5),
        ],
        "layout": {
            "xaxis": {"title": {"text": "Share of patches gone"}, "tickformat": ".0%"},
            "yaxis": {"title": {"text": "Probability"}, "tickformat": ".0%", "rangemode": "tozero"},
        },
    }


def _lines(
    name: str, curves: "Curves", share: list[float], colour: str, dashes: tuple[str, str], *, width: float
) -> list[dict[str, Any]]:
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "uid": f"{name} {kind}",
            "name": f"{name}, {kind}",
            "x": share,
            "y": values[0].tolist(),
            "line": {"color": colour, "width": width, "dash": dash},
            "hovertemplate": "%{y:.1%} with %{x:.0%} gone",
        }
        for kind, values, dash in zip(("MoRF", "LeRF"), (curves.morf, curves.lerf), dashes, strict=True)
    ]


def _draw_randomisation(subject: Subject, picture_map: PictureMap, column: Column, spec: RolloutSpec) -> None:
    st.markdown(
        "**Randomise the model**",
        help="Its parts are made random one after another, from the output down, and the map is made again. A map that "
        "stays as it was does not depend on what the model has learned. A rollout knows no classes, so it cannot "
        "change when only the head is random.",
    )
    if not st.toggle("Show the maps while the model becomes random", key="att_randomise", bind="query-params"):
        return
    from deit_core.attention.drawing import views

    fitting = fitted(spec, subject)
    options = views.rollout_options(subject, fitting) if spec.method == "rollout" else {}
    with st.spinner("Making the model random, part by part"):
        steps = images.randomised(
            subject.checkpoint,
            subject.picture.cache_key,
            spec.method or "rollout",
            options,
            views.query_of(subject, fitting, column.token),
            subject.pixels,
        )
    shown = [replace(picture_map, cell=replace(picture_map.cell, values=step.maps[0].numpy())) for step in steps]
    scales = scales_of(shown, spec)
    captions = [f"{step.part}, ρ {step.similarity[0].item():.2f}" for step in steps]
    cells = [panel(one, scales, spec, caption=caption) for one, caption in zip(shown, captions, strict=True)]
    per_row = 4
    rows = [[*cells[start : start + per_row]] for start in range(0, len(cells), per_row)]
    rows[-1] += [None] * (per_row - len(rows[-1]))  # type: ignore[list-item]
    panels(rows, key="att_randomised", smooth=spec.smooth, min_width=70, max_width=130)
    draw_scales(scales, spec)
    st.caption("Random down to the part named; ρ is Spearman's rank correlation with the trained model's map.")
