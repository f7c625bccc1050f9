"""A closer look with a pencil: a rollout of five tokens, every matrix as numbers, under the panel's own settings."""

from collections.abc import Iterable
from typing import Any

import streamlit as st
from numpy.typing import NDArray

from deit_core.spec import RolloutSpec

_TOKENS = ("cls", "1", "2", "3", "4")


def draw(spec: RolloutSpec) -> None:
    from deit_core.attention import worked_example_of

    if isinstance(spec.head_fusion, int) and spec.head_fusion > 2:
        st.info("The example has two heads. Choose mean, max, min, head 1 or head 2 to see it.")
        return
    example = worked_example_of(spec)
    st.caption(
        "A class token and 2 × 2 patches, two layers, two heads. The token of a row attends to those of the columns. "
        "The weights are made up; the settings of the panel decide what becomes of them."
    )
    for layer in (1, 0):
        steps = [
            (f"Layer {layer + 1}, head 1", example.heads[layer, 0]),
            ("head 2", example.heads[layer, 1]),
            ("heads combined", example.fused[layer]),
            ("after the discard", example.kept[layer]),
            (
                "with residual, columns divided" if spec.compat else "with residual, rows divided",
                example.mixed[layer],
            ),
        ]
        _side_by_side(_matrix(title, matrix) for title, matrix in steps)
    _side_by_side(
        (
            _matrix("layer 2 × layer 1", example.product),
            _matrix("the row of the class token", example.row[None], rows=("cls",)),
            _matrix("the patches of that row: the map", example.map, rows=("", ""), columns=("", "")),
        )
    )


def _side_by_side(matrices: Iterable[str]) -> None:
    """As many in a line as there is room for."""
    with st.container(horizontal=True):
        for matrix in matrices:
            st.html(matrix, width="content")


def _matrix(
    title: str, values: NDArray[Any], *, rows: tuple[str, ...] = _TOKENS, columns: tuple[str, ...] = _TOKENS
) -> str:
    """Numbers as an HTML table, each cell the darker the larger it is. Words are this file's own."""
    head = "".join(f"<th>{name}</th>" for name in columns)
    body = "".join(
        f"<tr><th>{name}</th>" + "".join(_cell(value) for value in row) + "</tr>"
        for name, row in zip(rows, values.tolist(), strict=True)
    )
    style = "font-size:0.75rem; border-collapse:collapse; font-variant-numeric:tabular-nums"
    return (
        f'<div style="font-size:0.8rem; opacity:0.8; margin-bottom:4px">{title}</div>'
        f'<table style="{style}"><tr><th></th>{head}</tr>{body}</table>'
    )


def _cell(value: float) -> str:
    number = "·" if value == 0 else f"{value:.2f}".removeprefix("0")
    return (
        f'<td style="padding:2px 5px; text-align:right; background:rgba(0,114,178,{min(value, 1):.2f})">{number}</td>'
    )
