"""The ViT and the DeiT equal timm's, number for number; their shapes, names and initialisation are as documented."""

import pytest
import torch

from deit_core import presets, torchvision_ops  # noqa: F401  # the latter before timm, which imports torchvision
from deit_core.errors import SpecError
from deit_core.models import ResNet9, VisionTransformer, build_student, build_teacher
from deit_core.training.optim import parameter_groups

from timm.models import deit as timm_deit  # isort: skip
from timm.models import vision_transformer as timm_vit  # isort: skip

SIZES = [
    {"img_size": 28, "patch_size": 4, "in_chans": 1, "num_classes": 10, "embed_dim": 64, "depth": 6, "num_heads": 4,
     "mlp_ratio": 2.0},
    {"img_size": (24, 40), "patch_size": 8, "in_chans": 3, "num_classes": 7, "embed_dim": 48, "depth": 2,
     "num_heads": 3, "mlp_ratio": 4.0},
    {"img_size": 35, "patch_size": 7, "in_chans": 2, "num_classes": 3, "embed_dim": 36, "depth": 3, "num_heads": 9,
     "mlp_ratio": 3.0},
]  # fmt: skip


@pytest.mark.parametrize("distilled", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=["mini-project", "rectangular", "odd"])
def test_same_weights_give_timms_logits(size: dict, distilled: bool) -> None:
    torch.manual_seed(0)
    kind = timm_deit.VisionTransformerDistilled if distilled else timm_vit.VisionTransformer
    theirs = kind(**size).eval()
    for parameter in theirs.parameters():  # timm begins with zeros in places that would hide a mistake
        torch.nn.init.normal_(parameter, std=0.2)
    ours = VisionTransformer(**size, distilled=distilled).eval()
    ours.load_state_dict(theirs.state_dict())
    height, width = ours.img_size
    images = torch.randn(3, size["in_chans"], height, width)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), atol=1e-5, rtol=1e-5)
        if distilled:
            theirs.set_distilled_training(True)
            for mine, other in zip(ours.train()(images), theirs.train()(images), strict=True):
                torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-5)


def test_miniproject_attention_has_the_promised_shape() -> None:
    images = torch.randn(2, 1, 28, 28)
    for distilled, tokens in ((False, 50), (True, 51)):
        model = VisionTransformer(**SIZES[0], drop_rate=0.1, distilled=distilled).eval()
        output, attention = model(images, return_attention=True)
        assert attention.shape == (6, 2, 4, tokens, tokens)
        assert output.shape == (2, 10)
        assert model.num_prefix_tokens == tokens - 49
        assert model.grid_size == (7, 7)
        torch.testing.assert_close(attention.sum(-1), torch.ones(6, 2, 4, tokens))
        _, chosen = model(images, return_attention=[0, 5])
        torch.testing.assert_close(chosen, attention[[0, 5]])


def test_distilled_model_trains_with_two_outputs_and_predicts_with_their_mean() -> None:
    model = VisionTransformer(**SIZES[0], distilled=True)
    images = torch.randn(2, 1, 28, 28)
    class_logits, distillation_logits = model(images)
    torch.testing.assert_close(model.eval()(images), (class_logits + distillation_logits) / 2)
    assert not torch.equal(class_logits, distillation_logits)


def test_the_distillation_token_is_really_part_of_the_sequence() -> None:
    model = VisionTransformer(**SIZES[0], distilled=True).eval()
    images = torch.randn(2, 1, 28, 28)
    before = model(images)
    with torch.no_grad():
        model.dist_token.normal_()  # layer norms would take a constant away again
    assert not torch.allclose(before, model(images))
    assert model.pos_embed.shape[1] == 2 + 49


def test_attention_stays_in_the_graph() -> None:
    model = VisionTransformer(**SIZES[0])
    logits, attention = model(torch.randn(1, 1, 28, 28), return_attention=True)
    (gradient,) = torch.autograd.grad(logits[0, 3], attention, allow_unused=True)
    assert gradient is None or gradient.shape == attention.shape
    logits[0, 3].backward()
    assert attention.requires_grad


@pytest.mark.parametrize("width", [64, 192, 768])
def test_initial_spread_follows_the_width(width: int) -> None:
    torch.manual_seed(0)
    model = VisionTransformer(28, 7, 1, 10, embed_dim=width, depth=1, num_heads=4)
    block = model.blocks[0]
    for part in block.attn.qkv.weight.chunk(3):
        assert part.std().item() == pytest.approx((1 / width) ** 0.5, rel=0.05)
    assert block.attn.proj.weight.std().item() == pytest.approx((1 / width) ** 0.5, rel=0.05)
    assert model.norm.weight.eq(1).all()
    assert block.mlp.fc1.bias.eq(0).all()


def test_weight_decay_spares_tokens_positions_biases_and_norms() -> None:
    model = VisionTransformer(**SIZES[0], distilled=True)
    decayed, spared = (group["params"] for group in parameter_groups(model, 0.05))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    spared_names = {names[id(parameter)] for parameter in spared}
    assert {"cls_token", "dist_token", "pos_embed", "norm.weight", "head.bias", "blocks.0.norm1.weight"} <= spared_names
    assert all(names[id(p)].endswith("weight") and p.ndim >= 2 for p in decayed)
    assert len(decayed) + len(spared) == len(names)


def test_refuses_sizes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="do not divide"):
        VisionTransformer(28, 5)
    with pytest.raises(ValueError, match="num_heads"):
        VisionTransformer(28, 4, embed_dim=64, num_heads=5)


def test_stochastic_depth_grows_and_rests_in_eval() -> None:
    model = VisionTransformer(**SIZES[0], drop_path_rate=0.5)
    rates = [block.drop_path.rate for block in model.blocks]
    assert rates == pytest.approx([0.1 * i for i in range(6)])
    images = torch.randn(2, 1, 28, 28)
    model.eval()
    torch.testing.assert_close(model(images), model(images))
    model.train()
    assert any(not torch.equal(model(images), model(images)) for _ in range(3))


def test_the_teacher_is_a_small_cnn() -> None:
    for name in ("digits-quick", "fashion-classroom", "fashion-miniproject", "fashion-full"):
        teacher = build_teacher(presets.get(name).runs[0])
        assert isinstance(teacher, ResNet9)
        assert sum(p.numel() for p in teacher.parameters()) < 800_000


def test_builders_refuse_the_other_family() -> None:
    teacher, vit, _ = presets.get("digits-quick").runs
    with pytest.raises(SpecError, match=r"set model\.family to vit"):
        build_student(teacher)
    with pytest.raises(SpecError, match=r"set model\.family to cnn, resnet9, torchvision or timm"):
        build_teacher(vit)
