"""A table of pictures over grids of patches, whose patches can be read and picked.

Knows how to bring pictures to the browser, keep their nodes there, and receive what is picked; does not know what the
pictures show or what a pick changes. `st.image` does not report where it was clicked, so this component is needed.

    gh x gw patches
"""

import struct
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import streamlit as st

_CSS = """
/* The padding leaves room for frames, which the box would cut off. */
.scroll { overflow-x: auto; padding: 5px; margin: 0 -5px; }
.table {
  display: grid; gap: 10px; align-items: start;
  font-family: var(--st-font); font-size: 0.875rem; line-height: 1.3; color: var(--st-gray-text-color);
}
.table:not(.captioned) { row-gap: 6px; column-gap: 6px; }
.row { display: contents; }
.title[role="columnheader"] { align-self: end; text-align: center; overflow-wrap: anywhere; }
.title[role="rowheader"] { align-self: center; max-width: 7rem; padding-right: 4px; overflow-wrap: break-word; }
.caption { margin: 6px 0 0; font-size: 0.75rem; overflow-wrap: anywhere; }
.caption:empty { display: none; }
.caption[data-verdict="right"] { color: var(--st-green-text-color); }
.caption[data-verdict="wrong"] { color: var(--st-red-text-color); }
.frame {
  position: relative; border-radius: 2px; box-shadow: 0 0 0 1px var(--st-border-color);
  touch-action: manipulation; user-select: none;
}
.frame[data-pick="patch"] { cursor: crosshair; }
.frame[data-pick="panel"] { cursor: pointer; }
.frame[data-pick="panel"]:hover { box-shadow: 0 0 0 2px var(--st-gray-color); }
.frame[aria-current] { box-shadow: 0 0 0 3px var(--st-primary-color); }
.frame:focus { outline: none; }
.frame:focus-visible { outline: 2px solid var(--st-text-color); outline-offset: 3px; }
img { display: block; width: 100%; height: auto; border-radius: 2px; image-rendering: pixelated; }
.smooth img { image-rendering: auto; }
/* Light between dark, so that they show on any picture. */
.patch { position: absolute; box-sizing: border-box; pointer-events: none; }
.outlined { border: 2px solid #fff; outline: 1px solid #000; box-shadow: inset 0 0 0 1px #000; }
.cursor { border: 1px solid #fff; outline: 1px solid #000; }
.tip {
  position: fixed; inset: auto; margin: 0; padding: 3px 8px; width: max-content; pointer-events: none;
  font-family: var(--st-font); font-size: 0.8125rem; font-variant-numeric: tabular-nums;
  color: var(--st-text-color); background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); border-radius: 4px;
}
.announcer { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
"""

_HTML = """
<div class="scroll"><div class="table" role="table"></div></div>
<div class="tip" popover="manual"></div>
<div class="announcer" role="status"></div>
"""

_mount = st.components.v2.component(
    "deit_lab_panels",
    html=_HTML,
    css=_CSS,
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
)

_Grid = tuple[int, int]


@dataclass(frozen=True)
class Panel:
    """One picture of the table.

    Attributes:
        png: what is drawn. The browser enlarges it, so one pixel per patch is enough where no finer detail is shown.
        alt: what the picture shows, in a sentence, for people who do not see it.
        caption: a small line below the picture.
        values: (gh, gw) finite numbers in "x uniform", shown when a patch is pointed at.
        outlined: (row, column) from 0 of a patch with a frame.
        chosen: whether the whole panel has a frame.
        grid_size: (gh, gw) where patches are to be pointed at without values.
        verdict: colours the caption, where it is an answer; its words must say the same.
    """

    png: bytes
    alt: str
    caption: str = ""
    values: list[list[float]] | None = None
    outlined: tuple[int, int] | None = None
    chosen: bool = False
    grid_size: tuple[int, int] | None = None
    verdict: Literal["", "right", "wrong"] = ""

    def __post_init__(self) -> None:
        assert self.values is None or self.grid_size in (None, _shape(self.values))
        assert self.outlined is None or self.grid is not None

    @property
    def grid(self) -> tuple[int, int] | None:
        """(gh, gw), or None for a picture without patches."""
        return self.grid_size if self.values is None else _shape(self.values)


