"""Lay panels out as one picture to print or hand in: a table with titles, a colour bar and a line of text.

Knows nothing of attention: panels are finished pictures.

Shapes: H x W pixels, different from panel to panel if need be.
"""

import json
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from deit_core.attention.overlay import Picture, colour_table
from deit_core.catalog import SIGNED_MAPS
from deit_core.errors import DeitError

SETTINGS_KEY = "deit_lab"  # of the PNG's text chunk

_CELL = 224  # longest side of a panel in pixels; larger panels keep their size
_GAP = 12
_MARGIN = 20
_BAR_WIDTH, _BAR_HEIGHT, _TICK = 360, 16, 6
_ROW_TITLES = 200  # widest column of row titles
_FONT_SIZE, _NOTE_SIZE = 18, 14
_LINE = 1.4  # of a font's size
_INK, _FAINT = (30, 30, 30), (110, 110, 110)
_LONGEST_TEXT = 2000  # characters; more is not read, but measuring it takes time

# What Pillow's own font lacks although a name may well hold it, and what stands in.
_STAND_INS = str.maketrans(
    {"×": "x", "–": "-", "—": "-", "−": "-", "·": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "→": "->", "⁄": "/"}
    | {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
)


@dataclass(frozen=True)
class Bar:
    """A colour bar in "x uniform": the colour map and the end of its scale, as `overlay` took them."""

    cmap: str
    vmax: float


def contact_sheet(
    rows: Sequence[Sequence[Picture | None]],
    *,
    columns: Sequence[str],
    row_titles: Sequence[str] = (),
    bar: Bar | None = None,
    note: str = "",
) -> Picture:
    """Draw a table of panels on white.

    Args:
        rows: the panels, each (H, W, 3) uint8 RGB; None leaves a place empty, and so does a row that is short. All are
            enlarged to one longest side, at least 224 pixels, without smoothing and without changing proportions.
        columns: a title above each column; one that is too long ends in an ellipsis. "" shows none.
        row_titles: a title at the left of each row, or none at all.
        bar: a colour bar below the panels, with a mark at 1 x uniform, or at 0 if its colour map is signed.
        note: text at the foot, wrapped to the width.
    Returns: (height, width, 3) uint8 RGB. Letters that the font lacks lose their accent, or show as a box.
    Raises: ValueError without any panel, for more panels in a row than columns, row titles that are not one a row, a
        panel of another layout, or a colour bar that cannot be drawn.
    """
    _check(rows, columns, row_titles)
    panels = [panel for row in rows for panel in row if panel is not None]
    side = max(_CELL, *(max(panel.shape[:2]) for panel in panels))
    fitted = [[None if panel is None else _fit(panel, side) for panel in row] for row in rows]
    shown = [panel for row in fitted for panel in row if panel is not None]
    cell_height, cell_width = (max(panel.shape[axis] for panel in shown) for axis in (0, 1))

    title_font, note_font = _font(_FONT_SIZE), _font(_NOTE_SIZE)
    title_line, note_line = round(_FONT_SIZE * _LINE), round(_NOTE_SIZE * _LINE)
    names = [_shorten(title, title_font, _ROW_TITLES) for title in row_titles]
    left = _MARGIN + (_GAP + round(max(map(title_font.getlength, names))) if any(names) else 0)
    top = _MARGIN + (title_line if any(columns) else 0)
    width = left + len(columns) * (cell_width + _GAP) - _GAP + _MARGIN
    if bar is not None:
        width = max(width, left + _BAR_WIDTH + _MARGIN)
    end = top + len(rows) * (cell_height + _GAP)
    foot = end + (_BAR_HEIGHT + _TICK + note_line + _GAP if bar is not None else 0)
    lines = _wrap(note, note_font, width - left - _MARGIN)

    sheet = Image.new("RGB", (width, foot + len(lines) * note_line - _GAP + _MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for index, title in enumerate(columns):
        x = left + index * (cell_width + _GAP) + cell_width / 2
        draw.text((x, _MARGIN), _shorten(title, title_font, cell_width), _INK, title_font, anchor="ma")
    for index, (row, name) in enumerate(zip(fitted, names or [""] * len(fitted), strict=True)):
        y = top + index * (cell_height + _GAP)
        draw.text((left - _GAP, y + cell_height / 2), name, _INK, title_font, anchor="rm")
        for place, panel in enumerate(row):
            if panel is not None:
                height, panel_width = panel.shape[:2]
                x = left + place * (cell_width + _GAP) + (cell_width - panel_width) // 2
                sheet.paste(Image.fromarray(panel), (x, y + (cell_height - height) // 2))
    if bar is not None:
        _draw_bar(draw, sheet, bar, (left, end), note_font)
    for index, line in enumerate(lines):
        draw.text((left, foot + index * note_line), line, _FAINT, note_font)
    return np.array(sheet)


def encode_png(picture: Picture, settings: Mapping[str, Any]) -> bytes:
    """Encode a picture as a PNG that remembers how it was made.

    Args:
        picture: (H, W, 3) uint8 RGB.
        settings: anything JSON can hold. It goes into the text chunk "deit_lab" (iTXt, UTF-8), where
            `json.loads(Image.open(file).text["deit_lab"])` finds it again.
    Returns: the file.
    """
    info = PngInfo()
    info.add_itxt(SETTINGS_KEY, json.dumps(settings, ensure_ascii=False))
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def encode_npz(arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> bytes:
    """Encode the numbers behind a picture as a compressed NPZ that remembers how they were made.

    Args:
        arrays: by name; "settings" is taken.
        settings: anything JSON can hold. They become the array "settings", one string, which
            `json.loads(str(numpy.load(file)["settings"]))` reads.
    Returns: the file, which loads without pickle.
    """
    assert "settings" not in arrays
    described = np.array(json.dumps(settings, ensure_ascii=False))
    file = BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays, settings=described)
    return file.getvalue()


def _check(rows: Sequence[Sequence[Picture | None]], columns: Sequence[str], row_titles: Sequence[str]) -> None:
    longest = max(map(len, rows), default=0)
    if longest > len(columns):
        raise DeitError(f"A row has {longest} panels, but there are titles for {len(columns)} columns; give one each.")
    if row_titles and len(row_titles) != len(rows):
        raise DeitError(f"There are {len(row_titles)} row titles for {len(rows)} rows; give one each, or none.")
    panels = [panel for row in rows for panel in row if panel is not None]
    if not panels:
        raise DeitError("There is no panel to lay out; pass at least one picture.")
    for panel in panels:
        if panel.dtype != np.uint8 or panel.ndim != 3 or panel.shape[-1] != 3 or panel.size == 0:
            raise DeitError(
                f"A panel must be (H, W, 3) uint8, not {panel.shape} {panel.dtype}; overlay and colourise make them."
            )


def _fit(panel: Picture, side: int) -> Picture:
    scale = side / max(panel.shape[:2])
    height, width = (max(1, round(scale * length)) for length in panel.shape[:2])
    return cast(Picture, cv2.resize(panel, (width, height), interpolation=cv2.INTER_NEAREST_EXACT))


def _draw_bar(
    draw: ImageDraw.ImageDraw, sheet: Image.Image, bar: Bar, corner: tuple[int, int], font: ImageFont.FreeTypeFont
) -> None:
    x, y = corner
    if not 0 < bar.vmax < np.inf:
        raise DeitError(f"The colour bar's vmax must be a finite number above 0, not {bar.vmax}.")
    signed = bar.cmap in SIGNED_MAPS
    first = 1 if signed else 0  # entry 0 of a signed table is a repetition
    entries = np.rint(np.linspace(first, 255, _BAR_WIDTH)).astype(int)
    strip = np.broadcast_to(colour_table(bar.cmap)[entries], (_BAR_HEIGHT, _BAR_WIDTH, 3))
    sheet.paste(Image.fromarray(np.ascontiguousarray(strip)), (x, y))

    lowest, mark = (-bar.vmax, 0) if signed else (0.0, 1)
    ends = [f"{lowest:.3g}", f"{bar.vmax:.3g} x uniform"]
    below = y + _BAR_HEIGHT + _TICK
    for text, place, anchor in ((ends[0], x, "la"), (ends[1], x + _BAR_WIDTH, "ra")):
        draw.text((place, below), text, _INK, font, anchor=anchor)
    if mark < bar.vmax:
        place = x + round((mark - lowest) / (bar.vmax - lowest) * (_BAR_WIDTH - 1))
        draw.line([(place, y + _BAR_HEIGHT), (place, below - 1)], _INK)
        half = font.getlength(str(mark)) / 2
        free = (x + font.getlength(ends[0]), x + _BAR_WIDTH - font.getlength(ends[1]))
        if free[0] + _TICK < place - half and place + half < free[1] - _TICK:  # else the tick alone says it
            draw.text((place, below), str(mark), _INK, font, anchor="ma")


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def _readable(text: str) -> str:
    """One line, in letters that the font has where there is a way to say it in them."""
    plain = unicodedata.normalize("NFKD", text[:_LONGEST_TEXT])  # takes letters and their accents apart
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter)).translate(_STAND_INS)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in letters).split())


def _shorten(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    text = _readable(text)
    if font.getlength(text) <= width:
        return text
    fitting = bisect_right(range(len(text)), width, key=lambda length: font.getlength(text[:length] + "…"))
    return text[: max(fitting - 1, 0)].rstrip() + "…"


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    lines: list[str] = []
    for word in (_shorten(word, font, width) for word in _readable(text).split()):
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
