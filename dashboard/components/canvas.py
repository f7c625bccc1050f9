"""A square to draw on with mouse, pen or finger: white strokes on black, as the digits of MNIST are.

Knows strokes and how they are painted; does not know who looks at the drawing. Streamlit ships no canvas, so this
component is needed.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import streamlit as st
from numpy.typing import NDArray

SIDE, THICKNESS = 280, 22  # pixels
MAX_POINTS = 5000

Stroke = tuple[tuple[int, int], ...]  # points (x, y) from the corner at the top left
Strokes = tuple[Stroke, ...]

_CSS = """
.drawing { font-family: var(--st-font); width: 100%; max-width: 280px; }
canvas {
  display: block; box-sizing: border-box; width: 100%; aspect-ratio: 1; background: #000; border-radius: 4px;
  border: 1px solid var(--st-border-color); cursor: crosshair; touch-action: none; user-select: none;
}
.buttons { display: flex; gap: 8px; margin-top: 8px; }
button {
  font: inherit; font-size: 0.875rem; color: var(--st-text-color); padding: 4px 12px; border-radius: 8px;
  cursor: pointer; background: var(--st-background-color); border: 1px solid var(--st-border-color);
}
button:hover { border-color: var(--st-primary-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.announcer { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
"""

_HTML = """
<div class="drawing">
  <canvas role="img"></canvas>
  <div class="buttons">
    <button type="button" class="undo">Undo</button>
    <button type="button" class="clear">Clear</button>
  </div>
  <div class="announcer" role="status"></div>
</div>
"""

_mount = st.components.v2.component(
    "deit_lab_canvas",
    html=_HTML,
    css=_CSS,
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
)


def canvas(strokes: Strokes, *, key: str, on_draw: Callable[[Strokes], None]) -> None:
    """Let people draw, or let them go on with the drawing under this key.

    Args:
        strokes: what is drawn when the canvas comes into the page; from then on it is the browser that knows.
        key: identifies the canvas in its page, over all reruns.
        on_draw: called with all strokes after each, and after undo and clear, before the rerun.
    """
    data = {"strokes": strokes, "side": SIDE, "thickness": THICKNESS, "maxPoints": MAX_POINTS}
    _mount(key=key, data=data, on_strokes_change=partial(_hear, key, on_draw))


def paint(strokes: Strokes) -> NDArray[np.uint8]:
    """The drawing as pixels (SIDE, SIDE, 3)."""
    picture = np.zeros((SIDE, SIDE), np.uint8)
    for stroke in strokes:
        for start, end in zip(stroke, stroke[1:] or stroke, strict=False):  # one point alone is a dot
            cv2.line(picture, start, end, 255, THICKNESS, cv2.LINE_AA)
    return np.repeat(picture[..., None], 3, axis=2)


def read_strokes(sent: Any) -> Strokes | None:
    """What the browser sent, as strokes; None where it is none, or has more points than the canvas takes."""
    try:
        strokes = tuple(tuple((x, y) for x, y in stroke) for stroke in sent)
    except (TypeError, ValueError):
        return None
    numbers = [number for stroke in strokes for point in stroke for number in point]
    are_right = all(type(number) is int and 0 <= number <= SIDE for number in numbers)
    return strokes if are_right and all(strokes) and len(numbers) <= 2 * MAX_POINTS else None


def _hear(key: str, on_draw: Callable[[Strokes], None]) -> None:
    strokes = read_strokes(st.session_state[key]["strokes"])
    if strokes is not None:
        on_draw(strokes)
