"""Checkpoints carry what rebuilds them, and damaged ones are one sentence."""

from importlib import metadata
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from deit_core.errors import CheckpointError, DeitError
from deit_core.models import (
    ModelCard,
    build_model,
    input_statistics,
    library_versions,
    load_checkpoint,
    load_teacher,
    read_card,
    save_weights,
)
from deit_core.models.foreign.published import Published
from deit_core.results.export import Format, export_checkpoint
from deit_core.results.model_card import model_card
from deit_core.spec import DataSpec, ExperimentSpec, RunSpec, replace
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


@pytest.mark.parametrize("place", ["weights", "card"])
def test_a_flipped_bit_is_found(place: str, checkpoint: Path) -> None:
    file = checkpoint / "best.safetensors"
    content = bytearray(file.read_bytes())
    content[-1000 if place == "weights" else content.index(b"0.3]") + 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"best.safetensors is damaged.*its {place}.* written"):
        load_checkpoint(checkpoint)


def test_a_file_of_an_older_version_has_no_hashes_and_is_read(checkpoint: Path) -> None:
    file = checkpoint / "best.safetensors"
    with safe_open(file, framework="pt") as opened:
        metadata = {name: value for name, value in opened.metadata().items() if not name.endswith("sha256")}
    assert len(metadata) == 2
    save_file(load_file(file), file, metadata)
    load_checkpoint(checkpoint)


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
    with pytest.raises(CheckpointError, match="has 10 classes and the student 7"):
        load_teacher(checkpoint, tuple("abcdefg"), DIGITS)
    with pytest.raises(CheckpointError, match="other classes"):
        load_teacher(checkpoint, tuple("abcdefghij"), DIGITS)
    with pytest.raises(CheckpointError, match="split digits differently"):
        load_teacher(checkpoint, tuple("0123456789"), DIGITS.with_changes(split_seed=5))
    assert load_teacher(checkpoint, tuple("0123456789"), DIGITS)(torch.rand(2, 1, 16, 16)).shape == (2, 10)


@pytest.mark.parametrize("same_place", ["pets", "./pets", "other/../pets"])
def test_a_folder_is_known_by_its_place_and_by_its_content(same_place: str, checkpoint: Path) -> None:
    pets = DataSpec(source="folder", path="pets", img_size=16, val_fraction=0.2)
    card = read_card(checkpoint)
    card = card.model_copy(update={"spec": card.spec.with_changes(data=pets), "data_hash": "abc"})

    def other(path: str, **changes: object) -> DataSpec:
        return pets.with_changes(**changes, path=path)

    assert not card.learned_held_back(other(same_place))
    assert card.learned_held_back(other(same_place, split_seed=5))
    assert card.learned_held_back(other("/copied/elsewhere", split_seed=5), data_hash="abc")
    assert not card.learned_held_back(other("/copied/elsewhere"), data_hash="abc")
    assert not card.learned_held_back(
        other("cars", split_seed=5), data_hash="def"
    )  # to start from other images is fine
    assert not card.learned_held_back(other(same_place), data_hash="abc")
    assert not card.learned_held_back(other(same_place, colour=False), data_hash="in grey")
    why, _ = card.learned_held_back(other(same_place), data_hash="grown since") or ("", "")
    assert why == "learned from the folder before it changed, when other images were held out"


def test_a_file_of_weights_says_nothing_of_this_machines_folders(checkpoint: Path, tmp_path: Path) -> None:
    card, model = read_card(checkpoint), load_checkpoint(checkpoint)
    distillation = card.spec.distillation
    assert distillation is not None
    private = DataSpec(source="folder", path=str(tmp_path / "private"), img_size=16, val_fraction=0.2)
    spec = card.spec.with_changes(
        data=private,
        distillation=distillation.with_changes(teacher=str(tmp_path / "teacher.pth")),
        initial_checkpoint=str(tmp_path / "start.pth"),
    )
    card = card.model_copy(update={"spec": spec})
    save_weights(checkpoint / "best.safetensors", model, card)
    assert str(tmp_path).encode() not in (checkpoint / "best.safetensors").read_bytes()
    read = read_card(checkpoint)
    assert read.spec.data.path == "private"
    assert read.learned_held_back(private.with_changes(split_seed=5)), "the folder is still recognised"
    assert not read.learned_held_back(private.with_changes(path="private", split_seed=5)), "another of that name is not"
    formats: tuple[Format, ...] = ("pt", "safetensors")
    for file_format in formats:
        export_checkpoint(checkpoint, tmp_path / "model", file_format)
        assert str(tmp_path).encode() not in (tmp_path / "model").read_bytes()
    assert str(tmp_path) not in model_card(card, {}, nn.Identity()), "a card of an older file, which has the path"


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
    spec = card.spec.with_changes(name="a|b\n# c", notes="<script>")
    results = {"test_accuracy": 0.8, "val_accuracy": 0.1}  # the last epoch's, where the card is the best one's
    text = model_card(card.model_copy(update={"spec": spec}), results, nn.Linear(1233, 1))
    for words in (
        "1,234 parameters that tells 10 classes of Digits apart",
        "| val_accuracy | 0.9000 |",
        "| test_accuracy | 0.8000 |",
        f"Seed {spec.seed}",
        f"| `optim.lr` | {spec.optim.lr} |",
        "SHA-256 of the data: x.",
        f"torch {metadata.version('torch')}",
        "UCI Optical Recognition",
        "Teacher: teacher, hard distillation.",
    ):
        assert words in text
    assert "train_loss" not in text
    assert "Test images were looked at once" in text
    assert text.startswith("# a\\|b # c\n")
    assert "<script>" not in text


