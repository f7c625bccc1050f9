"""Colours mean the same on every panel, and nothing is stretched, wrapped round or changed."""

import re
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from deit_core.attention import (
    COLOUR_MAPS,
    INTERPOLATIONS,
    colour_table,
    colourise,
    overlay,
    shared_vmax,
    times_uniform,
)
from deit_core.catalog import SIGNED_MAPS

examples = settings(max_examples=40, deadline=None, derandomize=True, database=None)
maps = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(0, 1, width=32))
signed_maps = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-1, 1, width=32)
)
images = hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3)))


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


@pytest.fixture
def patches() -> np.ndarray:
    values = np.random.default_rng(1).random((6, 8), dtype=np.float32)
    return values / values.sum()


def lab(table: np.ndarray) -> np.ndarray:
    """(n, 3) uint8 RGB as CIELAB."""
    return cv2.cvtColor(table[None].astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[0]


@pytest.mark.parametrize("cmap", COLOUR_MAPS)
def test_lightness_grows_along_each_colour_map(cmap: str) -> None:
    table = colour_table(cmap)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    lightness = lab(table)[:, 0]
    assert (np.diff(lightness) > -0.5).all()  # 8-bit colours round; JET and TURBO fall by tens
    assert lightness[-1] - lightness[0] > 70


def test_tables_are_rgb_and_cannot_be_spoilt() -> None:
    red, _, blue = colour_table("inferno")[140].astype(int)
    assert red > blue + 80  # inferno passes through red
    assert colour_table("cividis")[0, 2] > colour_table("cividis")[0, 0]  # cividis starts blue
    assert (colour_table("grey") == np.arange(256)[:, None]).all()
    with pytest.raises(ValueError, match="read-only"):
        colour_table("inferno")[0] = 0


@given(
    images,
    signed_maps,
    st.sampled_from(COLOUR_MAPS + SIGNED_MAPS),
    st.sampled_from(INTERPOLATIONS),
    st.floats(0.1, 100),
)
@examples
def test_blend_is_convex(image: np.ndarray, map: np.ndarray, cmap: str, interpolation: str, vmax: float) -> None:
    options: dict[str, Any] = {"cmap": cmap, "interpolation": interpolation, "vmax": vmax}
    colours = colourise(map, size=image.shape[:2], **options)
    assert np.array_equal(overlay(image, map, alpha=0, **options), image)
    assert np.array_equal(overlay(image, map, alpha=1, **options), colours)
    mixed = overlay(image, map, alpha=0.3, **options).astype(int)
    assert mixed.dtype == int
    assert (mixed >= np.minimum(image, colours)).all()
    assert (mixed <= np.maximum(image, colours)).all()
    assert np.abs(mixed - (0.3 * colours + 0.7 * image)).max() <= 0.51


def test_a_signed_map_has_a_neutral_middle_and_two_even_sides() -> None:
    table = colour_table("coolwarm")
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert tuple(table[128]) == (221, 221, 221)
    assert tuple(table[1]) == tuple(table[0]) == (59, 76, 192)
    assert tuple(table[255]) == (180, 4, 38)
    lightness, *_ = lab(table).T
    below, above = np.diff(lightness[1:129]), np.diff(lightness[128:])
    assert (below > 0).all()
    assert (above < 0).all()
    for slope in (below, above):
        assert np.abs(slope - slope.mean()).max() < 0.5  # 8-bit colours round
    np.testing.assert_allclose(lightness[1:][::-1], lightness[1:], atol=4)  # the sides are a match, at any magnitude
    red, _, blue = table.astype(int).T
    assert (blue > red)[:127].all()  # the two neighbours of the middle may still round to a grey
    assert (red > blue)[130:].all()


def test_a_signed_scale_runs_from_minus_vmax_to_vmax() -> None:
    table = colour_table("coolwarm")
    values = np.array([[-9, -2, -1, 0, 1, 2, 9]], np.float32) / 7
    colours = colourise(values, vmax=2, cmap="coolwarm")[0]
    middle_below, middle_above = 128 - round(127 / 2), 128 + round(127 / 2)
    assert np.array_equal(colours, table[[1, 1, middle_below, 128, middle_above, 255, 255]])
    assert np.array_equal(
        colourise(values, cmap="coolwarm"), colourise(values, vmax=shared_vmax([values]), cmap="coolwarm")
    )


@given(signed_maps)
@examples
def test_a_negated_map_takes_the_mirrored_colours(map: np.ndarray) -> None:
    table = colour_table("coolwarm")
    level = {tuple(colour): entry for entry, colour in enumerate(table) if entry > 0}
    assert len(level) == 255

    def levels(values: np.ndarray) -> np.ndarray:
        return np.array([level[tuple(colour)] for colour in colourise(values, vmax=1, cmap="coolwarm").reshape(-1, 3)])

    assert np.array_equal(levels(map) - 128, 128 - levels(-map))
    assert np.array_equal(np.sign(levels(map) - 128), np.sign(np.rint(map.ravel().clip(-1, 1) * map.size * 127)))


def test_cubic_overshoot_clips_at_both_ends_of_a_signed_scale() -> None:
    map = np.zeros((4, 4), np.float32)
    map[1:3, 1:3] = 0.25
    table = colour_table("coolwarm")
    for sign, end in ((1, 255), (-1, 1)):
        colours = colourise(sign * map, vmax=4, cmap="coolwarm", interpolation="cubic", size=(64, 64))
        assert (colours[24:40, 24:40] == table[end]).all()


def test_signed_fade_leaves_the_picture_where_the_map_is_near_0(image: np.ndarray) -> None:
    map = np.zeros((6, 8))
    map[0, 0], map[5, 7], map[5, 0] = 1, -1, -0.5
    options: dict[str, Any] = {"vmax": 48, "alpha": 0.6, "cmap": "coolwarm"}
    faded, full = overlay(image, map, fade=True, **options), overlay(image, map, **options)
    assert np.array_equal(faded[4:20], image[4:20])
    for corner in (np.s_[:4, :4], np.s_[20:, 28:]):
        assert np.array_equal(faded[corner], full[corner])
    half = overlay(image, map, **options | {"alpha": 0.6 * 64 / 127})[20:, :4].astype(
        int
    )  # -0.5 is 64 steps of 127 down
    assert np.abs(faded[20:, :4] - half).max() <= 1


def test_brightness_does_not_depend_on_the_rest_of_the_image(patches: np.ndarray) -> None:
    dark, lit = np.full((24, 32, 3), 60, np.uint8), np.full((24, 32, 3), 60, np.uint8)
    lit[12:] = 255
    assert np.array_equal(overlay(dark, patches, vmax=3)[:12], overlay(lit, patches, vmax=3)[:12])


def test_one_vmax_gives_one_value_one_colour_whatever_the_grid() -> None:
    coarse, fine = np.full((2, 2), 0.2), np.full((4, 4), 0.05)  # both 0.8 x uniform
    coarse[0, 0], fine[0, 0] = 1, 0
    same = [colourise(map, vmax=2)[1, 1] for map in (coarse, fine)]
    assert np.array_equal(*same)
    assert np.array_equal(same[0], colour_table("inferno")[round(255 * 0.8 / 2)])


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_overshoot_and_saturation_clip(interpolation: str) -> None:
    map = np.zeros((4, 4), np.float32)
    map[1:3, 1:3] = 0.25
    levels = colourise(map, vmax=4, cmap="grey", interpolation=interpolation, size=(64, 64))[..., 0].astype(int)
    assert levels[24:40, 24:40].min() == 255  # cubic rises to about 1.2 here: 255 * 1.2 would wrap to 50
    assert levels[:4, 24:40].max() == 0  # and falls below 0 beside it
    assert (colourise(map * 1000, vmax=4, cmap="grey")[1:3, 1:3] == 255).all()
    assert (colourise(-map, vmax=4, cmap="grey") == 0).all()


def test_nearest_shows_patches_also_where_sizes_do_not_divide(patches: np.ndarray) -> None:
    divides = colourise(patches, vmax=3, size=(24, 32))
    assert np.array_equal(divides, colourise(patches, vmax=3).repeat(4, 0).repeat(4, 1))
    uneven = colourise(np.arange(7.0)[None], vmax=42, cmap="grey", size=(1, 10))[0, :, 0]
    centres = ((np.arange(10) + 0.5) * 7 / 10).astype(int)  # the patch under each pixel's centre
    assert np.array_equal(uneven, np.rint(centres / 6 * 255))


@pytest.mark.parametrize("interpolation", ["bilinear", "cubic"])
def test_smoothing_makes_more_levels(patches: np.ndarray, interpolation: str) -> None:
    def levels(name: str) -> int:
        return len(np.unique(colourise(patches, cmap="grey", interpolation=name, size=(60, 80))))

    assert levels(interpolation) > levels("nearest")


def test_every_form_of_image_and_map_gives_one_picture(image: np.ndarray, patches: np.ndarray) -> None:
    grey = image[..., 0]
    expected = overlay(np.stack([grey] * 3, -1), patches, vmax=3)
    assert expected.shape == (24, 32, 3)
    assert expected.dtype == np.uint8
    tensor = torch.from_numpy(patches).requires_grad_()
    forms = [(grey, patches), (grey[..., None], tensor), (torch.from_numpy(grey), patches.astype(np.float64))]
    for picture, map in forms:
        assert np.array_equal(overlay(picture, map, vmax=3), expected)
        assert overlay(picture, map, vmax=3, size=(48, 64)).shape == (48, 64, 3)
    assert overlay(image, tensor.bfloat16(), vmax=3).shape == (24, 32, 3)
    assert np.array_equal(overlay(image[:, ::-1], patches[:, ::-1], vmax=3), overlay(image, patches, vmax=3)[:, ::-1])


def test_inputs_stay_as_they_are(image: np.ndarray, patches: np.ndarray) -> None:
    image.setflags(write=False)
    patches.setflags(write=False)
    overlay(image, patches, size=(48, 64), fade=True)
    assert colourise(patches).flags.writeable


def test_fade_leaves_the_picture_where_the_map_is_low(image: np.ndarray) -> None:
    map = np.zeros((6, 8))
    map[0, 0] = 1
    faded = overlay(image, map, vmax=48, alpha=0.5, fade=True)
    assert np.array_equal(faded[4:], image[4:])
    assert np.array_equal(faded[:4, :4], overlay(image, map, vmax=48, alpha=0.5)[:4, :4])


def test_size_enlarges_picture_and_map_together(image: np.ndarray, patches: np.ndarray) -> None:
    small = overlay(image, patches, vmax=3)
    assert np.array_equal(overlay(image, patches, vmax=3, size=(72, 96)), small.repeat(3, 0).repeat(3, 1))


def test_times_uniform_reads_one_for_an_even_spread() -> None:
    np.testing.assert_allclose(times_uniform(torch.full((3, 5), 1 / 15)), 1, rtol=1e-6)


@given(st.lists(signed_maps, min_size=1, max_size=4))
@examples
def test_shared_vmax_is_a_percentile_over_all_panels(panels: list[np.ndarray]) -> None:
    vmax = shared_vmax(panels)
    pooled = np.abs(np.concatenate([times_uniform(panel).ravel() for panel in panels]))
    assert 0 < vmax < np.inf
    if np.percentile(pooled, 99) > 0:
        assert vmax == pytest.approx(np.percentile(pooled, 99))
    else:
        assert vmax in (pooled.max(), 1.0)
    for panel in panels:
        colourise(panel, vmax=vmax)
    if len(panels) == 1:
        assert np.array_equal(colourise(panels[0]), colourise(panels[0], vmax=vmax))


def test_shared_vmax_takes_a_batch_and_survives_sparse_and_empty_maps() -> None:
    batch = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert shared_vmax(batch) == shared_vmax(list(batch))
    hot = torch.zeros(14, 14)
    hot[3, 4] = 0.5
    assert shared_vmax([hot]) == 0.5 * 196  # one patch in 196 lies beyond the 99th percentile, which is 0
    assert shared_vmax([torch.zeros(14, 14)]) == 1
    assert (colourise(torch.zeros(2, 2), cmap="grey") == 0).all()


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("image", np.zeros((8, 8, 3), np.float32), "An image must be uint8 with values 0 to 255, not float32"),
        ("image", np.zeros((3, 8, 8), np.uint8), "not (3, 8, 8); channels come last"),
        ("image", np.zeros((8, 8, 4), np.uint8), "An image must be (H, W), (H, W, 1) or (H, W, 3)"),
        ("image", np.zeros((0, 8), np.uint8), "An image must be"),
        ("map", np.zeros((1, 2, 2)), "A map must be (gh, gw), not (1, 2, 2); of a batch pass one image's"),
        ("map", np.zeros((0, 2)), "A map must be (gh, gw), not (0, 2)"),
        ("map", np.array([[np.nan]]), "NaN or infinite"),
        ("vmax", 0.0, "vmax must be a finite number above 0, not 0.0"),
        ("vmax", float("nan"), "vmax must be a finite number above 0, not nan"),
        ("alpha", 1.5, "alpha must lie in [0, 1], not 1.5"),
        ("cmap", "jet", "There is no colour map 'jet'; choose inferno, cividis, viridis, grey"),
        ("interpolation", "lanczos", "There is no interpolation 'lanczos'; choose nearest, bilinear, cubic"),
        ("size", (0, 8), "size must be (height, width) in pixels"),
    ],
)
def test_a_wrong_argument_is_named(option: str, value: Any, says: str) -> None:
    arguments = {"image": np.zeros((8, 8, 3), np.uint8), "map": np.full((2, 2), 0.25)} | {option: value}
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        overlay(**arguments)
    assert str(caught.value).endswith(".")


def test_shared_vmax_needs_panels() -> None:
    with pytest.raises(ValueError, match="pass at least one map"):
        shared_vmax([])
    with pytest.raises(ValueError, match=re.escape("percentile must lie in [0, 100]")):
        shared_vmax([np.ones((2, 2))], percentile=101)
