"""The fields for lessons: without positions order means nothing, and without skip connections attention alone moves."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from deit_core.attention import METHODS, Viewer, rollout
from deit_core.errors import CheckpointError, SpecError
from deit_core.lessons.patches import shuffled
from deit_core.models import FileReading, VisionTransformer
from deit_core.results.hub_configs import timm_network
from deit_core.results.pretrained import plain_state
from deit_core.spec import RunSpec, replace

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 1, 16, 16)).astype(np.uint8)
CARD = FileReading(file="it", side=16, classes=tuple("abcde"), in_chans=1, mean=(0.5,), std=(0.5,))


def model_of(**options: object) -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(16, 4, 1, 5, 32, 3, 2, **options).eval()  # type: ignore[arg-type]


def pixels(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).float() / 255


@pytest.mark.parametrize("distilled", [False, True])
@torch.no_grad()
def test_a_vit_without_positions_gives_one_answer_for_every_order_of_its_patches(distilled: bool) -> None:
    mixed = pixels(shuffled(IMAGES, 4, seed=1))
    without, learned = (model_of(distilled=distilled, positions=one) for one in ("none", "learned"))
    torch.testing.assert_close(without(mixed), without(pixels(IMAGES)), atol=1e-5, rtol=0)
    learned.pos_embed.mul_(50)
    assert (learned(mixed) - learned(pixels(IMAGES))).abs().max() > 1e-3


@torch.no_grad()
def test_a_block_without_skip_connections_replaces_its_input() -> None:
    model, tokens = model_of(skip_connections=False), torch.randn(1, 17, 32)
    block = model.blocks[0]
    block.mlp.fc2.weight.zero_()
    assert not block(tokens)[0].any()


@torch.no_grad()
def test_its_rollout_has_no_residual_whatever_is_asked_for() -> None:
    viewer = Viewer(model_of(skip_connections=False), CARD)
    look = viewer.look(IMAGES)
    sizes = {"num_prefix_tokens": 1, "grid_size": (4, 4)}
    expected = rollout(look.attention, residual=0.0, **sizes).map
    torch.testing.assert_close(look.rollout(residual=0.9).map, expected)
    torch.testing.assert_close(viewer.rollout(IMAGES).map, expected)
    torch.testing.assert_close(torch.from_numpy(look.prepare().map(residual=0.3).values), expected[0])
    torch.testing.assert_close(torch.from_numpy(viewer.explain(IMAGES, METHODS["rollout"].explain)), expected)
    assert look.prepare().audit().residual_share.max() == 0


def test_relevance_multiplies_its_layers_and_adds_nothing() -> None:
    """With two layers it is the class token's row of C_2 C_1, C the positive attention times gradient."""
    model = model_of(skip_connections=False)
    model.blocks, model.depth = model.blocks[:2], 2
    model.eval()
    found = METHODS["attention_relevance"].explain(model, pixels(IMAGES))
    tokens, attention = model.forward_features(pixels(IMAGES), return_attention=True)
    logits = model.forward_heads(tokens)["class"]
    gradients = torch.autograd.grad(logits.max(-1).values.sum(), attention)
    first, second = ((a * d).clamp(min=0).mean(1) for a, d in zip(attention, gradients, strict=True))
    row = (second @ first)[:, 0, 1:]
    torch.testing.assert_close(found.flatten(1), row / row.sum(-1, keepdim=True))


@pytest.mark.parametrize("options", [{"positions": "none"}, {"skip_connections": False}], ids=str)
def test_no_file_passes_for_a_published_model(options: dict[str, object]) -> None:
    model = model_of(**options)
    assert timm_network(model) is None
    with pytest.raises(CheckpointError, match="export it as onnx"):
        plain_state(model)
    assert plain_state(model_of()).keys() == model_of().state_dict().keys()


def test_a_skipped_block_needs_a_skip_connection() -> None:
    with pytest.raises(SpecError, match="set drop_path_rate to 0, or skip_connections to true"):
        replace(RunSpec(), {"model.skip_connections": False, "model.drop_path_rate": 0.1})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model.positions": "none"}, "only where both models have positions"),
        ({"model.skip_connections": False}, "whose model.skip_connections is true"),
    ],
    ids=str,
)
def test_a_run_starts_from_one_of_the_same_kind(
    change: dict[str, object], words: str, tiny: RunSpec, tmp_path: Path, saved: Callable[[RunSpec], str]
) -> None:
    from deit_core.models import build_model, initialise

    start = saved(tiny)
    spec = replace(tiny, {"initial_checkpoint": start, **change})
    with pytest.raises(CheckpointError, match=words):
        initialise(build_model(spec), spec, tuple("0123456789"), tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[RunSpec], str]:
    """Write the checkpoint of an untrained run, and return its path."""

    def save(spec: RunSpec) -> str:
        from deit_core.models import ModelCard, build_model, save_weights

        card = ModelCard(
            spec=spec,
            epoch=1,
            step=1,
            classes=tuple("0123456789"),
            in_chans=1,
            mean=(0.5,),
            std=(0.5,),
            data_hash="0",
            metrics={},
        )
        save_weights(tmp_path / "best.safetensors", build_model(spec), card)
        return str(tmp_path / "best.safetensors")

    return save