def test_a_card_without_a_test_score_does_not_say_that_test_was_looked_at(checkpoint: Path) -> None:
    of_a_stopped_run = {"val_accuracy": 0.9, "num_test": 360.0}
    text = model_card(read_card(checkpoint), of_a_stopped_run, nn.Identity())
    assert "Test images were looked at" not in text
    assert "There is no score on test images: they are looked at once, at the end of a run." in text


def test_cards_from_before_versions_were_kept_say_so(checkpoint: Path) -> None:
    assert "Not recorded." in model_card(read_card(checkpoint), {}, nn.Identity())


def save_resnet(folder: Path, trio: ExperimentSpec, **model: object) -> Path:
    """A teacher of torchvision's for grey digits of 16 px, untrained."""
    document = trio.runs[0].model_dump() | {"model": {"family": "torchvision", "name": "resnet18", **model}}
    spec = RunSpec.model_validate(document)
    mean, std = input_statistics(spec.model, (0.3,), (0.2,))
    card = ModelCard(
        spec=spec, classes=tuple("0123456789"), in_chans=1, mean=mean, std=std, data_hash="x", epoch=1, step=9
    )
    torch.manual_seed(0)
    save_weights(folder / "run" / "best.safetensors", build_model(spec), card)
    return folder / "run"


@pytest.mark.parametrize("file_format", ["pt", "safetensors"])
@pytest.mark.parametrize("model", [{}, {"pretrained": "imagenet", "input_size": 40}], ids=["plain", "imagenet"])
def test_an_exported_network_of_torchvisions_teaches_as_its_run(
    model: dict[str, object], file_format: Format, tmp_path: Path, tiny_trio: ExperimentSpec
) -> None:
    run, file = save_resnet(tmp_path, tiny_trio, **model), tmp_path / f"teacher_model.{file_format}"
    export_checkpoint(run, file, file_format)
    state = torch.load(file, weights_only=True) if file_format == "pt" else load_file(file)
    torchvision.models.resnet18(num_classes=10).load_state_dict(state)
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
    assert Published.of(file).classes == tuple("0123456789")
    pixels = torch.rand(4, 1, 16, 16)
    by_run, by_file = (load_teacher(path, tuple("0123456789"), DIGITS)(pixels) for path in (run, file))
    torch.testing.assert_close(by_file, by_run, atol=1e-4, rtol=1e-4)


def test_the_card_says_what_an_exported_network_of_torchvisions_reads(
    tmp_path: Path, tiny_trio: ExperimentSpec
) -> None:
    imagenet = "less the mean 0.485, 0.456, 0.406 and divided by the standard deviation 0.229, 0.224, 0.225"
    pretrained = save_resnet(tmp_path / "a", tiny_trio, pretrained="imagenet", input_size=224)
    text = model_card(read_card(pretrained), {}, load_checkpoint(pretrained))
    assert f"3 x 224 x 224 pixels in [0, 1], {imagenet}; a grey image is repeated" in text
    assert "ONNX export, which do the rest for themselves: 1 x 16 x 16 pixels in [0, 1], less the mean 0 and" in text
    plain = save_resnet(tmp_path / "b", tiny_trio)
    text = model_card(read_card(plain), {}, load_checkpoint(plain))
    assert "3 x 16 x 16 pixels in [0, 1], less the mean 0.3, 0.3, 0.3 and" in text


@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of itself
def test_onnx_export_gives_the_same_logits(checkpoint: Path, tmp_path: Path) -> None:
    import onnxruntime

    model, images = load_checkpoint(checkpoint), torch.randn(5, 1, 16, 16)
    export_checkpoint(checkpoint, tmp_path / "new" / "m.onnx", "onnx")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["m.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "new" / "m.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(logits), model(images), atol=1e-4, rtol=1e-4)


def test_a_card_that_describes_more_than_its_file_holds_is_refused_before_a_model_is_built(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a few kilobytes must not take the memory of billions of weights."""
    monkeypatch.setattr("deit_core.models.weights.build_model", None)  # which would be called
    file = checkpoint / "best.safetensors"
    card = read_card(file)
    state = load_file(file)
    wider = {"model.embed_dim": 1024, "model.depth": 12, "model.num_heads": 16}
    for changes, sentence in (
        (wider, r"is damaged .*\(its card describes \d+,\d+,\d+ weights, and it has \d+,\d+"),
        (wider | {"model.embed_dim": 2048, "model.depth": 48, "model.mlp_ratio": 8}, "needs about .* of memory, and"),
    ):
        lies = card.model_copy(update={"spec": replace(card.spec, changes)})
        save_file(state, file, {"deit_lab": lies.model_dump_json()})
        monkeypatch.setattr("deit_core.memory.check.available_memory", lambda: 10**10)
        with pytest.raises(DeitError, match=sentence):
            load_checkpoint(file)
        with pytest.raises(DeitError, match=sentence):
            load_teacher(file, card.classes, DIGITS)