class Pick(NamedTuple):
    """What was picked: a panel by its place in the table, and one of its patches (row, column); all from 0."""

    row: int
    column: int
    patch: tuple[int, int] | None


def panels(
    rows: Sequence[Sequence[Panel | None]],
    *,
    key: str,
    columns: Sequence[str] = (),
    row_titles: Sequence[str] = (),
    smooth: bool = False,
    pick: Literal["patch", "panel"] | None = None,
    on_pick: Callable[[Pick], None] | None = None,
    min_width: int = 90,
    max_width: int = 320,
) -> None:
    """Draw a table of pictures, or give the table already drawn under this key new ones.

    Pictures keep their nodes while the key stays, so that nothing flickers or jumps when they change. Words show
    literally, so pass names as they are.

    Args:
        rows: the panels, all rows of one length; None leaves a place empty.
        key: identifies the table in its page, over all reruns.
        columns: titles above; none, or one each.
        row_titles: titles on the left; none, or one each.
        smooth: let the browser blend between the pixels that it enlarges.
        pick: "patch" makes patches pickable by click, or by arrow keys and Enter, in all panels that have a grid;
            "panel" whole panels. Not inside `st.form`, whose widgets all wait for its button.
        on_pick: called with each pick before the rerun, which inside a fragment is the fragment's alone.
        min_width: pixels of a panel at least; a table too wide for its place scrolls sideways by itself.
        max_width: pixels of a panel at most.
    """
    num_columns = len(rows[0]) if rows else 0
    assert all(len(row) == num_columns for row in rows)
    assert len(columns) in (0, num_columns)
    assert len(row_titles) in (0, len(rows))
    assert (pick is None) == (on_pick is None)
    data = {
        "rows": [[panel and _for_browser(panel) for panel in row] for row in rows],
        "columns": list(columns),
        "rowTitles": list(row_titles),
        "smooth": smooth,
        "pick": pick,
        "minWidth": min_width,
        "maxWidth": max_width,
    }
    grids = {
        (i, j): panel.grid if pick == "patch" else None
        for i, row in enumerate(rows)
        for j, panel in enumerate(row)
        if panel is not None
    }
    _mount(key=key, data=data, on_pick_change=on_pick and partial(_hear, key, grids, on_pick))


def _hear(key: str, grids: dict[tuple[int, int], _Grid | None], on_pick: Callable[[Pick], None]) -> None:
    """Pass on a pick, unless what was picked is gone: a click may meet a run that changes the table."""
    picked = read_pick(st.session_state[key]["pick"], grids)
    if picked is not None:
        on_pick(picked)


def read_pick(sent: Mapping[str, Any], grids: Mapping[tuple[int, int], _Grid | None]) -> Pick | None:
    """What the browser sent, as a pick; None where there is no such panel or patch.

    Args: grids: (gh, gw) of each panel by its place, or None where the panel is picked as a whole.
    """
    place = sent["row"], sent["column"]
    if place not in grids:
        return None
    grid = grids[place]
    if (sent["patch"] is None) != (grid is None):
        return None
    if grid is None:
        return Pick(*place, None)
    row, column = sent["patch"]
    if row not in range(grid[0]) or column not in range(grid[1]):
        return None
    return Pick(*place, (row, column))


def _for_browser(panel: Panel) -> dict[str, Any]:
    width, height = struct.unpack(">II", panel.png[16:24])  # from the header, so that its place is kept until it shows
    return {
        "src": f"data:image/png;base64,{b64encode(panel.png).decode('ascii')}",
        "width": width,
        "height": height,
        "alt": panel.alt,
        "caption": panel.caption,
        "verdict": panel.verdict,
        "grid": panel.grid,
        "values": panel.values and [[round(value, 3) for value in row] for row in panel.values],
        "outlined": panel.outlined,
        "chosen": panel.chosen,
    }


def _shape(values: list[list[float]]) -> _Grid:
    return len(values), len(values[0])
