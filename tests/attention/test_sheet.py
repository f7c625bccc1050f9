"""A sheet shows each panel once, where its titles say, as the pixels that it is made of."""

import json
import re
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deit_core.attention import colour_table
from deit_core.attention.drawing.sheet import Bar, contact_sheet, encode_npz, encode_png

WHITE = 255


def panel(seed: int, height: int = 28, width: int = 28) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (height, width, 3), dtype=np.uint8)


def enlarged(picture: np.ndarray, factor: int) -> np.ndarray:
    return picture.repeat(factor, 0).repeat(factor, 1)


def find(sheet: np.ndarray, picture: np.ndarray) -> tuple[int, int]:
    """The one place (row, column) where a picture lies on a sheet."""
    height, width = picture.shape[:2]
    corners = np.argwhere((sheet == picture[0, 0]).all(-1))
    places = [(y, x) for y, x in corners if np.array_equal(sheet[y : y + height, x : x + width], picture)]
    assert len(places) == 1
    return places[0]


def ink(sheet: np.ndarray) -> np.ndarray:
    return (sheet != WHITE).any(-1)


def test_panels_stand_in_rows_and_columns_unchanged_but_enlarged() -> None:
    rows = [[panel(3 * row + column) for column in range(3)] for row in range(2)]
    sheet = contact_sheet(rows, columns=["a", "b", "c"])
    assert sheet.dtype == np.uint8
    places = np.array([[find(sheet, enlarged(picture, 8)) for picture in row] for row in rows])  # (2, 3, 2)
    assert (places[:, :, 0] == places[:, :1, 0]).all()
    assert (places[:, :, 1] == places[:1, :, 1]).all()
    assert (np.diff(places[:, 0, 0]) > 224).all()
    assert (np.diff(places[0, :, 1]) > 224).all()


def test_an_empty_place_is_white_and_the_others_stay_where_they_are() -> None:
    rows: list[list[Any]] = [[panel(0), panel(1)], [panel(2), panel(3)]]
    full = contact_sheet(rows, columns=["", ""])
    y, x = find(full, enlarged(rows[1][1], 8))
    for sparse in ([rows[0], [rows[1][0], None]], [rows[0], rows[1][:1]]):
        sheet = contact_sheet(sparse, columns=["", ""])
        assert sheet.shape == full.shape
        assert (sheet[y : y + 224, x : x + 224] == WHITE).all()
        sheet[y : y + 224, x : x + 224] = full[y : y + 224, x : x + 224]
        assert np.array_equal(sheet, full)


def test_panels_of_any_shape_share_one_longest_side_and_keep_their_proportions() -> None:
    tall, small, large = panel(0, 56, 28), panel(1, 7, 14), panel(2, 112, 448)
    sheet = contact_sheet([[tall, small]], columns=["", ""])
    find(sheet, enlarged(tall, 4))
    find(sheet, enlarged(small, 16))
    wide = [panel(3), panel(4)]
    sheet = contact_sheet([wide, [tall, wide[0][::-1]]], columns=["", ""])
    assert find(sheet, enlarged(tall, 4))[1] == find(sheet, enlarged(wide[0], 8))[1] + 56  # centred in its place
    sheet = contact_sheet([[small, wide[0]]], columns=["", ""])
    assert find(sheet, enlarged(small, 16))[0] == find(sheet, enlarged(wide[0], 8))[0] + 56
    sheet = contact_sheet([[tall, large]], columns=["", ""])
    find(sheet, enlarged(tall, 8))
    find(sheet, large)


def test_titles_stand_above_and_left_of_their_panels() -> None:
    rows = [[panel(0), panel(1)], [panel(2), panel(3)]]
    plain = contact_sheet(rows, columns=["", ""])
    titled = contact_sheet(rows, columns=["Image", ""], row_titles=["", "DeiT"])
    (first_y, first_x), (second_y, second_x) = (
        find(titled, enlarged(rows[0][0], 8)),
        find(titled, enlarged(rows[1][1], 8)),
    )
    above = ink(titled)[:first_y]
    assert above[:, first_x : first_x + 224].any()
    assert not above[:, first_x + 224 :].any()
    left = ink(titled)[:, :first_x]
    assert left[second_y : second_y + 224].any()
    assert not left[: first_y + 224].any()
    assert titled.shape[0] > plain.shape[0]
    assert titled.shape[1] > plain.shape[1]
    assert second_x > first_x


def test_a_long_title_is_shortened_to_its_column() -> None:
    rows = [[panel(0), panel(1)]]
    sheet = contact_sheet(rows, columns=["maximum " * 300, ""], row_titles=["discard " * 300])
    y, x = find(sheet, enlarged(rows[0][0], 8))
    above = ink(sheet)[:y]
    assert above[:, x : x + 224].any()
    assert not above[:, :x].any()
    assert not above[:, x + 224 :].any()
    assert x < 250  # the row title's column is bounded too
    assert not ink(sheet)[:, :20].any()
    assert sheet.shape[1] < 750


@pytest.mark.parametrize(
    "text", ["Größe × é", "Проверка", "漢字かな", "👗 → 👟", "two\nlines\tand\x00more", "a" * 5000, "\u202ertl"]
)
def test_no_text_breaks_a_sheet(text: str) -> None:
    sheet = contact_sheet([[panel(0)]], columns=[text], row_titles=[text], bar=Bar("inferno", 3), note=text)
    find(sheet, enlarged(panel(0), 8))


