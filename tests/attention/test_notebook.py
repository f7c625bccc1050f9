"""A rollout in a notebook is a picture of each map with a line of text."""

import re
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from deit_core import overlay, rollout
from deit_core.attention import Rollout, colourise, shared_vmax
from deit_core.errors import DeitError


def traced(num_images: int = 2) -> Rollout:
    scores = torch.randn(3, num_images, 2, 10, 10, generator=torch.Generator().manual_seed(0))
    return rollout(scores.softmax(-1), num_prefix_tokens=1, grid_size=(3, 3))


def pictures(html: str) -> list[np.ndarray]:
    coded = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [np.asarray(Image.open(BytesIO(b64decode(one)))) for one in coded]


def test_it_shows_the_maps_on_one_scale() -> None:
    result = traced()
    expected = [colourise(one, vmax=shared_vmax(result.map), size=(224, 224)) for one in result.map]
    np.testing.assert_array_equal(pictures(result._repr_html_()), expected)


@pytest.mark.parametrize("in_chans", [1, 3])
def test_it_shows_them_over_their_images(in_chans: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, in_chans, 6, 6), dtype=np.uint8)
    result = traced().over(images)
    shown = pictures(result._repr_html_())
    for index in range(2):
        image = images[index].transpose(1, 2, 0)
        expected = overlay(image, result.map[index], vmax=shared_vmax(result.map), size=(224, 224))
        np.testing.assert_array_equal(shown[index], expected)


def test_the_line_says_how_gathered_the_map_is_and_what_is_not_in_it() -> None:
    weights = torch.zeros(1, 1, 5, 5)
    weights[..., 0] = 0.6  # every token reads the class token most, then the first patch
    weights[..., 1] = 0.3
    weights[..., 2] = 0.1
    result = rollout(weights, num_prefix_tokens=1, grid_size=(2, 2), residual=0.0)
    assert "1 of 4 patches holds half of the map; 60% stays in tokens that are no patches." in result._repr_html_()
    even = rollout(torch.full((1, 1, 5, 5), 0.2), num_prefix_tokens=1, grid_size=(2, 2), residual=0.0)
    assert "2 of 4 patches hold half of the map; 20% stays" in even._repr_html_()


def test_a_map_that_nothing_reaches_says_so() -> None:
    weights = torch.zeros(1, 1, 5, 5)
    weights[..., 0] = 1.0
    html = rollout(weights, num_prefix_tokens=1, grid_size=(2, 2), residual=0.0)._repr_html_()
    assert "Nothing reaches a patch." in html
    assert len(pictures(html)) == 1


def test_of_many_images_the_first_are_shown_and_the_others_counted() -> None:
    html = traced(11)._repr_html_()
    assert len(pictures(html)) == 8
    assert "And 3 more." in html


def test_images_of_another_batch_are_refused() -> None:
    with pytest.raises(DeitError, match=r"maps of 2 image\(s\), not of 3"):
        traced().over(np.zeros((3, 1, 6, 6), np.uint8))
