"""The sizes of networks that are counted from specs are those of the networks that are built from them."""

from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from deit_core import presets
from deit_core.memory import network_size
from deit_core.memory.timm_counts import count
from deit_core.models import build_model
from deit_core.spec import RunSpec, TorchvisionSpec, members, replace
from deit_core.torchvision_ops import torchvision

VIT, CNN = presets.smoke(), members(presets.digits_quick())[0]
DEIT = members(presets.digits_quick())[2]


def network(name: str, **more: Any) -> dict[str, Any]:
    return {"model": {"family": "torchvision", "name": name, **more}, "data.img_size": 64}


def timms(name: str, **more: Any) -> dict[str, Any]:
    model = {"family": "timm", "name": name} | more
    return {"model": model, "data.img_size": 64, "initial_checkpoint": "weights.pth"}


FROZEN = network("resnet18", freeze_backbone=True, pretrained="imagenet")
SPECS = {
    "vit": (VIT, {}),
    "dropout": (VIT, {"model.drop_rate": 0.1}),
    "attention-dropout": (VIT, {"model.attn_drop_rate": 0.1, "model.drop_path_rate": 0.1}),
    "many-tokens": (VIT, {"model.patch_size": 1, "data.img_size": 20, "model.mlp_ratio": 4.0}),
    "distilled": (DEIT, {}),
    "distilled-registers": (DEIT, {"model.num_registers": 3, "model.prefix_positions": False}),
    "layer-scale": (VIT, {"model.layer_scale": 0.1}),
    "mean-of-patches": (VIT, {"model.pool": "mean", "model.num_registers": 2}),
    "class-and-mean": (VIT, {"model.pool": "both", "model.layer_scale": 1e-5}),
    "no-positions": (VIT, {"model.positions": "none", "model.num_registers": 2}),
    "no-skip-connections": (VIT, {"model.skip_connections": False}),
    "plain-cnn": (CNN, {"model": {"family": "cnn"}}),
    "plain-cnn-odd": (CNN, {"model": {"family": "cnn", "width": 7}, "data.img_size": 30}),
    "resnet9": (CNN, {}),
    "resnet9-wide-odd": (CNN, {"data.img_size": 30, "model.width": 40}),
    "resnet18": (CNN, network("resnet18")),
    "resnet50": (CNN, network("resnet50", input_size=96)),
    "regnet": (CNN, network("regnet_y_400mf")),
    "frozen": (CNN, FROZEN),
    "timm": (CNN, timms("test_efficientnet", input_size=96)),
    "timm-tokens": (CNN, timms("test_vit", input_size=160)),
    "timm-frozen": (CNN, timms("test_resnet", freeze_backbone=True)),
    "timm-table": (CNN, timms("tf_efficientnet_lite0", input_size=96)),
    "timm-table-frozen": (CNN, timms("tf_efficientnet_lite0", freeze_backbone=True)),
}


def num_kept(model: nn.Module, images: Tensor) -> float:
    """The numbers that autograd keeps for each image, besides the model's own."""
    own = {tensor.untyped_storage().data_ptr() for tensor in model.state_dict().values()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor  # which keeps the address in use
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(images)
    del output
    return sum(one.untyped_storage().nbytes() for address, one in kept.items() if address not in own) / 4 / len(images)


@pytest.mark.parametrize(("start", "changes"), SPECS.values(), ids=SPECS)
def test_a_network_has_the_size_that_its_spec_gives(start: RunSpec, changes: dict[str, Any]) -> None:
    spec = replace(start, changes)
    size, model = network_size(spec, 1, 10), build_model(spec).train()
    assert size.num_params == sum(parameter.numel() for parameter in model.parameters())
    assert size.num_trained == sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    kept = num_kept(model, torch.rand(4, 1, spec.data.img_size, spec.data.img_size))
    assert 0.97 * kept - 100 <= size.kept <= 1.2 * kept + 100


@pytest.mark.parametrize("name", get_args(TorchvisionSpec.model_fields["name"].annotation))
def test_a_network_of_torchvision_has_the_weights_that_torchvision_states(name: str) -> None:
    published = torchvision.models.get_model_weights(name).DEFAULT.meta["num_params"]
    assert network_size(replace(CNN, network(name)), 3, 1000).num_params == published


def test_the_table_of_timm_says_what_is_counted() -> None:
    spec = replace(CNN, timms("tf_efficientnet_lite0", input_size=224))
    counted = count("tf_efficientnet_lite0", 224, 10, is_frozen=False)
    assert network_size(spec, 1, 10) == pytest.approx(counted, rel=0.02)


def test_a_model_of_billions_of_weights_is_counted_and_not_built() -> None:
    huge = {"model.embed_dim": 2048, "model.depth": 48, "model.num_heads": 16, "model.mlp_ratio": 8}
    assert network_size(replace(VIT, huge), 1, 10).num_params == pytest.approx(4.03e9, rel=0.01)