def test_letters_that_the_font_lacks_lose_their_accent() -> None:
    accented = contact_sheet([[panel(0)]], columns=["Crème brûlée × ½ – Łódź"], note="naïve")
    plain = contact_sheet([[panel(0)]], columns=["Creme brulee x 1/2 - Lodz"], note="naive")
    assert np.array_equal(accented, plain)


def test_a_note_is_wrapped_to_the_width() -> None:
    rows = [[panel(0), panel(1)]]
    short, long = (contact_sheet(rows, columns=["", ""], note="every word counts " * times) for times in (1, 20))
    assert short.shape[1] == long.shape[1]
    assert long.shape[0] > short.shape[0] + 50
    assert not ink(long)[:, -20:].any()
    assert not ink(long)[-10:].any()
    assert ink(long)[-60:].any()


def strip(sheet: np.ndarray, cmap: str) -> np.ndarray:
    """The colours along a sheet's colour bar."""
    colours = colour_table(cmap)
    ends = (sheet == colours[1 if cmap == "coolwarm" else 0]).all(-1) & (np.roll(sheet, -359, 1) == colours[255]).all(
        -1
    )
    (y, *_), (x, *_) = np.nonzero(ends)
    return sheet[y, x : x + 360]


def ticks(sheet: np.ndarray, cmap: str) -> list[int]:
    """Columns of ink right below the bar, from its left end."""
    colours = colour_table(cmap)
    first = colours[1 if cmap == "coolwarm" else 0]
    ys, xs = np.nonzero((sheet == first).all(-1) & (np.roll(sheet, -359, 1) == colours[255]).all(-1))
    return (np.flatnonzero(ink(sheet)[ys.max() + 2]) - xs.min()).tolist()


@pytest.mark.parametrize("cmap", ["inferno", "viridis", "coolwarm"])
def test_the_bar_shows_the_colour_map_from_end_to_end(cmap: str) -> None:
    sheet = contact_sheet([[panel(0)]], columns=["mean"], bar=Bar(cmap, 4.0))
    table = colour_table(cmap).astype(int)
    shown = strip(sheet, cmap).astype(int)
    wanted = table[np.rint(np.linspace(1 if cmap == "coolwarm" else 0, 255, 360)).astype(int)]
    assert np.array_equal(shown, wanted)


def test_the_bar_marks_1_or_for_signed_maps_0() -> None:
    def marks(cmap: str, vmax: float) -> list[int]:
        return ticks(contact_sheet([[panel(0)] * 4], columns=["mean"] * 4, bar=Bar(cmap, vmax)), cmap)

    assert marks("inferno", 4.0) == [round(359 / 4)]
    assert marks("inferno", 2.0) == [180]
    assert marks("inferno", 0.9) == []
    assert marks("inferno", 1.01) == [round(359 / 1.01)]
    assert marks("coolwarm", 3.0) == [180]
    assert marks("coolwarm", 0.1) == [180]


def test_the_bar_comes_below_all_panels_and_widens_a_narrow_sheet() -> None:
    sheet = contact_sheet([[panel(0)]], columns=[""], bar=Bar("grey", 3.0))
    assert sheet.shape[1] >= 360 + 40
    y, x = find(sheet, enlarged(panel(0), 8))
    assert (strip(sheet, "grey")[0] == 0).all()
    assert not ink(sheet)[:y].any()
    assert not ink(sheet)[y : y + 224, x + 224 :].any()


def test_png_remembers_its_settings_and_every_pixel() -> None:
    picture = panel(0, 30, 50)
    settings = {"head_fusion": "max", "discard_ratio": 0.9, "layers": [0, 3], "class": "Größe 漢字", "query": None}
    file = encode_png(picture, settings)
    assert b"iTXtdeit_lab" in file
    assert "Größe 漢字".encode() in file
    image = Image.open(BytesIO(file))
    assert image.format == "PNG"
    assert np.array_equal(np.asarray(image), picture)
    image.load()
    assert json.loads(image.text["deit_lab"]) == settings  # type: ignore[attr-defined]


def test_npz_remembers_its_settings_and_every_number() -> None:
    arrays = {"map": np.random.default_rng(0).random((3, 4), dtype=np.float32), "image": panel(0)}
    settings = {"layers": [0, 3], "class": "Größe 漢字", "query": None}
    with np.load(BytesIO(encode_npz(arrays, settings)), allow_pickle=False) as file:
        assert sorted(file) == ["image", "map", "settings"]
        assert json.loads(str(file["settings"])) == settings
        for name, array in arrays.items():
            assert np.array_equal(file[name], array)
            assert file[name].dtype == array.dtype


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"rows": []}, "There is no panel to lay out"),
        ({"rows": [[None, None]]}, "There is no panel to lay out"),
        ({"rows": [[panel(0)] * 3]}, "A row has 3 panels, but there are titles for 2 columns"),
        ({"row_titles": ["a", "b"]}, "There are 2 row titles for 1 rows"),
        ({"rows": [[panel(0)[..., 0]]]}, "A panel must be (H, W, 3) uint8, not (28, 28) uint8"),
        ({"rows": [[panel(0) / 255]]}, "not (28, 28, 3) float64"),
        ({"rows": [[panel(0)[:0]]]}, "not (0, 28, 3) uint8"),
        ({"bar": Bar("jet", 1)}, "There is no colour map 'jet'"),
        ({"bar": Bar("inferno", float("nan"))}, "vmax must be a finite number above 0, not nan"),
        ({"bar": Bar("inferno", 0)}, "vmax must be a finite number above 0, not 0"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        contact_sheet(**{"rows": [[panel(0)]], "columns": ["a", "b"]} | arguments)
    assert str(caught.value).endswith(".")
