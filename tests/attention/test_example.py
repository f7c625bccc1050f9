"""The numbers on the page are what rollout does, and each control shows."""

from typing import Any

import numpy as np
import pytest
import torch

from deit_core.attention import rollout
from deit_core.attention.flow.worked_example import TOKENS, WorkedExample, worked_example

CASES: list[dict[str, Any]] = [
    {},
    {"head_fusion": "max"},
    {"head_fusion": "min", "discard_ratio": 0.3},
    {"head_fusion": 1},
    {"discard_ratio": 0.5},
    {"discard_ratio": 0.5, "scope": "row", "residual": 0.3},
    {"discard_ratio": 0.5, "row_norm": "attention"},
    {"discard_ratio": 0.9, "head_fusion": "max"},
    {"discard_ratio": 0.5, "compat": True},
    {"head_fusion": "max", "discard_ratio": 0.9, "compat": True},
]


def recompute(
    head_fusion: str | int = "mean",
    discard_ratio: float = 0.0,
    scope: str = "matrix",
    residual: float = 0.5,
    row_norm: str = "mixed",
    compat: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fused, kept and mixed (2, 5, 5), step by step as in a textbook."""
    heads = worked_example().heads
    fused = heads[:, head_fusion] if isinstance(head_fusion, int) else getattr(np, head_fusion)(heads, axis=1)
    kept = fused.copy()
    for layer in kept:
        candidates = layer if compat else layer[:, 1:]
        groups = candidates if scope == "row" else [candidates]
        spared = layer[0, 0]
        for group in groups:
            count = int(discard_ratio * group.size)
            if count:
                weakest = np.sort(group, axis=None)[count]
                group[group < weakest] = 0
        if compat:
            layer[0, 0] = spared
    links = kept
    if row_norm == "attention":
        links = kept / kept.sum(-1, keepdims=True)
    mixed = residual * np.eye(5) + (1 - residual) * links
    sums = mixed.sum(-1)
    return fused, kept, mixed / (sums[:, None, :] if compat else sums[:, :, None])


def times_uniform(**options: Any) -> np.ndarray:
    return worked_example(**options).map * 4


@pytest.mark.parametrize("options", CASES, ids=str)
def test_every_step_follows_from_the_one_before(options: dict[str, Any]) -> None:
    example = worked_example(**options)
    fused, kept, mixed = recompute(**options)
    np.testing.assert_allclose(example.fused, fused, atol=1e-15)
    np.testing.assert_allclose(example.kept, kept, atol=1e-15)
    np.testing.assert_allclose(example.mixed, mixed, atol=1e-15)
    np.testing.assert_allclose(example.product, example.mixed[1] @ example.mixed[0], atol=1e-15)
    assert np.array_equal(example.row, example.product[0])
    np.testing.assert_allclose(example.map, example.row[1:].reshape(2, 2), atol=1e-15)


@pytest.mark.parametrize("options", CASES, ids=str)
def test_the_map_is_that_of_rollout(options: dict[str, Any]) -> None:
    example = worked_example(**options)
    attention = torch.from_numpy(example.heads).unsqueeze(1)
    found = rollout(attention, num_prefix_tokens=1, grid_size=(2, 2), **options)
    assert np.array_equal(example.map, found.map[0].numpy())


def test_layout_names_and_weights() -> None:
    example = worked_example()
    assert example.tokens == TOKENS == ("class", "patch 1", "patch 2", "patch 3", "patch 4")
    shapes = {name: value.shape for name, value in vars(example).items() if name != "tokens"}
    assert shapes == {
        "heads": (2, 2, 5, 5),
        "fused": (2, 5, 5),
        "kept": (2, 5, 5),
        "mixed": (2, 5, 5),
        "product": (5, 5),
        "row": (5,),
        "map": (2, 2),
    }
    assert {value.dtype for name, value in vars(example).items() if name != "tokens"} == {np.dtype(np.float64)}
    np.testing.assert_allclose(example.heads.sum(-1), 1, atol=1e-12)
    assert np.array_equal(example.heads, example.heads.round(2))  # readable
    assert example.heads.min() > 0
    assert example.row.sum() == pytest.approx(1, abs=1e-12)
    assert example.map.argmax() == 1  # patch 2, the object
    assert example.map[0, 1] > 2 * np.delete(example.map, 1).max()


def test_a_discard_drops_exactly_its_share() -> None:
    for ratio in (0.25, 0.5, 0.75, 0.9):
        kept = worked_example(discard_ratio=ratio).kept
        assert ((kept[:, :, 1:] > 0).sum((1, 2)) == 20 - int(20 * ratio)).all()
        assert (kept[:, :, 0] > 0).all()


@pytest.mark.parametrize(
    ("base", "change"),
    [
        ({}, {"head_fusion": "max"}),
        ({}, {"head_fusion": "min"}),
        ({}, {"residual": 0.3}),
        ({}, {"discard_ratio": 0.5}),
        ({"discard_ratio": 0.5}, {"scope": "row"}),
        ({"discard_ratio": 0.5}, {"row_norm": "attention"}),
        ({"discard_ratio": 0.5}, {"compat": True}),
        ({"head_fusion": "max"}, {"compat": True}),
    ],
    ids=str,
)
def test_each_control_moves_the_map(base: dict[str, Any], change: dict[str, Any]) -> None:
    assert np.abs(times_uniform(**base | change) - times_uniform(**base)).max() > 0.1


def test_without_a_discard_the_published_error_does_not_show() -> None:
    np.testing.assert_allclose(times_uniform(compat=True), times_uniform(), atol=1e-15)


def test_a_caller_cannot_spoil_the_next_example() -> None:
    def snapshot(example: WorkedExample) -> list[np.ndarray]:
        return [value.copy() for name, value in vars(example).items() if name != "tokens"]

    first = worked_example()
    before = snapshot(first)
    for name, value in vars(first).items():
        if name != "tokens":
            value[...] = 0
    for one, other in zip(before, snapshot(worked_example()), strict=True):
        assert np.array_equal(one, other)


def test_wrong_options_are_refused_as_by_rollout() -> None:
    with pytest.raises(ValueError, match="leave them at their defaults"):
        worked_example(compat=True, scope="row")
    with pytest.raises(ValueError, match="discard_ratio must lie in"):
        worked_example(discard_ratio=1)
