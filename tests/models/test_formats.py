"""Every kind of file and folder is told by its content: read exactly, or refused with the true reason."""

import json
import pickle
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from deit_core import torchvision_ops  # noqa: F401  # before timm, which imports torchvision
from deit_core.attention import Viewer
from deit_core.errors import CheckpointError
from deit_core.models import build_model, initialise, load_foreign, load_teacher
from deit_core.models.foreign.formats import FORMATS, recognise
from deit_core.models.foreign.state_dicts import PREFIXES, WRAPPERS, WRAPPING_KEYS, unwrapped
from deit_core.spec import DataSpec, RunSpec, TorchvisionSpec, VisionTransformerSpec
from deit_core.torchvision_ops import torchvision

import timm  # isort: skip

SEVEN = tuple("0123456")
DATA = DataSpec(source="digits", img_size=32)


def make(**changes: object) -> nn.Module:
    torch.manual_seed(0)
    options = {"depth": 2, "img_size": 32, "num_classes": 7}
    model: nn.Module = timm.create_model("vit_tiny_patch16_224", **options | changes)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model.eval()


@pytest.fixture(scope="module")
def vit() -> nn.Module:
    return make()


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    torch.manual_seed(0)
    network: nn.Module = torchvision.models.resnet18(num_classes=7).eval()
    return network


def assert_same(path: Path, vit: nn.Module) -> None:
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(load_foreign(path)(images), vit(images), atol=1e-5, rtol=1e-5)


def initial(path: Path, model: dict[str, object]) -> dict[str, Tensor]:
    """The weights of a run that starts from a path."""
    spec = RunSpec.model_validate({"data": DATA, "model": model, "initial_checkpoint": str(path.absolute())})
    built = build_model(spec, in_chans=3, num_classes=7)
    initialise(built, spec, SEVEN, path.parent / "runs")
    return built.state_dict()


TINY = {"family": "vit", "embed_dim": 192, "depth": 2, "num_heads": 3, "mlp_ratio": 4.0, "patch_size": 16}


