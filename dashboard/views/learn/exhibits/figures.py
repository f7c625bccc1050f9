"""The parts that figures of lessons share, as plain Plotly dictionaries. Knows no models."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deit_core.results.role_looks import look_of

Figure = dict[str, Any]
CONTROL = "#767676"  # the colour of what is only there to compare with


def line(
    name: str, x: Sequence[Any], y: Sequence[float], *, role: str = "", number: int = 0, dash: str = "", hover: str = ""
) -> Figure:
    """A line with markers; with a role it looks as that model does in every figure, else it is a control."""
    look = look_of(role, number) if role else None
    return {
        "type": "scatter",
        "uid": name,
        "name": name,
        "mode": "lines+markers",
        "x": list(x),
        "y": list(y),
        "line": {"color": look.colour if look else CONTROL, "dash": dash or (look.dash if look else "dot"), "width": 2},
        "marker": {"symbol": look.symbol if look else "x", "size": 8},
        "hovertemplate": hover or "%{y:.3g}",
    }


def chart(
    traces: Sequence[Figure], *, x: str, y: str, log: str = "", percent: bool = False, whole: bool = False
) -> Figure:
    """A figure. Args: x, y: titles of the axes; log: "x", "y" or "xy"; percent: y is a share; whole: x counts."""
    log_axis = {"type": "log", "dtick": 1, "tickformat": "~s"}
    return {
        "data": list(traces),
        "layout": {
            "xaxis": {"title": {"text": x}} | (log_axis if "x" in log else {"dtick": 1} if whole else {}),
            "yaxis": {"title": {"text": y}}
            | (log_axis if "y" in log else {"rangemode": "tozero", "tickformat": ".0%" if percent else None}),
            "hovermode": "closest",
        },
    }


def enlarged(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A picture with its pixels as squares, so many pixels wide."""
    large: NDArray[np.uint8] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    return large
