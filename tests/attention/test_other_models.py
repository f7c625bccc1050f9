"""Any ViT can be looked at: the attention that is taken from a model of others is ours with the same weights."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deit_core.attention import METHODS, Look, Viewer
from deit_core.attention.other_model import OtherModel
from deit_core.errors import DeitError
from deit_core.models import FileReading, VisionTransformer, load_foreign
from deit_core.torchvision_ops import torchvision

import timm  # isort: skip
import transformers  # isort: skip

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def random_weights(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model.eval()


def timms(name: str = "deit_tiny_patch16_224", **changes: Any) -> nn.Module:
    return random_weights(timm.create_model(name, **{"img_size": 48, "depth": 3, "num_classes": 7} | changes))


def pixels(viewer: Viewer) -> np.ndarray:
    side, channels = viewer.card.img_size, viewer.card.in_chans
    return np.random.default_rng(0).integers(0, 256, (2, channels, side, side), dtype=np.uint8)


def ours_of(state: dict[str, Tensor], folder: Path, card: FileReading, **options: Any) -> Viewer:
    torch.save(state, folder / "theirs.pth")
    return Viewer(load_foreign(folder / "theirs.pth", **options), card)


def assert_same(generic: Viewer, ours: Viewer) -> Look:
    images = pixels(generic)
    seen, known = generic.look(images), ours.look(images)
    assert (seen.num_prefix_tokens, seen.grid_size) == (known.num_prefix_tokens, known.grid_size)
    torch.testing.assert_close(seen.attention, known.attention, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen.logits["mean"], known.logits["mean"], atol=1e-5, rtol=1e-5)
    for options in ({}, {"discard_ratio": 0.5, "head_fusion": "max"}):
        one, other = seen.rollout(**options), known.rollout(**options)
        torch.testing.assert_close(one.map, other.map, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(one.prefix_mass, other.prefix_mass, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(generic.predict(images), ours.predict(images), atol=1e-5)
    return seen


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("deit_tiny_patch16_224", {}),
        ("deit_tiny_distilled_patch16_224", {}),
        ("deit3_small_patch16_224", {}),
        ("vit_tiny_patch16_224", {"global_pool": "avg"}),
        ("vit_tiny_patch16_224", {"reg_tokens": 1}),
        ("vit_tiny_patch16_224", {"reg_tokens": 4, "no_embed_class": True, "img_size": 64}),
    ],
    ids=str,
)
def test_a_model_of_timm_is_seen_as_our_loader_sees_it(
    name: str, changes: dict[str, Any], fused: bool, tmp_path: Path
) -> None:
    model = timms(name, **changes)
    for block in model.blocks:
        block.attn.fused_attn = fused
    generic = Viewer(model)
    assert isinstance(generic.card, FileReading)
    assert generic.card.mean == tuple(model.pretrained_cfg["mean"])
    assert_same(generic, ours_of(model.state_dict(), tmp_path, generic.card))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", ["ViT", "Dinov2WithRegisters"])
def test_a_model_of_hugging_face(kind: str, attention: str, tmp_path: Path) -> None:
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=192, num_labels=5,
        image_size=48, patch_size=16, attn_implementation=attention,
    )  # fmt: skip
    model = random_weights(getattr(transformers, f"{kind}ForImageClassification")(config))
    generic = Viewer(model)
    assert generic.card.classes == tuple(f"LABEL_{index}" for index in range(5))
    model.save_pretrained(tmp_path / "hf")
    ours, images = Viewer(load_foreign(tmp_path / "hf"), generic.card), pixels(generic)
    seen, known = generic.look(images), ours.look(images)
    torch.testing.assert_close(seen.attention, known.attention, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen.logits["mean"], known.logits["mean"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen.rollout(query=0).map, known.rollout(query=0).map, atol=1e-5, rtol=1e-5)


def under_timms_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those of torchvision's VisionTransformer."""
    names = [
        ("class_token", "cls_token"),
        (r"conv_proj\.", "patch_embed.proj."),
        (r"encoder\.pos_embedding", "pos_embed"),
        (r"encoder\.layers\.encoder_layer_", "blocks."),
        (r"\.ln_([12])\.", r".norm\1."),
        (r"self_attention\.in_proj_", "attn.qkv."),
        (r"self_attention\.out_proj\.", "attn.proj."),
        (r"mlp\.0\.", "mlp.fc1."),
        (r"mlp\.3\.", "mlp.fc2."),
        (r"encoder\.ln\.", "norm."),
        (r"heads\.head\.", "head."),
    ]
    renamed = {}
    for name, tensor in state.items():
        for theirs, ours in names:
            name = re.sub(theirs, ours, name)
        renamed[name] = tensor
    return renamed


