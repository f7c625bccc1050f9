"""A closer look at learning: the same picture's map after every epoch, with the accuracy, and as a film to keep."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import state
from dashboard.components.live_chart import live_chart
from dashboard.components.panels import panels
from dashboard.pictures import images
from dashboard.pictures.images import Picture, Pixels, Subject
from dashboard.pictures.map_painting import draw_scales, paint, panel, scales_of, sign
from dashboard.pictures.picture_maps import PictureMap, token_map
from dashboard.run_status import label, looks_of
from dashboard.views.attention import model_choice as models
from dashboard.views.attention import save
from dashboard.views.attention.controls import put
from dashboard.views.attention.map_table import settings, sheet
from dashboard.views.attention.maps import Column
from deit_core.metrics import VAL_ACCURACY
from deit_core.runs import Run
from deit_core.spec import RolloutSpec

if TYPE_CHECKING:
    from deit_core.attention.drawing.cells import Scales

_FRAME_S = 0.4
_EPOCH = "att_epoch"
_PER_ROW = 6  # pictures in a row of the sheet


def draw(picture: Picture, column: Column, spec: RolloutSpec) -> None:
    """Raises: DeitError where a checkpoint is damaged, or these settings do not fit the model."""
    files = models.epoch_files(column.choice.run)
    if len(files) < 2:
        st.info("This run kept no weights of its single epochs, so there is no film. Small models keep them.")
        return
    with st.spinner(f"Looking through {len(files)} epochs"):
        checkpoints = {images.Checkpoint.at(file): epoch for epoch, file in files.items()}
        reel = images.reel(list(checkpoints), picture)
        frames = {checkpoints[subject.checkpoint]: token_map(subject, column.token, spec) for subject in reel}
    if len(frames) < len(files):
        st.caption(
            f"{len(frames)} of {len(files)} epochs: the attention of this model is too large to keep it for all."
        )
    plays = st.toggle("Play", key="att_film_plays", help="Goes from epoch to epoch, and begins again after the last.")
    st.fragment(_show, run_every=_FRAME_S if plays else None)(picture, column, spec, frames, reel[0], plays)


def _show(
    picture: Picture, column: Column, spec: RolloutSpec, frames: Mapping[int, PictureMap], first: Subject, plays: bool
) -> None:
    epochs = list(frames)
    if plays:
        now = st.session_state.get(_EPOCH, epochs[-1])
        put(_EPOCH, epochs[(epochs.index(now) + 1) % len(epochs)] if now in epochs else epochs[0])
    epoch = st.select_slider("Epoch", epochs, key=_EPOCH, bind="query-params")
    scales = scales_of(frames.values(), spec)
    small = {number: panel(picture_map, scales, spec) for number, picture_map in frames.items()}
    panels(
        [
            [
                replace(one, caption=f"{number} {sign(frames[number])}".strip(), chosen=number == epoch)
                for number, one in small.items()
            ]
        ],
        key="att_film",
        smooth=spec.smooth,
        pick="panel",
        on_pick=lambda pick: put(_EPOCH, epochs[pick.column]),
        min_width=50,
        max_width=140,
    )
    draw_scales(scales, spec)
    left, right = st.columns([2, 5], gap="medium")
    with left:
        panels([[small[epoch]]], key="att_film_large", columns=[f"Epoch {epoch}"], smooth=spec.smooth)
    with right:
        _draw_accuracy(column.choice.run, epoch)
    with st.container(horizontal=True):
        _offer_film(first, lambda: {number: paint(picture_map, scales, spec) for number, picture_map in frames.items()})
        save.offer(
            "film",
            partial(_sheet, frames, scales, spec, note=column.title),
            {f"epoch {number}": picture_map.cell.values for number, picture_map in frames.items()},
            settings("film", [picture], [column], spec),
        )


def _draw_accuracy(run: Run, epoch: int) -> None:
    by_epoch = {
        point.epoch: point.metrics[VAL_ACCURACY] for point in state.curves().of(run) if VAL_ACCURACY in point.metrics
    }
    here = f", where it is {by_epoch[epoch]:.1%}" if epoch in by_epoch else ""
    live_chart(
        _accuracy(run, by_epoch, epoch),
        key="att_film_accuracy",
        title=f"Validation accuracy of {label(run)}",
        alt=f"Validation accuracy by epoch; the film stands at epoch {epoch}{here}.",
        height=260,
    )


def _accuracy(run: Run, by_epoch: Mapping[float, float], epoch: int) -> dict[str, Any]:
    (look,) = looks_of([run])
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "uid": run.id,
        "x": list(by_epoch),
        "y": list(by_epoch.values()),
        "line": {"color": look.colour},
        "marker": {"color": look.colour, "symbol": look.symbol},
        "hovertemplate": "%{y:.1%} after epoch %{x}",
        "showlegend": False,
    }
    here = {"type": "line", "x0": epoch, "x1": epoch, "y0": 0, "y1": 1, "yref": "paper", "line": {"color": "#767676"}}
    layout = {
        "xaxis": {"title": {"text": "Epoch"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "Validation accuracy"}, "tickformat": ".0%"},
        "shapes": [here],
    }
    return {"data": [line], "layout": layout}


def _offer_film(subject: Subject, paint_all: Callable[[], Mapping[int, Pixels]]) -> None:
    def frames() -> list[Pixels]:
        from deit_core.attention import contact_sheet

        still = images.rgb(subject.pixels)
        painted = paint_all().items()
        return [contact_sheet([[still, one]], columns=["Picture", f"Epoch {epoch}"]) for epoch, one in painted]

    def gif() -> bytes:
        from deit_core.attention import encode_gif

        return encode_gif(frames(), frame_s=_FRAME_S)

    def mp4() -> bytes:
        from deit_core.attention import encode_mp4

        return encode_mp4(frames(), frame_s=_FRAME_S)

    save.button("Film as GIF", "attention-film.gif", gif, mime="image/gif")
    save.button(
        "Film as MP4",
        "attention-film.mp4",
        mp4,
        mime="video/mp4",
        help="Browsers and VLC play it. PowerPoint and QuickTime may not; they play the GIF.",
    )


def _sheet(frames: Mapping[int, PictureMap], scales: "Scales", spec: RolloutSpec, *, note: str) -> Pixels:
    epochs, maps = list(frames), list(frames.values())
    starts = range(0, len(epochs), _PER_ROW)
    return sheet(
        [maps[start : start + _PER_ROW] for start in starts],
        scales,
        spec,
        columns=[""] * min(_PER_ROW, len(epochs)),
        row_titles=[f"From epoch {epochs[start]}" for start in starts],
        note=note,
    )