def save(state: dict[str, Tensor], path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


WRAPPED = [
    *PREFIXES,
    *WRAPPERS,
    "_orig_mod.module.",
    "module._orig_mod.",
    "module.model.",
    "model._orig_mod.module.",
    "student.module.",
]


@pytest.mark.parametrize("prefix", WRAPPED)
def test_what_wrappers_put_before_names_is_taken_off(
    prefix: str, vit: nn.Module, resnet: nn.Module, tmp_path: Path
) -> None:
    for ending in ("pt", "safetensors"):
        file = save({prefix + name: tensor for name, tensor in vit.state_dict().items()}, tmp_path / f"vit.{ending}")
        assert_same(file, vit)
        assert torch.equal(initial(file, TINY)["blocks.1.mlp.fc2.weight"], vit.blocks[1].mlp.fc2.weight)
    cnn = save({prefix + name: tensor for name, tensor in resnet.state_dict().items()}, tmp_path / "cnn.safetensors")
    teacher = load_teacher(cnn, SEVEN, DATA)
    assert torch.equal(teacher.model.get_parameter("network.fc.weight"), resnet.fc.weight)
    assert torch.equal(initial(cnn, TorchvisionSpec().model_dump())["network.fc.weight"], resnet.fc.weight)


def test_a_part_that_was_compiled_alone_has_its_own_names(vit: nn.Module, tmp_path: Path) -> None:
    state = {name.replace("blocks.1.", "blocks.1._orig_mod."): tensor for name, tensor in vit.state_dict().items()}
    assert_same(save(state, tmp_path / "vit.pt"), vit)


def test_a_prefix_that_not_all_share_is_part_of_the_names() -> None:
    state = {"model.norm.weight": torch.ones(1), "head.weight": torch.ones(1)}
    assert unwrapped(state).keys() == state.keys()
    assert not unwrapped({})


@pytest.mark.parametrize("first", range(len(WRAPPING_KEYS)))
def test_the_first_of_several_keys_counts(first: int, vit: nn.Module, tmp_path: Path) -> None:
    assert WRAPPING_KEYS == ("state_dict", "model", "model_ema", "state_dict_ema")
    other = make(num_classes=3).state_dict()
    content = dict.fromkeys(reversed(WRAPPING_KEYS[first:]), other) | {WRAPPING_KEYS[first]: vit.state_dict()}
    torch.save(content | {"epoch": 3, "arch": "vit"}, tmp_path / "last.pth.tar")
    assert_same(tmp_path / "last.pth.tar", vit)


def sharded(state: dict[str, Tensor], folder: Path, ending: str = "safetensors") -> Path:
    """As `save_pretrained` writes a model in several files; the folder."""
    folder.mkdir(exist_ok=True)
    stem = "model" if ending == "safetensors" else "pytorch_model"
    names, placed = sorted(state), {}
    for number, part in enumerate((names[::2], names[1::2]), 1):
        file = f"{stem}-{number:05d}-of-00002.{ending}"
        save({name: state[name] for name in part}, folder / file)
        placed |= dict.fromkeys(part, file)
    (folder / f"{stem}.{ending}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))
    return folder


def hub_folder(state: dict[str, Tensor], folder: Path, name: str = "model.safetensors") -> Path:
    folder.mkdir(exist_ok=True)
    save(state, folder / name)
    return folder


def old(state: dict[str, Tensor], path: Path, protocol: int = 2) -> Path:
    torch.save(state, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    return path


def protocol(state: dict[str, Tensor], path: Path, number: int) -> Path:
    torch.save(state, path, pickle_protocol=number)
    return path


def moved(state: dict[str, Tensor], folder: Path, name: str, new: str) -> Path:
    return save(state, folder / name).rename(folder / new)


READ: dict[str, tuple[str, Callable[[dict[str, Tensor], Path], Path]]] = {
    "safetensors": ("safetensors", lambda state, here: save(state, here / "vit.safetensors")),
    "in capitals": (
        "safetensors",
        lambda state, here: save(state, here / "x.safetensors").rename(here / "V.SAFETENSORS"),
    ),
    "as .bin": ("safetensors", lambda state, here: moved(state, here, "x.safetensors", "pytorch.bin")),
    "torch": ("torch", lambda state, here: save(state, here / "vit.pt")),
    "torch in capitals": ("torch", lambda state, here: save(state, here / "VIT.PTH")),
    "torch as .safetensors": ("torch", lambda state, here: moved(state, here, "x.pt", "vit.safetensors")),
    "protocol 3": ("torch", lambda state, here: protocol(state, here / "vit.pt", 3)),
    "old torch": ("old torch", lambda state, here: old(state, here / "vit.pth")),
    "old torch, protocol 3": ("old torch", lambda state, here: old(state, here / "vit.pth", 3)),
    "index": ("index", lambda state, here: sharded(state, here / "hf") / "model.safetensors.index.json"),
    "index of .bin": ("index", lambda state, here: sharded(state, here / "hf", "bin") / "pytorch_model.bin.index.json"),
    "folder": ("folder", lambda state, here: hub_folder(state, here / "hf")),
    "folder with .bin": ("folder", lambda state, here: hub_folder(state, here / "hf", "pytorch_model.bin")),
    "folder in parts": ("folder", lambda state, here: sharded(state, here / "hf")),
    "folder with parts of .bin": ("folder", lambda state, here: sharded(state, here / "hf", "bin")),
}


@pytest.mark.parametrize("sample", READ)
def test_a_kind_that_is_read_gives_timms_logits(sample: str, vit: nn.Module, tmp_path: Path) -> None:
    kind, write = READ[sample]
    path = write(vit.state_dict(), tmp_path)
    assert recognise(path) == FORMATS[kind]
    assert_same(path, vit)
    teacher = load_teacher(path, SEVEN, DATA)
    assert torch.equal(teacher.model.get_parameter("norm.weight"), vit.norm.weight)
    assert torch.equal(initial(path, TINY)["norm.weight"], vit.norm.weight)
    assert Viewer.load(path).card.classes == SEVEN


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as content:
        for name in names:
            content.writestr(name, b"x" * 100)
    return path


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def scripted(path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript itself
        torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), path)
    return path


def pickled(path: Path, protocol: int) -> Path:
    path.write_bytes(pickle.dumps({"a": 1}, protocol=protocol))
    return path


def tarred(path: Path) -> Path:
    with tarfile.open(path, "w") as content:
        content.add(__file__, "x")
    return path


def numpy_file(path: Path) -> Path:
    (np.savez if path.suffix == ".npz" else np.save)(path, np.ones(2))
    return path


def beside(folder: Path, *names: str) -> Path:
    for name in names:
        written(folder / name, b"x")
    folder.mkdir(exist_ok=True)
    return folder


def cut(file: Path) -> bytes:
    return file.read_bytes()[:500]


PART = "model-00001-of-00002.safetensors"
TWO = {"a": torch.ones(1), "b": torch.zeros(1)}
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:1"
REFUSED: dict[str, tuple[str, Callable[[Path], Path], str]] = {
    "part": ("part", lambda d: sharded(TWO, d / "hf") / PART, "part 1 of 2 of a model; give the folder"),
    "protocol 4": ("other pickle", lambda d: protocol({"a": torch.ones(1)}, d / "a.pt", 4), "without pickle_protocol"),
    "protocol 5": ("other pickle", lambda d: protocol({"a": torch.ones(1)}, d / "a.pt", 5), "without pickle_protocol"),
    "protocol 0": ("other pickle", lambda d: protocol({"a": torch.ones(1)}, d / "a.pt", 0), "without pickle_protocol"),
    "old protocol 4": ("other pickle", lambda d: old({"a": torch.ones(1)}, d / "a.pt", 4), "without pickle_protocol"),
    "old protocol 0": ("other pickle", lambda d: old({"a": torch.ones(1)}, d / "a.pt", 0), "without pickle_protocol"),
    "a plain pickle": ("other pickle", lambda d: pickled(d / "a.pkl", 4), "without pickle_protocol"),
    "torchscript": ("torchscript", lambda d: scripted(d / "a.pt"), "a program in TorchScript"),
    "exported": ("exported", lambda d: zipped(d / "a.pt2", "a/archive_format", "a/models/model.json"), "torch.export"),
    "onnx": ("onnx", lambda d: written(d / "a.onnx", b"\x08\n\x12\x07pytorch\x1a\n2.13.0+"), "a graph in ONNX"),
    "npz": ("numpy", lambda d: numpy_file(d / "a.npz"), "load it with timm"),
    "npy": ("numpy", lambda d: numpy_file(d / "a.npy"), "load it with timm"),
    "keras": ("keras", lambda d: zipped(d / "a.keras", "config.json", "model.weights.h5"), "a model of Keras"),
    "h5": ("keras", lambda d: written(d / "a.h5", b"\x89HDF\r\n\x1a\n" + bytes(30)), "a model of Keras"),
    "saved model": ("keras", lambda d: beside(d / "m", "saved_model.pb"), "a model of Keras"),
    "flax": ("flax", lambda d: beside(d / "m", "flax_model.msgpack", "config.json"), "a model of Flax"),
    "gguf": ("gguf", lambda d: written(d / "a.gguf", b"GGUF" + bytes(30)), "made for another program"),
    "tflite": ("gguf", lambda d: written(d / "a.tflite", bytes(4) + b"TFL3" + bytes(30)), "made for another program"),
    "distributed": ("distributed", lambda d: beside(d / "m", ".metadata", "__0_0.distcp"), "dcp_to_torch_save"),
    "config": ("config", lambda d: written(d / "config.json", b'{"model_type": "vit"}'), "a config without weights"),
    "pointer": ("pointer", lambda d: written(d / "model.safetensors", POINTER), "git lfs pull"),
    "page": ("page", lambda d: written(d / "a.pth", b"\n<!DOCTYPE html><html>"), "a web page in place"),
    "gzip": ("archive", lambda d: written(d / "a.gz", b"\x1f\x8b" + bytes(30)), "an archive; unpack it"),
    "zip": ("archive", lambda d: zipped(d / "a.zip", "model.safetensors"), "an archive; unpack it"),
    "tar": ("archive", lambda d: tarred(d / "a.tar"), "an archive; unpack it"),
    "empty": ("empty", lambda d: written(d / "a.pt", b""), "it is empty"),
    "text": ("unknown", lambda d: written(d / "a.safetensors", b"only words"), "damaged or not a file of weights"),
    "cut zip": ("cut zip", lambda d: written(d / "a.pt", cut(save(TWO, d / "b.pt"))), "its end is missing"),
    "bare folder": ("bare folder", lambda d: beside(d / "m", "notes.txt"), "a folder without best.safetensors"),
    "new run": ("new run", lambda d: beside(d / "m", "spec.json"), "a run has one after its first epoch"),
}  # fmt: skip


@pytest.mark.parametrize("sample", REFUSED)
def test_a_kind_that_is_refused_says_why_and_what_to_do(sample: str, tmp_path: Path) -> None:
    kind, write, words = REFUSED[sample]
    path = write(tmp_path)
    assert recognise(path) == FORMATS[kind]
    loads: list[Callable[[Path], object]] = [
        load_foreign,
        Viewer.load,
        lambda path: load_teacher(path, SEVEN, DATA),
        lambda path: initial(path, TINY),
    ]
    for load in loads:
        with pytest.raises(CheckpointError, match=words) as caught:
            load(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_every_kind_of_the_table_has_a_sample() -> None:
    shown = {kind for kind, _ in READ.values()} | {kind for kind, _, _ in REFUSED.values()}
    assert shown | {"run"} == set(FORMATS)  # of a run's folder other tests have many
    assert {name for name, one in FORMATS.items() if not one.refusal} == {k for k, _ in READ.values()} | {"run"}


def test_an_index_without_all_its_files_says_which_is_missing(tmp_path: Path, vit: nn.Module) -> None:
    folder = sharded(vit.state_dict(), tmp_path / "hf")
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(
        CheckpointError, match=r"names 2 files, and 1 of them are not in its folder.*model-00002-of-00002"
    ):
        load_foreign(folder)
    written(folder / "model-00002-of-00002.safetensors", b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(CheckpointError, match="git lfs pull"):
        load_foreign(folder)
    save({"a": torch.ones(1)}, folder / "model-00002-of-00002.safetensors")
    with pytest.raises(CheckpointError, match="but its files do not contain it"):
        load_foreign(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../model.safetensors"}}))
    with pytest.raises(CheckpointError, match="names files in other folders"):
        load_foreign(folder)


def test_the_only_part_of_a_model_is_the_model(tmp_path: Path, vit: nn.Module) -> None:
    assert_same(save(vit.state_dict(), tmp_path / "model-00001-of-00001.safetensors"), vit)


def test_the_tensors_of_a_cut_file_are_not_read(tmp_path: Path, vit: nn.Module) -> None:
    whole = save(vit.state_dict(), tmp_path / "vit.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match="is damaged or not a file of weights"):
        load_foreign(written(tmp_path / "half.safetensors", whole[: len(whole) // 2]))


def test_the_vit_that_the_tests_start_from_is_one_of_a_spec() -> None:
    assert VisionTransformerSpec.model_validate(TINY).embed_dim == 192
