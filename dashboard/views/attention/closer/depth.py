"""A closer look at depth: where the traced information sits below each layer, and what the discard leaves of a layer.

L layers, N tokens = P prefix + gh x gw patches
"""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.components.live_chart import live_chart
from dashboard.components.panels import panels
from dashboard.curves.charts import COLOURS
from dashboard.pictures import images
from dashboard.pictures.images import Map, Picture
from dashboard.pictures.map_painting import draw_scales, panel, scales_of
from dashboard.pictures.picture_maps import PictureMap, fitted
from dashboard.views.attention import save
from dashboard.views.attention.controls import put
from dashboard.views.attention.map_table import settings, sheet
from dashboard.views.attention.maps import Column
from deit_core.spec import RolloutSpec

if TYPE_CHECKING:
    from deit_core.attention import Audit, Look

_PASSED = "att_passed"


def draw(picture: Picture, column: Column, spec: RolloutSpec) -> None:
    """Raises: DeitError where the model has no such token or layer."""
    if spec.method != "rollout":
        st.info("Only a rollout goes layer by layer. Choose the method Attention rollout to see each step of it.")
        return
    from deit_core.attention.drawing import views

    subject = images.subject(column.choice.checkpoint, picture)
    fitting = fitted(spec, subject)
    trace = views.rollout_of(subject, fitting, column.token).trace
    steps = [PictureMap(cell, subject.pixels) for cell in views.depth_cells(subject.look, trace)]
    scales = scales_of(steps, spec)
    passed = _choose_step(len(steps))
    small = [panel(one, scales, spec, caption=one.cell.title) for one in steps]
    strip = [replace(one, chosen=number == passed) for number, one in enumerate(small, start=1)]
    panels(
        [strip],
        key="att_depth",
        smooth=spec.smooth,
        pick="panel",
        on_pick=lambda pick: put(_PASSED, pick.column + 1),
        min_width=70,
        max_width=140,
    )
    draw_scales(scales, spec)
    large, meter, honesty = st.columns([3, 4, 5], gap="medium")
    with large:
        panels([[small[passed - 1]]], key="att_depth_large", smooth=spec.smooth)
    with meter:
        _draw_meter(trace, subject.look, passed)
    with honesty:
        if spec.compat:
            st.caption("vit-explain normalises columns, so its shares do not sum to 1 and cannot be checked.")
        else:
            _draw_audit(views.audit_of(subject, fitting, column.token))
    with st.container(horizontal=True):
        save.offer(
            "depth",
            partial(
                sheet,
                [steps],
                scales,
                spec,
                columns=[one.cell.title for one in steps],
                picture_title="Picture",
                note=column.title,
            ),
            {"trace": trace},
            settings("depth", [picture], [column], spec),
        )


def _choose_step(depth: int) -> int:
    if depth == 1:  # a slider needs two ends
        return 1
    return st.slider(
        "Layers passed",
        1,
        depth,
        depth,
        key=_PASSED,
        bind="query-params",
        help="From the last layer down to the first: where the traced information sat below that many layers.",
        width=320,
    )


def _draw_meter(trace: Map, look: "Look", passed: int) -> None:
    """The share of the class and the distillation token, of the registers and of the patches together, by depth."""
    shares = {"class token": trace[:, 0]}
    if "distillation" in look.shares:
        shares["distillation token"] = trace[:, 1]
    if len(shares) < look.num_prefix_tokens:
        shares["registers"] = trace[:, len(shares) : look.num_prefix_tokens].sum(-1)
    shares["patches"] = trace[:, look.num_prefix_tokens :].sum(-1)
    depth = len(trace)
    layers = [f"{layer}" for layer in range(depth, 0, -1)]
    lines: list[dict[str, Any]] = [
        {
            "type": "bar",
            "uid": name,
            "name": name,
            "x": layers,
            "y": values.tolist(),
            "marker": {
                "color": colour,
                "opacity": [1.0 if step == passed - 1 else 0.55 for step in range(depth)],
                "pattern": {"shape": pattern},
            },
            "hovertemplate": "%{y:.1%}",
        }
        for (name, values), colour, pattern in zip(shares.items(), COLOURS, ("", "/", "."), strict=False)
    ]
    layout = {
        "barmode": "stack",
        "xaxis": {"title": {"text": "Below layer"}, "type": "category"},
        "yaxis": {"tickformat": ".0%", "title": {"text": "Share of the information"}},
    }
    now = ", ".join(f"{name} {values[passed - 1]:.0%}" for name, values in shares.items())
    live_chart(
        {"data": lines, "layout": layout},
        key="att_meter",
        title="Where the traced information sits",
        alt=f"Where the traced information sits by depth; below layer {depth - passed + 1}: {now}.",
        height=260,
    )


def _draw_audit(audit: "Audit") -> None:
    wiped = audit.wiped[:, 0].tolist()
    table = {
        "Layer": [layer + 1 for layer in audit.layers],
        "Links kept": (100 * audit.kept[:, 0]).tolist(),
        "Residual": (100 * audit.residual_share[:, 0]).tolist(),
    }
    if any(wiped):
        table["Query"] = ["lost all" if is_wiped else "" for is_wiped in wiped]
    columns = {
        "Links kept": st.column_config.ProgressColumn(
            width="small",
            format="%.0f%%",
            max_value=100,
            help="Links to patches that are left after the discard. Links as weak as the weakest of these stay too.",
        ),
        "Residual": st.column_config.ProgressColumn(
            width="small",
            format="%.0f%%",
            max_value=100,
            help="The share that passes the layer by its residual connection, not by attention; half in the paper.",
        ),
        "Layer": st.column_config.NumberColumn(width=50),
        "Query": st.column_config.TextColumn(
            width="small", help="Whether the queried token lost all of its links to patches in this layer."
        ),
    }
    st.dataframe(table, column_config=columns, hide_index=True, height=min(260, 38 + 35 * len(wiped)))
    bare = [str(layer + 1) for layer, is_wiped in zip(audit.layers, wiped, strict=True) if is_wiped]
    if bare:
        st.warning(
            f"In layer {', '.join(bare)} the discard left the queried token no link to a patch: its row is empty. "
            "Leave out fewer weak links, or set the discard scope to row."
        )
