"""A removed patch is really gone: its token is dropped, or its pixels show the mean or a blur."""

import pytest
import torch
from einops import rearrange
from torch import Tensor, nn
from uneven_vit import noise

from deit_core import torchvision_ops  # noqa: F401  # its import is slow: not part of a test's time
from deit_core.attention.methods.faithfulness import faithfulness
from deit_core.models import ResNet9, VisionTransformer


def logits_of(model: VisionTransformer, images: Tensor, keep: Tensor) -> Tensor:
    tokens, _ = model.forward_features(images, keep=keep)
    return torch.stack(list(model.forward_heads(tokens).values())).mean(0)


@torch.no_grad()
def test_keeping_all_patches_in_any_order_changes_nothing(model: VisionTransformer, images: Tensor) -> None:
    keep = torch.stack([torch.randperm(15, generator=torch.Generator().manual_seed(b)) for b in range(3)])
    torch.testing.assert_close(logits_of(model, images, keep), model(images))


@torch.no_grad()
def test_the_short_sequence_is_the_one_built_by_hand(model: VisionTransformer, images: Tensor) -> None:
    keep = torch.tensor([[14, 0, 3], [2, 9, 5], [7, 8, 1]])
    patches = torch.stack(
        [
            model.patch_embed.proj(images[:, :, r : r + 4, c : c + 4])[..., 0, 0]
            for r in (0, 4, 8)
            for c in range(0, 20, 4)
        ],
        dim=1,
    )
    rows = []
    for b in range(3):
        special = [model.cls_token[0, 0]] + ([model.dist_token[0, 0]] if model.dist_token is not None else [])
        tokens = [token + model.pos_embed[0, i] for i, token in enumerate(special)]
        tokens += [patches[b, k] + model.pos_embed[0, len(special) + k] for k in keep[b]]
        x = torch.stack(tokens)[None]
        for block in model.blocks:
            x, _ = block(x)
        rows.append(model.norm(x)[0])
    tokens, attention = model.forward_features(images, return_attention=True, keep=keep)
    length = model.num_prefix_tokens + 3
    assert tokens.shape == (3, length, 24)
    assert [tuple(layer.shape) for layer in attention] == [(3, 3, length, length)] * 2
    torch.testing.assert_close(tokens, torch.stack(rows))


@torch.no_grad()
def test_no_patch_at_all_leaves_the_same_tokens_for_every_image(model: VisionTransformer, images: Tensor) -> None:
    tokens, _ = model.forward_features(images, keep=torch.empty(3, 0, dtype=torch.long))
    assert tokens.shape == (3, model.num_prefix_tokens, 24)
    torch.testing.assert_close(tokens, tokens[:1].expand_as(tokens))


@torch.no_grad()
def test_a_dropped_patch_cannot_be_seen(model: VisionTransformer, images: Tensor) -> None:
    keep = torch.arange(15)[None].expand(3, -1)[:, 1:]
    painted = images.clone()
    painted[:, :, :4, :4] = 9.0
    assert torch.equal(logits_of(model, painted, keep), logits_of(model, images, keep))
    assert not torch.allclose(model(painted), model(images))


@pytest.mark.parametrize("replacement", ["blur", "mean"])
def test_a_cnn_is_measured_by_its_picture(replacement: str) -> None:
    torch.manual_seed(0)
    cnn = ResNet9(in_chans=2, num_classes=4, width=4).eval()
    for grid in ((4, 4), (2, 8), (16, 16)):
        found = faithfulness(cnn, noise(2, 2, 16, 16), noise(2, *grid), replacement=replacement)
        assert found.given.morf.shape == (2, 11)
        assert found.given.morf.std(dim=1).amin() > 0


class Seen(nn.Module):
    """Remembers the pictures that it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.pictures += [*images]
        return images.mean((1, 2, 3))[:, None] * torch.tensor([1.0, -1.0])


def test_the_mean_shows_where_a_patch_is_gone_and_nowhere_else() -> None:
    model, picture = Seen().eval(), noise(1, 1, 8, 15) + 9
    faithfulness(model, picture, noise(1, 2, 5), replacement="mean", num_random=1)
    for shown in model.pictures:
        assert torch.equal(shown[shown != 0], picture[0][shown != 0])
        by_patch = rearrange(shown == 0, "1 (gh ph) (gw pw) -> (gh gw) (ph pw)", ph=4, pw=3)
        assert torch.equal(by_patch.all(1), by_patch.any(1))


@pytest.mark.parametrize("grid", [(4, 7), (28, 28), (1, 1)])
def test_the_blur_is_wide_and_keeps_brightness(grid: tuple[int, int]) -> None:
    model, picture = Seen().eval(), noise(1, 1, 28, 28) + 3
    faithfulness(model, picture, noise(1, *grid), replacement="blur", num_random=1)
    blurred = min(model.pictures, key=lambda shown: shown.std().item())
    assert blurred.std() < 0.25 * picture.std()
    torch.testing.assert_close(blurred.mean(), picture.mean(), atol=0.2, rtol=0)


def test_the_blur_follows_the_shape_of_a_patch() -> None:
    """An upright edge stays where it is for patches 28 px high and 1 wide, and is lost for 1 px high and 28 wide."""
    model, picture = Seen().eval(), torch.zeros(1, 1, 28, 28)
    picture[..., 14:] = 1.0
    faithfulness(model, picture, noise(1, 1, 28), replacement="blur", num_random=1)
    across = model.pictures[-1]
    assert across[0, :, 0].amax() < 0.01
    model.pictures.clear()
    faithfulness(model, picture, noise(1, 28, 1), replacement="blur", num_random=1)
    assert min(shown[0, :, 20].min() for shown in model.pictures) < 0.75
