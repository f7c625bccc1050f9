"""Checkpoints carry what rebuilds them, and damaged ones are one sentence."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from deit_core.errors import CheckpointError
from deit_core.models import (
    ModelCard,
    build_model,
    library_versions,
    load_checkpoint,
    load_teacher,
    read_card,
    save_weights,
)
from deit_core.models.describe import model_card
from deit_core.models.export import export_checkpoint
from deit_core.spec import DataSpec, ExperimentSpec, RunSpec
from deit_core.torchvision_ops import torchvision

DIGITS = DataSpec(source="digits", img_size=16, val_fraction=0.2)


@pytest.fixture
def checkpoint(tmp_path: Path, tiny_trio: ExperimentSpec) -> Path:
    spec = tiny_trio.runs[2]
    torch.manual_seed(0)
    card = ModelCard(
        spec=spec, classes=tuple("0123456789"), in_chans=1, mean=(0.3,), std=(0.3,), data_hash="x", epoch=1, step=9
    )
    save_weights(tmp_path / "run" / "best.safetensors", build_model(spec), card)
    return tmp_path / "run"


def test_a_checkpoint_rebuilds_its_model(checkpoint: Path) -> None:
    by_folder, by_file = load_checkpoint(checkpoint), load_checkpoint(checkpoint / "best.safetensors")
    assert not by_folder.training
    images = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(by_folder(images), by_file(images))
    assert read_card(checkpoint).epoch == 1
    assert not list(checkpoint.glob(".*"))  # nothing half-written is left


def test_damaged_and_foreign_files_are_one_sentence(checkpoint: Path, tmp_path: Path) -> None:
    file = checkpoint / "best.safetensors"
    whole = file.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", b"text renamed", whole[:8] + b"\xff" * 64 + whole[72:]):
        file.write_bytes(damage)
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(checkpoint)
        assert "\n" not in str(caught.value)
    save_file({"x": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="not written by DeiT Lab"):
        load_checkpoint(tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "nowhere")


def test_a_teacher_of_other_classes_is_refused(checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="tells 10 classes apart and the student 7"):
        load_teacher(checkpoint, tuple("abcdefg"), DIGITS)
    with pytest.raises(CheckpointError, match="other classes"):
        load_teacher(checkpoint, tuple("abcdefghij"), DIGITS)
    with pytest.raises(CheckpointError, match="split digits differently"):
        load_teacher(checkpoint, tuple("0123456789"), DIGITS.model_copy(update={"split_seed": 5}))
    assert load_teacher(checkpoint, tuple("0123456789"), DIGITS)(torch.rand(2, 1, 16, 16)).shape == (2, 10)


@pytest.mark.parametrize("same_place", ["pets", "./pets", "other/../pets"])
def test_a_folder_is_known_by_its_place_and_by_its_content(same_place: str, checkpoint: Path) -> None:
    pets = DataSpec(source="folder", path="pets", img_size=16, val_fraction=0.2)
    card = read_card(checkpoint)
    card = card.model_copy(update={"spec": card.spec.model_copy(update={"data": pets}), "data_hash": "abc"})

    def other(path: str, **changes: object) -> DataSpec:
        return pets.model_copy(update={"path": path, **changes})

    assert not card.is_split_otherwise(other(same_place))
    assert card.is_split_otherwise(other(same_place, split_seed=5))
    assert card.is_split_otherwise(other("/copied/elsewhere", split_seed=5), data_hash="abc")
    assert not card.is_split_otherwise(other("/copied/elsewhere"), data_hash="abc")
    assert not card.is_split_otherwise(
        other("cars", split_seed=5), data_hash="def"
    )  # to start from other images is fine


def test_exports_give_the_same_logits(checkpoint: Path, tmp_path: Path) -> None:
    model, images = load_checkpoint(checkpoint), torch.randn(5, 1, 16, 16)
    export_checkpoint(checkpoint, tmp_path / "m.pt", "pt")
    export_checkpoint(checkpoint, tmp_path / "m.safetensors", "safetensors")
    for state in (torch.load(tmp_path / "m.pt", weights_only=True), load_file(tmp_path / "m.safetensors")):
        fresh = build_model(read_card(checkpoint).spec).eval()
        fresh.load_state_dict(state)
        torch.testing.assert_close(fresh(images), model(images))


def test_the_card_says_data_recipe_metrics_seed_and_versions(checkpoint: Path) -> None:
    card = read_card(checkpoint)
    card = card.model_copy(update={"metrics": {"val_accuracy": 0.9, "train_loss": 1.0}, "versions": library_versions()})
    spec = card.spec.model_copy(update={"name": "a|b\n# c", "notes": "<script>"})
    text = model_card(card.model_copy(update={"spec": spec}), {"test_accuracy": 0.8}, 1234)
    for words in (
        "1,234 parameters that tells 10 classes of Digits apart",
        "| val_accuracy | 0.9000 |",
        "| test_accuracy | 0.8000 |",
        f"Seed {spec.seed}",
        f"| `optim.lr` | {spec.optim.lr} |",
        "SHA-256 of the data: `x`",
        f"torch {torch.__version__}",
        "UCI Optical Recognition",
        "Teacher: teacher, hard distillation.",
    ):
        assert words in text
    assert "train_loss" not in text
    assert text.startswith("# a\\|b # c\n")
    assert "<script>" not in text


def test_cards_from_before_versions_were_kept_say_so(checkpoint: Path) -> None:
    assert "Not recorded." in model_card(read_card(checkpoint), {}, 1)


def test_torchvisions_networks_are_exported_under_its_names(tmp_path: Path, tiny_trio: ExperimentSpec) -> None:
    document = tiny_trio.runs[0].model_dump() | {"model": {"family": "torchvision", "name": "resnet18"}}
    spec = RunSpec.model_validate(document)
    card = ModelCard(
        spec=spec, classes=tuple("0123456789"), in_chans=1, mean=(0.3,), std=(0.3,), data_hash="x", epoch=1, step=9
    )
    save_weights(tmp_path / "r.safetensors", build_model(spec), card)
    export_checkpoint(tmp_path / "r.safetensors", tmp_path / "teacher_model.pt", "pt")
    network = torchvision.models.resnet18(num_classes=10)
    network.load_state_dict(torch.load(tmp_path / "teacher_model.pt", weights_only=True))


@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of itself
def test_onnx_export_gives_the_same_logits(checkpoint: Path, tmp_path: Path) -> None:
    import onnxruntime

    model, images = load_checkpoint(checkpoint), torch.randn(5, 1, 16, 16)
    export_checkpoint(checkpoint, tmp_path / "m.onnx", "onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(logits), model(images), atol=1e-4, rtol=1e-4)
