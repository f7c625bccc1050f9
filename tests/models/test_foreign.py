"""Checkpoints of timm, Facebook and Hugging Face give timm's logits; files that are not such are one sentence."""

import os
import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from deit_core import torchvision_ops  # noqa: F401  # before timm, which imports torchvision
from deit_core.errors import CheckpointError, DeitError
from deit_core.models import build_model, initialise, load_foreign, load_teacher, resample_pos_embed
from deit_core.spec import DataSpec, RunSpec, VisionTransformerSpec

from timm.layers import resample_abs_pos_embed  # isort: skip
from timm.models import deit as timm_deit  # isort: skip
from timm.models import vision_transformer as timm_vit  # isort: skip

WIDTHS = {"tiny": (192, 3), "small": (384, 6), "base": (768, 12)}


def their_model(width: str = "tiny", *, distilled: bool, **changes: object) -> nn.Module:
    """timm's, of a published width; shallow and with small pictures, so that a test takes moments."""
    torch.manual_seed(0)
    kind = timm_deit.VisionTransformerDistilled if distilled else timm_vit.VisionTransformer
    dim, heads = WIDTHS[width]
    size = {"img_size": 64, "patch_size": 16, "embed_dim": dim, "depth": 2, "num_heads": heads, "num_classes": 7}
    model = kind(**size | changes)
    for parameter in model.parameters():  # timm begins with zeros in places that would hide a mistake
        nn.init.normal_(parameter, std=0.1)
    return model.eval()


