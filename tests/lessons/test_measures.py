"""What lessons measure of models: positions, layers, gradients, heads, and maps against masks."""

import numpy as np
import pytest
import torch

from deit_core.attention import Viewer
from deit_core.errors import DeitError
from deit_core.lessons.accuracy import accuracy_when_moved, accuracy_when_shuffled
from deit_core.lessons.gradients import at_the_start, gradient_by_block, token_likeness
from deit_core.lessons.head_answers import head_answers
from deit_core.lessons.layer_maps import correlation_with_first, untrained_viewer
from deit_core.lessons.localisation import brightness, score, scores
from deit_core.lessons.position_likeness import position_similarity
from deit_core.models import FileReading, VisionTransformer
from deit_core.presets.lessons import lesson_skips

CARD = FileReading(file="it", side=16, classes=tuple("abcde"), in_chans=1, mean=(0.5,), std=(0.5,))
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (4, 1, 16, 16)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 3])


def viewer_of(**options: object) -> Viewer:
    torch.manual_seed(0)
    return Viewer(VisionTransformer(16, 4, 1, 5, 32, 3, 2, **options).eval(), CARD)  # type: ignore[arg-type]


def test_a_position_is_like_itself_and_like_no_other_in_another_direction() -> None:
    viewer = viewer_of()
    with torch.no_grad():
        viewer.model.pos_embed[0, 1:] = torch.eye(16, 32)
    similarity = position_similarity(viewer)
    np.testing.assert_allclose(similarity.reshape(16, 16), np.eye(16), atol=1e-6)


def test_a_model_without_positions_has_none_to_compare() -> None:
    with pytest.raises(DeitError, match="has no positions"):
        position_similarity(viewer_of(positions="none"))


def test_without_positions_accuracy_is_the_same_in_any_order() -> None:
    found = accuracy_when_shuffled(viewer_of(positions="none"), IMAGES, LABELS, 4)
    assert found[0] == found[1]


def test_an_image_moved_by_its_width_gets_the_same_answer() -> None:
    found = accuracy_when_moved(viewer_of(), IMAGES, LABELS, (0, 16))
    assert found[0] == found[1]


def test_the_first_layer_agrees_with_itself() -> None:
    correlation = correlation_with_first(viewer_of(), IMAGES)
    assert correlation.shape == (3, 4)
    np.testing.assert_allclose(correlation[0], 1)
    assert (np.abs(correlation) <= 1 + 1e-6).all()


def test_the_control_has_other_weights_and_leaves_the_model_as_it_was() -> None:
    viewer = viewer_of()
    before = viewer.predict(IMAGES)
    assert not np.allclose(untrained_viewer(viewer, seed=5).predict(IMAGES), before)
    np.testing.assert_array_equal(viewer.predict(IMAGES), before)


def test_the_gradient_of_a_block_is_the_length_of_all_its_gradients() -> None:
    model, labels = viewer_of().model, torch.from_numpy(LABELS)
    pixels = CARD.normalise(torch.from_numpy(IMAGES))
    lengths = gradient_by_block(model, pixels, labels)
    torch.nn.functional.cross_entropy(model(pixels), labels).backward()
    whole = torch.cat([parameter.grad.flatten() for parameter in model.blocks[1].parameters()])
    assert lengths[1] == pytest.approx(float(whole.norm()), rel=1e-4)


def test_tokens_are_alike_where_all_are_one() -> None:
    model = viewer_of(positions="none").model
    with torch.no_grad():
        model.patch_embed.proj.weight.zero_()
        model.cls_token[:] = model.patch_embed.proj.bias.fill_(1)
    likeness = token_likeness(model, CARD.normalise(torch.from_numpy(IMAGES)))
    assert likeness == pytest.approx([1] * 4, abs=1e-5)


def test_without_skip_connections_tokens_become_the_same_and_gradients_do_not_vanish() -> None:
    with_skips, without = (at_the_start(run, IMAGES, LABELS, 10) for run in lesson_skips().runs)
    assert without.alike[-1] > 0.99
    assert with_skips.alike[-1] < 0.9
    for one in (with_skips, without):
        assert max(one.gradients) < 10 * min(one.gradients)


def test_heads_are_right_together_alone_or_not() -> None:
    first, second = np.eye(4, dtype=np.float32), np.roll(np.eye(4, dtype=np.float32), 1, axis=0)
    assert head_answers(LABELS, first, first) == (1, 0, 0, 0)
    assert head_answers(LABELS, first, second) == (0, 1, 0, 0)
    assert head_answers(LABELS, second, first) == (0, 0, 1, 0)


def test_a_map_on_the_object_has_all_its_weight_there_and_one_without_preference_has_chance() -> None:
    masks = np.zeros((1, 16, 16), bool)
    masks[0, 4:8, 8:12] = True
    on_it, even = np.zeros((1, 4, 4)), np.full((1, 4, 4), 1 / 16)
    on_it[0, 1, 2] = 1
    assert score(on_it, masks) == (pytest.approx(16), 1)
    assert score(even, masks).times_chance == pytest.approx(1)


def test_brightness_is_the_mean_of_a_patch() -> None:
    images = np.zeros((1, 1, 16, 16), np.uint8)
    images[0, 0, :4, 4:8] = 200
    np.testing.assert_array_equal(brightness(images, 4)[0, 0], [0, 200, 0, 0])


def test_every_method_and_both_baselines_are_scored() -> None:
    masks = np.ones((4, 16, 16), bool)
    found = scores(viewer_of(), IMAGES, masks)
    assert len(found) == 6
    assert all(one.times_chance == pytest.approx(1) for one in found.values()), "the object is everywhere"
