"""torchvision's CNNs as teachers: they adapt what they see, stay frozen where asked, and find their weights."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from deit_core import presets
from deit_core.distillation import DistillationTeacher
from deit_core.errors import CheckpointError, SpecError
from deit_core.events import RunFinished
from deit_core.models import build_model, initialise, load_checkpoint, read_card
from deit_core.models.torchvision_classifier import TorchvisionClassifier
from deit_core.spec import RunSpec, TorchvisionSpec, replace
from deit_core.torchvision_ops import torchvision
from deit_core.training import train

DIGITS = tuple("0123456789")
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def spec_of(**model: object) -> RunSpec:
    run = presets.digits_quick().runs[0]
    document = run.model_dump() | {"model": {"family": "torchvision", **model}, "name": "resnet"}
    fast = {"optim.epochs": 1, "optim.warmup_epochs": 0, "data.img_size": 16, "compute.precision": "float32"}
    return replace(RunSpec.model_validate(document), fast)


def save_imagenet_weights(folder: Path, name: str = "resnet18") -> Path:
    """A file as torchvision publishes it: a plain state dict with a head for 1000 classes."""
    torch.manual_seed(1)
    network = torchvision.models.get_model(name, weights=None)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / torchvision.models.get_model_weights(name).DEFAULT.url.rpartition("/")[2]
    torch.save(network.state_dict(), file)
    return file


def statistics(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in state.items() if "running" in name or "num_batches" in name}


@pytest.mark.parametrize("name", TorchvisionSpec.model_fields["name"].annotation.__args__)
def test_torchvision_has_every_network_of_the_spec(name: str) -> None:
    weights = torchvision.models.get_model_weights(name).DEFAULT
    assert weights.url.rpartition("/")[2].startswith(name)
    assert weights.transforms().mean == pytest.approx(MEAN.tolist())
    assert weights.transforms().std == pytest.approx(STD.tolist())


def test_the_head_is_for_the_classes_at_hand() -> None:
    model = TorchvisionClassifier("resnet50", in_chans=1, num_classes=7)
    assert model.network.fc.out_features == model.num_classes == 7


def test_it_adapts_channels_size_and_normalisation() -> None:
    model = TorchvisionClassifier("resnet18", in_chans=1, num_classes=4, input_size=40, normalises=True).eval()
    seen = []
    model.network = torch.nn.Sequential(torch.nn.Identity())
    model.network.forward = lambda x: seen.append(x) or x.mean((2, 3))  # type: ignore[method-assign]
    model(torch.full((2, 1, 8, 8), 0.5))
    assert seen[0].shape == (2, 3, 40, 40)
    torch.testing.assert_close(seen[0][0, :, 20, 20], (0.5 - MEAN) / STD)


def test_the_logits_are_torchvisions() -> None:
    model = TorchvisionClassifier("regnet_y_400mf", num_classes=5).eval()
    theirs = torchvision.models.regnet_y_400mf(num_classes=5).eval()
    theirs.load_state_dict(model.network.state_dict())
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(model(images), theirs(images))


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("freeze", [True, False])
def test_a_frozen_backbone_stays_bit_for_bit_as_it_was_pretrained(freeze: bool, tmp_path: Path) -> None:
    file = save_imagenet_weights(tmp_path / "weights", "regnet_y_400mf")
    spec = spec_of(name="regnet_y_400mf", pretrained="imagenet", freeze_backbone=freeze, input_size=32)
    spec = replace(spec, {"initial_checkpoint": str(file), "data.fraction": 0.1, "optim.batch_size": 32})
    events = list(train(spec, run_dir=tmp_path / "run"))
    assert isinstance(events[-1], RunFinished)
    before = torch.load(file, weights_only=True)
    trained = load_checkpoint(tmp_path / "run")
    after = trained.network.state_dict()
    backbone = {name for name in before if not name.startswith("fc.")}
    assert all(torch.equal(before[name], after[name]) for name in backbone) == freeze
    assert all(torch.equal(value, statistics(after)[name]) for name, value in statistics(before).items()) == freeze
    assert after["fc.weight"].shape == (10, 440)
    card = read_card(tmp_path / "run")
    assert (card.mean, card.std) == ((0.0,), (1.0,))  # the network normalises for itself
    teacher = DistillationTeacher(trained, card.mean, card.std, 16)
    assert teacher(torch.rand(2, 1, 16, 16)).shape == (2, 10)


def test_the_head_of_a_frozen_network_learns_and_nothing_else() -> None:
    model = TorchvisionClassifier("resnet18", num_classes=3, freeze_backbone=True).train()
    model(torch.randn(4, 3, 32, 32)).sum().backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {
        "network.fc.weight",
        "network.fc.bias",
    }
    assert not model.network.bn1.training
    assert model.network.fc.training


def test_imagenet_weights_come_from_torchvisions_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = save_imagenet_weights(tmp_path / "hub" / "checkpoints")
    spec = spec_of(name="resnet18", pretrained="imagenet")
    model = build_model(spec)
    head = model.network.fc.weight.detach().clone()
    initialise(model, spec, DIGITS, tmp_path)
    assert torch.equal(model.network.conv1.weight, torch.load(file, weights_only=True)["conv1.weight"])
    assert torch.equal(model.network.fc.weight, head)
    file.write_bytes(b"half a download")
    with pytest.raises(CheckpointError, match=r"is damaged .* delete it"):
        initialise(model, spec, DIGITS, tmp_path)


def test_without_network_and_file_it_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **options: object) -> None:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    spec = spec_of(name="resnet18", pretrained="imagenet")
    with pytest.raises(
        CheckpointError, match=r"cannot be downloaded .*no network.*put it in .*pretrained to off"
    ) as caught:
        initialise(build_model(spec), spec, DIGITS, tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_of_before_batches_were_counted_are_taken(tmp_path: Path) -> None:
    file = save_imagenet_weights(tmp_path)
    uncounted = {name: tensor for name, tensor in torch.load(file).items() if not name.endswith("num_batches_tracked")}
    torch.save(uncounted, file)
    spec = replace(spec_of(name="resnet18"), {"initial_checkpoint": str(file)})
    model = build_model(spec)
    initialise(model, spec, DIGITS, tmp_path)
    assert torch.equal(model.network.bn1.running_mean, uncounted["bn1.running_mean"])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = save_imagenet_weights(tmp_path)
    spec = replace(spec_of(name="regnet_y_400mf"), {"initial_checkpoint": str(file)})
    with pytest.raises(CheckpointError, match="of another architecture"):
        initialise(build_model(spec), spec, DIGITS, tmp_path)


def test_a_frozen_random_backbone_is_refused() -> None:
    with pytest.raises(SpecError, match="stays random"):
        replace(spec_of(name="resnet18"), {"model.freeze_backbone": True})