def test_a_model_of_torchvision(tmp_path: Path) -> None:
    size = {"num_layers": 3, "num_heads": 3, "hidden_dim": 48, "mlp_dim": 96, "num_classes": 5}
    model = random_weights(torchvision.models.VisionTransformer(image_size=48, patch_size=16, **size))
    generic = Viewer(model)
    assert (generic.card.mean, generic.card.std) == (MEAN, STD)
    seen = assert_same(generic, ours_of(under_timms_names(model.state_dict()), tmp_path, generic.card, num_heads=3))
    assert seen.attention.shape == (3, 2, 3, 10, 10)
    with torch.no_grad():
        normalised = (torch.from_numpy(pixels(generic)) / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(
            STD
        ).view(3, 1, 1)
        torch.testing.assert_close(seen.logits["mean"], model(normalised), atol=1e-5, rtol=1e-5)


def test_attention_with_a_bias_for_each_pair_is_that_of_the_model() -> None:
    """BEiT adds one to the scores; its rows of softmax are taken when it writes them out."""
    model = timms("beit_base_patch16_224", embed_dim=48, num_heads=4)
    taken = []
    for fused in (True, False):
        for block in model.blocks:
            block.attn.fused_attn = fused
        taken.append(Viewer(model).look(pixels(Viewer(model))))
    torch.testing.assert_close(taken[0].attention, taken[1].attention, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(taken[0].attention, torch.full_like(taken[0].attention, 1 / 10), atol=1e-3)
    assert taken[0].shares["class"][0] == 0  # it reads the mean of the patches


def test_a_backbone_is_looked_at_and_predicts_nothing(tmp_path: Path) -> None:
    model = timms("vit_small_patch14_dinov2", img_size=42, num_classes=0, embed_dim=96, num_heads=6)
    generic = Viewer(model)
    torch.save(model.state_dict(), tmp_path / "dinov2.pth")
    ours = Viewer(load_foreign(tmp_path / "dinov2.pth", num_classes=0, num_heads=6), generic.card)
    one, other = (viewer.look(pixels(viewer)) for viewer in (generic, ours))
    assert (one.logits, other.logits, generic.predicts) == ({}, {}, False)
    torch.testing.assert_close(one.rollout().map, other.rollout().map, atol=1e-5, rtol=1e-5)
    for viewer in (generic, ours):
        with pytest.raises(DeitError, match="a backbone without a head"):
            viewer.predict(pixels(viewer))
    with pytest.raises(DeitError, match="a backbone without a head"):
        ours.explain(pixels(ours), METHODS["attention_relevance"].explain)
    config = transformers.ViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, image_size=48, patch_size=16
    )
    theirs = Viewer(transformers.ViTModel(config).eval())
    assert theirs.look(pixels(theirs)).logits == {}


def test_a_viewer_leaves_a_model_as_it_was() -> None:
    model = timms()
    images = torch.randn(2, 3, 48, 48)
    with torch.no_grad():
        before = model(images)
        Viewer(model).look(pixels(Viewer(model)))
        assert torch.equal(model(images), before)
    with pytest.raises(DeitError, match=r"call model\.eval\(\) first"):
        Viewer(model.train()).look(pixels(Viewer(model)))


class Odd(nn.Module):
    """Its patches are cut without a convolution, and it says nothing of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(16, 8), nn.Linear(8, 3)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, images: Tensor) -> Tensor:
        x = self.embed(images.unfold(2, 4, 4).unfold(3, 4, 4).flatten(4).flatten(1, 3))
        logits: Tensor = self.head(self.attention(x, x, x)[0].mean(1))
        return logits


def test_the_python_of_the_guide_runs_as_printed() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "attention.md").read_text()
    (example,) = (code for code in re.findall(r"^```python\n(.*?)^```$", guide, re.M | re.S) if "timm" in code)
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["result"].map.shape == (1, 14, 14)
    assert names["shown"].shape == (448, 448, 3)


def test_what_cannot_be_seen_is_stated() -> None:
    card = FileReading(file="odd", side=8, classes=("a", "b", "c"), in_chans=1, mean=(0.5,), std=(0.5,))
    odd = Odd().eval()
    with pytest.raises(DeitError, match="give Viewer a card"):
        Viewer(odd)
    images = np.zeros((1, 1, 8, 8), np.uint8)
    with pytest.raises(DeitError, match="its grid is not known; state both"):
        Viewer(odd, card).look(images)
    with pytest.raises(DeitError, match="has 4 tokens, which are not 1 before 2 x 2 patches"):
        Viewer(odd, card, num_prefix_tokens=1, grid_size=(2, 2)).look(images)
    seen = Viewer(odd, card, num_prefix_tokens=0, grid_size=(2, 2)).look(images)
    assert seen.attention.shape == (1, 1, 2, 4, 4)
    assert Viewer(odd, card).predict(images).shape == (1, 3)


def test_models_without_one_set_of_tokens_are_refused() -> None:
    windows = timm.create_model("swin_tiny_patch4_window7_224", img_size=56, window_size=7, num_classes=3).eval()
    for model in (windows, timm.create_model("resnet18", num_classes=3).eval()):
        viewer = Viewer(model)
        with pytest.raises(DeitError, match=r"no attention between the same tokens .* Rollout is for ViTs"):
            viewer.look(np.zeros((1, 3, viewer.card.img_size, viewer.card.img_size), np.uint8))
    with pytest.raises(DeitError, match="The methods read models of DeiT Lab"):
        viewer.explain(np.zeros((1, 3, 224, 224), np.uint8), METHODS["rollout"].explain)


def test_attention_that_is_too_large_is_refused() -> None:
    with torch.no_grad(), pytest.raises(DeitError, match="takes more than 0 MiB; choose a model with larger patches"):
        OtherModel(timms()).see(torch.randn(1, 3, 48, 48), "theirs", max_bytes=2000)


@pytest.mark.parametrize(
    ("changes", "head", "prefix"),
    [
        ({"num_registers": 1}, {0: 1.0}, 2),
        ({"num_registers": 3, "prefix_positions": False, "layer_scale": 0.5}, {0: 1.0}, 4),
        ({"distilled": True, "num_registers": 2}, {0: 0.5, 1: 0.5}, 4),
        ({"pool": "mean", "num_registers": 1}, {2 + patch: 1 / 16 for patch in range(16)}, 2),
        ({"pool": "both"}, {0: 0.5} | {1 + patch: 1 / 32 for patch in range(16)}, 1),
    ],
    ids=str,
)
def test_the_rollout_begins_at_what_the_heads_read(
    changes: dict[str, Any], head: dict[int, float], prefix: int
) -> None:
    model = random_weights(VisionTransformer(16, 4, 1, 5, 24, 2, 3, **changes))
    assert isinstance(model, VisionTransformer)
    card = FileReading(file="ours", side=16, classes=tuple("abcde"), in_chans=1, mean=(0.5,), std=(0.5,))
    viewer = Viewer(model, card)
    images = pixels(viewer)
    seen = viewer.look(images)
    assert seen.num_prefix_tokens == prefix
    weights = torch.zeros(prefix + 16)
    weights[list(head)] = torch.tensor(list(head.values()))
    expected = seen.rollout(query=weights)
    assert torch.equal(seen.rollout().map, expected.map)
    assert math.isclose(float(expected.weights[0].sum()), 1, rel_tol=1e-5)
    found = viewer.explain(images, METHODS["rollout"].explain)
    np.testing.assert_allclose(found, expected.map, atol=1e-6)
    for name in ("class_attention", "gradient_rollout", "attention_relevance"):
        maps = viewer.explain(images, METHODS[name].explain)
        assert maps.shape == (2, 4, 4)
        assert np.isfinite(maps).all()
    if not changes.get("distilled"):
        with pytest.raises(DeitError, match="has no distillation token"):
            seen.rollout(query="distillation")
        with pytest.raises(DeitError, match="has no distillation token"):
            viewer.explain(images, METHODS["gradient_rollout"].explain, query="distillation")


@pytest.mark.parametrize("changes", [{"pool": "mean"}, {"pool": "both"}, {"num_registers": 2}], ids=str)
def test_no_output_depends_on_a_token_that_is_not_said_to_be_read(changes: dict[str, Any]) -> None:
    model = random_weights(VisionTransformer(16, 4, 1, 5, 24, 2, 3, **changes))
    assert isinstance(model, VisionTransformer)
    tokens = torch.randn(1, model.num_prefix_tokens + 16, 24, requires_grad=True)
    model.forward_heads(tokens)["class"].square().sum().backward()
    assert tokens.grad is not None
    read = tokens.grad[0].abs().sum(-1) > 0
    assert torch.equal(read, model.shares_read()["class"] > 0)