def hugging_face_names(state: dict[str, Tensor], *, with_teacher: bool) -> dict[str, Tensor]:
    """timm's tensors as `DeiTForImageClassificationWithTeacher` (or `ViTForImageClassification`) names them."""
    model = "deit" if with_teacher else "vit"
    names = {
        "cls_token": f"{model}.embeddings.cls_token",
        "dist_token": f"{model}.embeddings.distillation_token",
        "pos_embed": f"{model}.embeddings.position_embeddings",
        "patch_embed.proj": f"{model}.embeddings.patch_embeddings.projection",
        "norm": f"{model}.layernorm",
        "head": "cls_classifier" if with_teacher else "classifier",
        "head_dist": "distillation_classifier",
    }
    parts = {
        "norm1": "layernorm_before",
        "norm2": "layernorm_after",
        "attn.proj": "attention.output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    theirs = {}
    for name, tensor in state.items():
        stem, _, kind = name.rpartition(".") if name.endswith(("weight", "bias")) else (name, "", "")
        if block := re.match(r"blocks\.(\d+)\.(.*)", stem):
            layer = f"{model}.encoder.layer.{block[1]}."
            if block[2] == "attn.qkv":
                for part, rows in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                    theirs[f"{layer}attention.attention.{part}.{kind}"] = rows.clone()
                continue
            stem = layer + parts[block[2]]
        else:
            stem = names[stem]
        theirs[f"{stem}.{kind}".rstrip(".")] = tensor
    return theirs


def save_facebook(model: nn.Module, folder: Path) -> Path:
    torch.save({"model": model.state_dict(), "epoch": 300}, folder / "deit.pth")
    return folder / "deit.pth"


def save_plain(model: nn.Module, folder: Path) -> Path:
    torch.save({f"module.{name}": tensor for name, tensor in model.state_dict().items()}, folder / "vit.pt")
    return folder / "vit.pt"


def save_timm(model: nn.Module, folder: Path) -> Path:
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors"


def save_hugging_face(model: nn.Module, folder: Path) -> Path:
    names = hugging_face_names(model.state_dict(), with_teacher=hasattr(model, "head_dist"))
    pooler = {"vit.pooler.dense.weight": torch.full((2, 2), torch.nan)}  # of other tasks; it must not disturb
    save_file(names | pooler, folder / "model.safetensors")
    return folder / "model.safetensors"


@pytest.mark.parametrize("save", [save_facebook, save_plain, save_timm, save_hugging_face])
@pytest.mark.parametrize("distilled", [False, True], ids=["vit", "deit"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_file_of_others_gives_timms_logits(
    width: str, distilled: bool, save: Callable[[nn.Module, Path], Path], tmp_path: Path
) -> None:
    theirs = their_model(width, distilled=distilled)
    ours = load_foreign(save(theirs, tmp_path))
    assert (ours.distilled, ours.num_heads, ours.img_size, ours.training) == (distilled, WIDTHS[width][1], (64, 64), 0)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_goes_from_224_to_384_as_timm_does(width: str, tmp_path: Path) -> None:
    theirs = their_model(width, distilled=True, img_size=224, depth=1)
    ours = load_foreign(save_facebook(theirs, tmp_path), img_size=384)
    theirs.set_input_size((384, 384))
    torch.testing.assert_close(ours.pos_embed, theirs.pos_embed, atol=1e-6, rtol=1e-5)
    images = torch.randn(1, 3, 384, 384)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), atol=1e-4, rtol=1e-4)


def test_the_whole_deit_tiny_at_224_and_384_is_timms(tmp_path: Path) -> None:
    theirs = timm_deit.deit_tiny_distilled_patch16_224(num_classes=1000).eval()
    file = save_facebook(theirs, tmp_path)
    for size in (224, 384):
        images = torch.randn(1, 3, size, size)
        theirs.set_input_size((size, size))
        with torch.no_grad():
            torch.testing.assert_close(load_foreign(file, img_size=size)(images), theirs(images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("prefix", [1, 2])
@pytest.mark.parametrize(("old", "new"), [(14, 24), (24, 14), (7, 9), (7, 7)])
def test_positions_are_resampled_as_timm_does_it(old: int, new: int, prefix: int) -> None:
    positions = torch.randn(1, prefix + old * old, 8)
    ours = resample_pos_embed(positions, (new, new), (old, old), prefix)
    torch.testing.assert_close(ours, resample_abs_pos_embed(positions, [new, new], num_prefix_tokens=prefix))
    assert torch.equal(ours[:, :prefix], positions[:, :prefix])


def test_positions_of_a_grid_that_is_not_square() -> None:
    positions = torch.randn(1, 1 + 3 * 5, 4)
    theirs = resample_abs_pos_embed(positions, [6, 4], [3, 5], num_prefix_tokens=1)
    torch.testing.assert_close(resample_pos_embed(positions, (6, 4), (3, 5), 1), theirs)


def test_heads_are_swapped_on_request(tmp_path: Path) -> None:
    theirs = their_model(distilled=True)
    file = save_facebook(theirs, tmp_path)
    ours = load_foreign(file, num_classes=4)
    assert (ours.head.weight.shape, ours.head_dist.weight.shape) == ((4, 192), (4, 192))
    assert torch.equal(ours.get_parameter("blocks.1.mlp.fc2.weight"), theirs.blocks[1].mlp.fc2.weight)
    assert torch.equal(load_foreign(file, num_classes=7).head.weight, theirs.head.weight)  # as many: nothing to swap


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    theirs = their_model(distilled=True)
    ours = load_foreign(save_facebook(theirs.half(), tmp_path), img_size=96)
    assert {parameter.dtype for parameter in ours.parameters()} == {torch.float32}
    assert ours(torch.randn(1, 3, 96, 96)).isfinite().all()


def test_hugging_faces_deit_without_a_second_head_is_no_whole_deit(tmp_path: Path) -> None:
    """`DeiTForImageClassification`: a distillation token, and one `classifier`."""
    theirs = their_model(distilled=True)
    named = hugging_face_names(theirs.state_dict(), with_teacher=True)
    named = {name.replace("cls_classifier", "classifier"): tensor for name, tensor in named.items()}
    file = tmp_path / "model.safetensors"
    save_file({name: tensor for name, tensor in named.items() if not name.startswith("distillation_")}, file)
    for load in (load_foreign, as_teacher):
        with pytest.raises(CheckpointError, match=r"DeiTForImageClassification; use a \w+WithTeacher,") as caught:
            load(file)
        assert str(file) in str(caught.value)
    start_from(file)  # a plain ViT needs neither the token nor its head
    assert torch.equal(load_foreign(file, num_classes=4).dist_token, theirs.dist_token)  # both heads are new


def test_what_a_file_does_not_say_must_be_stated(tmp_path: Path) -> None:
    odd = save_timm(their_model(distilled=False, embed_dim=48, num_heads=4), tmp_path)
    with pytest.raises(CheckpointError, match="state num_heads"):
        load_foreign(odd)
    assert load_foreign(odd, num_heads=4).num_heads == 4
    with pytest.raises(CheckpointError, match="choose another number"):
        load_foreign(odd, num_heads=5)
    headless = save_timm(their_model(distilled=False, num_classes=0), tmp_path)
    with pytest.raises(CheckpointError, match="state num_classes"):
        load_foreign(headless)
    with pytest.raises(DeitError, match="a backbone without a head"):
        load_foreign(headless, num_classes=0)(torch.zeros(1, 3, 64, 64))
    assert load_foreign(headless, num_classes=3).num_classes == 3
    with pytest.raises(CheckpointError, match="do not divide"):
        load_foreign(headless, num_classes=3, img_size=65)


class _Payload:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.file),)


def as_teacher(file: Path) -> object:
    return load_teacher(file, tuple("0123456"), DataSpec(source="digits", img_size=16))


def start_from(file: Path) -> None:
    size = {"embed_dim": 192, "depth": 2, "num_heads": 3, "mlp_ratio": 4.0, "patch_size": 16}
    spec = RunSpec(
        data=DataSpec(source="digits", img_size=64),
        model=VisionTransformerSpec.model_validate(size),
        initial_checkpoint=str(file.absolute()),
    )
    initialise(build_model(spec, in_chans=3, num_classes=7), spec, tuple("0123456"), file.parent / "runs")


LOADERS = pytest.mark.parametrize("load", [load_foreign, as_teacher, start_from])


@LOADERS
def test_a_malicious_pickle_is_refused_and_does_nothing(load: Callable[[Path], object], tmp_path: Path) -> None:
    for zipped in (True, False):
        target, file = tmp_path / "harmed", tmp_path / "evil.pth"
        for content in ({"model": _Payload(target)}, {"model": {}, "args": Namespace(output=_Payload(target))}):
            torch.save(content, file, _use_new_zipfile_serialization=zipped)
            with pytest.raises(CheckpointError, match=r"would run code \((posix|nt)\.mkdir\)"):
                load(file)
            assert not target.exists()
    torch.load(file, weights_only=False)
    assert target.exists()  # the payload does work


def damaged_files(folder: Path) -> dict[str, tuple[Path, str]]:
    whole = their_model(distilled=False)
    state = whole.state_dict()
    files = {}

    def keep(name: str, content: object, words: str) -> None:
        file = folder / name
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            torch.save(content, file)
        files[name] = (file, words)

    torch.save(state, folder / "whole.pt")
    save_file(state, folder / "whole.safetensors")
    for suffix in ("pt", "safetensors"):
        content = (folder / f"whole.{suffix}").read_bytes()
        keep(f"half.{suffix}", content[: len(content) // 2], "damaged or not a file of weights")
        keep(f"text.{suffix}", b"only words, renamed\n", "damaged or not a file of weights")
        keep(f"empty.{suffix}", b"", "damaged or not a file of weights")
    keep("list.pt", [1, 2], "contains no tensors by name")
    keep("numbers.pt", {"model": {"cls_token": 3}}, "contains no tensors by name")
    keep("cnn.pt", nn.Conv2d(1, 2, 3).state_dict(), "contains no Vision Transformer")
    keep("odd.pt", state | {"pos_embed": torch.zeros(1, 16, 192)}, "a square of patches")
    keep("lacks.pt", {k: v for k, v in state.items() if k != "norm.bias"}, "has no norm.bias")
    keep("more.pt", state | {"blocks.0.attn.gate": torch.ones(192)}, r"has \(blocks\.0\.attn\.gate\)")
    keep(
        "one.pt",
        state | {"blocks.0.ls1.gamma": torch.ones(192)},
        "has no blocks.0.ls2.gamma|layer_scale on in place of",
    )
    keep("flat.pt", state | {"reg_token": torch.ones(192)}, "reg_token is missing or of another shape")
    keep("shape.pt", state | {"norm.bias": torch.ones(3)}, r"another shape of norm\.bias \(\(3,\) in place of \(192,\)")
    files["nowhere"] = (folder / "nowhere.pt", "There is no file")
    return files


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"img_size": (32, 64)}, "positions for 9 tokens, which are not one token and a square of patches"),
        ({"img_size": (32, 48), "reg_tokens": 4, "init_values": 1.0}, "positions for 11 tokens.* not 5 tokens and a"),
        ({"scale_mlp_norm": True}, r"has \(blocks\.0\.mlp\.norm\.bias"),
        ({"pre_norm": True}, r"has no patch_embed\.proj\.bias"),
        ({"qk_norm": True}, r"has \(blocks\.0\.attn\.k_norm"),
        ({"class_token": False, "global_pool": "avg"}, "cls_token and 1 more are missing|cls_token is missing"),
    ],
    ids=str,
)
def test_other_kinds_of_vit_are_refused(options: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=words):
        load_foreign(save_timm(their_model(distilled=False, **options), tmp_path))


@LOADERS
def test_files_that_are_none_are_one_sentence(load: Callable[[Path], object], tmp_path: Path) -> None:
    files = damaged_files(tmp_path)
    load(tmp_path / "whole.pt")
    for name, (file, words) in files.items():
        if load is not load_foreign:
            words = {"cnn.pt": "ViT", "nowhere": "There is no|neither a run in|is neither"}.get(name, words)
        with pytest.raises(CheckpointError, match=words) as caught:
            load(file)
        assert "\n" not in str(caught.value), name
        assert str(file) in str(caught.value)
