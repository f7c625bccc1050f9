"""A look at an image is the model's own answer, and a prepared rollout is the rollout."""

import itertools

import numpy as np
import pytest
import torch

from deit_core.attention import HEAD_FUSIONS, SCOPES, Look, look, rollout
from deit_core.models import ModelCard, ResNet9, VisionTransformer
from deit_core.spec import DataSpec, DistillationSpec, RunSpec, VisionTransformerSpec

MEAN, STD = 0.3, 0.2


def card_of(*, distilled: bool = False) -> ModelCard:
    spec = RunSpec(
        name="deit" if distilled else "vit",
        data=DataSpec(source="digits", img_size=16),
        model=VisionTransformerSpec(distilled=distilled, embed_dim=24, depth=3, num_heads=3),
        distillation=DistillationSpec() if distilled else None,
    )
    classes = tuple("0123456789")
    return ModelCard(spec=spec, classes=classes, in_chans=1, mean=(MEAN,), std=(STD,), data_hash="", epoch=1, step=1)


def model_of(*, distilled: bool = False) -> VisionTransformer:
    torch.manual_seed(0)
    model = VisionTransformer(16, 4, 1, 10, embed_dim=24, depth=3, num_heads=3, drop_rate=0.5, distilled=distilled)
    with torch.no_grad():
        for block in model.blocks:
            block.attn.qkv.weight[: 2 * 24].mul_(2)
    return model.eval()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 1, 16, 16), dtype=np.uint8)


@pytest.mark.parametrize("distilled", [False, True])
@torch.no_grad()
def test_a_look_gives_the_models_own_logits(images: np.ndarray, distilled: bool) -> None:
    model = model_of(distilled=distilled)
    seen = look(model, card_of(distilled=distilled), images)
    pixels = (torch.tensor(images) / 255 - MEAN) / STD
    torch.testing.assert_close(seen.logits["mean"], model(pixels), rtol=0, atol=1e-5)
    tokens = model.num_prefix_tokens + 16
    assert seen.attention.shape == (3, 2, 3, tokens, tokens)
    assert (seen.num_prefix_tokens, seen.grid_size) == (1 + distilled, (4, 4))
    assert set(seen.logits) == ({"mean", "class", "distillation"} if distilled else {"mean"})
    if distilled:
        torch.testing.assert_close(seen.logits["mean"], (seen.logits["class"] + seen.logits["distillation"]) / 2)


def test_probabilities_belong_to_one_image(images: np.ndarray) -> None:
    seen = look(model_of(distilled=True), card_of(distilled=True), images)
    for head, chances in seen.probabilities(1).items():
        assert chances.sum() == pytest.approx(1, abs=1e-5)
        assert chances.argmax() == seen.logits[head][1].argmax()


def test_looking_leaves_the_model_as_it_was(images: np.ndarray) -> None:
    model = model_of()
    seen = look(model, card_of(), images)
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not seen.attention.requires_grad
    with pytest.raises(ValueError, match=r"call model\.eval\(\) first"):
        look(model.train(), card_of(), images)
    assert model.training


def test_weights_that_are_not_finite_are_refused(images: np.ndarray) -> None:
    model = model_of()
    model.head.bias.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="choose an earlier epoch"):
        look(model, card_of(), images)


def test_a_cnn_has_no_attention(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="or another model: a ViT or a DeiT"):
        look(ResNet9(in_chans=1, num_classes=10, width=4), card_of(), images)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((1, 16, 16), "uint8"), ((2, 3, 16, 16), "uint8"), ((2, 1, 28, 28), "uint8"), ((2, 1, 16, 16), "float32")],
)
def test_images_of_another_layout_are_refused(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(ValueError, match=r"reads images .*; use fit_image"):
        look(model_of(), card_of(), np.zeros(shape, dtype))


@pytest.fixture(scope="module")
def seen() -> Look:
    pictures = np.random.default_rng(3).integers(0, 256, (2, 1, 16, 16), dtype=np.uint8)
    return look(model_of(distilled=True), card_of(distilled=True), pictures)


@pytest.mark.parametrize(("fusion", "scope"), [*itertools.product(HEAD_FUSIONS, SCOPES)])
def test_prepared_equals_rollout(seen: Look, fusion: str, scope: str) -> None:
    prepared = seen.prepare(head_fusion=fusion, scope=scope)
    for ratio, (layers, query), row_norm in itertools.product(
        [0.0, 0.29, 0.5, 0.905, 0.99], [(None, "head"), ([1, 2], "distillation"), ([0], 5)], ["mixed", "attention"]
    ):
        changing = {"discard_ratio": ratio, "layers": layers, "query": query, "row_norm": row_norm, "residual": 0.3}
        expected = rollout(
            seen.attention,
            num_prefix_tokens=2,
            grid_size=seen.grid_size,
            head_fusion=fusion,
            scope=scope,
            **changing,
        )
        found = prepared.map(**changing)
        np.testing.assert_allclose(found.values, expected.map[0], atol=1e-7)
        np.testing.assert_allclose(found.prefix_mass, expected.prefix_mass[0], atol=1e-7)
        assert found.degenerate == bool(expected.degenerate[0])


def test_slider_positions_may_be_inexact(seen: Look) -> None:
    prepared = seen.prepare()
    assert np.array_equal(prepared.map(discard_ratio=0.29).values, prepared.map(discard_ratio=0.1 + 0.19).values)
    assert np.array_equal(
        prepared.map(discard_ratio=0.58).values, prepared.map(discard_ratio=0.5800000000000001).values
    )


@pytest.mark.parametrize(
    "mistake",
    [
        {"discard_ratio": 1.0},
        {"discard_ratio": -0.01},
        {"discard_ratio": float("nan")},
        {"layers": []},
        {"query": "patch"},
        {"residual": 2},
    ],
)
def test_prepared_refuses_what_rollout_refuses(seen: Look, mistake: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|no query"):
        seen.prepare().map(**mistake)
