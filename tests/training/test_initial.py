"""A run that starts from a checkpoint: ours or others', at another resolution, with other classes, with a teacher."""

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from deit_core.errors import CheckpointError
from deit_core.events import EpochDone, Event, RunFinished, StepDone
from deit_core.models import ModelCard, build_model, initialise, load_foreign, resample_pos_embed, save_weights
from deit_core.results.export import Format, export_checkpoint
from deit_core.runs import open_store
from deit_core.runs.launcher import enqueue
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, RunSpec, replace
from deit_core.training import train

DIGITS = tuple("0123456789")


def change(spec: RunSpec, **changes: object) -> RunSpec:
    return replace(spec, {path.replace("__", "."): value for path, value in changes.items()})


def initialised(spec: RunSpec, folder: Path, classes: tuple[str, ...] = DIGITS) -> tuple[dict, dict]:
    """A model's weights as it was built, and after it was given those that its spec starts from."""
    torch.manual_seed(1)
    model = build_model(spec, num_classes=len(classes))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    initialise(model, spec, classes, folder)
    return before, model.state_dict()


@pytest.fixture
def pretrained(tiny: RunSpec, finished: Path) -> RunSpec:
    """A spec whose run, "first" in the folder, has finished."""
    finished.rename(finished.with_name("first"))
    return tiny


def test_a_run_starts_where_another_ended_at_a_larger_size_with_a_teacher(pretrained: RunSpec, tmp_path: Path) -> None:
    """The original repository refuses to distil while it fine-tunes."""
    size = pretrained.data.img_size
    spec = change(pretrained, initial_checkpoint="first", data__img_size=size * 2, model__drop_rate=0)
    spec = RunSpec.model_validate(
        spec.model_dump()
        | {"model": spec.model.model_dump() | {"distilled": True}, "distillation": {"teacher": "first"}}
    )
    before, after = initialised(spec, tmp_path)
    first = load_file(tmp_path / "first" / "best.safetensors")
    grid = size // pretrained.model.patch_size
    resampled = resample_pos_embed(first["pos_embed"], (2 * grid, 2 * grid), (grid, grid), 1)
    torch.testing.assert_close(after["pos_embed"][:, [0, *range(2, 2 + 4 * grid**2)]], resampled)
    for name in ("dist_token", "head_dist.weight"):  # nothing to start from: as they were initialised
        assert torch.equal(after[name], before[name])
    assert torch.equal(after["pos_embed"][:, 1], before["pos_embed"][:, 1])
    assert torch.equal(after["head.weight"], first["head.weight"])
    assert isinstance(list(train(spec, run_dir=tmp_path / "second"))[-1], RunFinished)


def test_it_learns_on_from_there(pretrained: RunSpec, whole: tuple[list[Event], Path], tmp_path: Path) -> None:
    def first_accuracy(events: Iterable[Event]) -> float:
        return next(event.metrics["val_accuracy"] for event in events if isinstance(event, EpochDone))

    again = change(pretrained, initial_checkpoint="first", optim__lr=1e-4)
    assert first_accuracy(train(again, run_dir=tmp_path / "again")) > first_accuracy(whole[0]) + 0.05


def test_a_resume_needs_no_initial_checkpoint_and_is_bitwise(pretrained: RunSpec, tmp_path: Path) -> None:
    spec = change(pretrained, initial_checkpoint="first")
    list(train(spec, run_dir=tmp_path / "whole"))
    events = train(spec, run_dir=tmp_path / "cut", group_s=0)
    for event in events:
        if isinstance(event, StepDone) and event.step == 5:
            break
    events.close()
    (tmp_path / "first").rename(tmp_path / "gone")
    list(train(spec, run_dir=tmp_path / "cut", resume=True))
    whole, cut = (load_file(tmp_path / name / "last.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_heads_are_kept_for_the_same_classes_alone(pretrained: RunSpec, tmp_path: Path) -> None:
    spec = change(pretrained, initial_checkpoint="first")
    first = load_file(tmp_path / "first" / "best.safetensors")
    _, after = initialised(spec, tmp_path)
    assert torch.equal(after["head.weight"], first["head.weight"])
    for classes in (tuple("abcdefghij"), tuple("abc")):
        before, after = initialised(spec, tmp_path, classes)
        assert torch.equal(after["head.weight"], before["head.weight"])
        assert torch.equal(after["blocks.0.mlp.fc1.weight"], first["blocks.0.mlp.fc1.weight"])


def test_a_plain_vit_starts_from_a_deit_of_others_with_three_channels(tiny: RunSpec, tmp_path: Path) -> None:
    deit = change(tiny, model__distilled=False)
    spec = RunSpec.model_validate(
        deit.model_dump() | {"model": deit.model.model_dump() | {"distilled": True}, "distillation": {"teacher": "x"}}
    )
    torch.manual_seed(0)
    theirs = build_model(spec, in_chans=3, num_classes=1000).state_dict()
    torch.save({"model": theirs}, tmp_path / "deit.pth")
    _, after = initialised(change(tiny, initial_checkpoint=str(tmp_path / "deit.pth")), tmp_path)
    assert "dist_token" not in after
    assert torch.equal(after["pos_embed"][:, 1:], theirs["pos_embed"][:, 2:])
    torch.testing.assert_close(after["patch_embed.proj.weight"], theirs["patch_embed.proj.weight"].sum(1, keepdim=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"initial_checkpoint": "nowhere"}, "neither a run in .* nor a file"),
        ({"initial_checkpoint": "long" * 75}, "neither a run in .* nor a file"),
        ({"model__depth": 3}, "depth 2 in place of 3"),
        ({"model__num_heads": 4}, "set model.num_heads to 2"),
        ({"data__split_seed": 9}, "split digits differently"),
    ],
)
def test_what_cannot_be_started_from_is_one_sentence(
    changes: dict[str, object], words: str, pretrained: RunSpec, tmp_path: Path
) -> None:
    spec = change(pretrained, **{"initial_checkpoint": "first"} | changes)
    with pytest.raises(CheckpointError, match=words) as caught:
        initialised(spec, tmp_path)
    assert "\n" not in str(caught.value)


def test_heads_are_checked_where_a_hubs_config_says_them(pretrained: RunSpec, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file(load_file(tmp_path / "first" / "best.safetensors"), file)  # as of others: without its card
    initialised(change(pretrained, initial_checkpoint=str(file), model__num_heads=4), tmp_path)
    (tmp_path / "config.json").write_text('{"model_args": {"num_heads": 2}}')
    initialised(change(pretrained, initial_checkpoint=str(file)), tmp_path)
    with pytest.raises(CheckpointError, match=r"states 2 attention heads .* set model\.num_heads to 2"):
        initialised(change(pretrained, initial_checkpoint=str(file), model__num_heads=4), tmp_path)


def test_heads_that_nothing_says_are_those_of_the_spec(tiny: RunSpec, tmp_path: Path) -> None:
    spec = change(tiny, model__embed_dim=192, model__num_heads=3, initial_checkpoint=str(tmp_path / "deit.pth"))
    torch.save({"model": build_model(spec).state_dict()}, tmp_path / "deit.pth")
    for num_heads, notes in ((3, 0), (8, 1)):  # at a width that is published with three
        model = build_model(change(spec, model__num_heads=num_heads))
        sentences = initialise(model, change(spec, model__num_heads=num_heads), DIGITS, tmp_path)
        assert len(sentences) == notes
        assert all("uses 8, as in model.num_heads; 3 are usual" in note for note in sentences)


@pytest.mark.parametrize("file_format", ["pt", "safetensors"])
def test_an_export_says_its_own_heads(file_format: Format, tiny: RunSpec, tmp_path: Path) -> None:
    spec = change(tiny, model__embed_dim=192, model__num_heads=8)
    card = ModelCard(spec=spec, classes=DIGITS, in_chans=1, mean=(0.3,), std=(0.2,), data_hash="x", epoch=1, step=9)
    save_weights(tmp_path / "run" / "best.safetensors", build_model(spec), card)
    file = tmp_path / f"ViT_model.{file_format}"
    export_checkpoint(tmp_path / "run", file, file_format)
    start = change(spec, initial_checkpoint=str(file))
    initialised(start, tmp_path)
    assert load_foreign(file).num_heads == 8
    with pytest.raises(CheckpointError, match=r"its config states 8 attention heads .* set model\.num_heads to 8"):
        initialised(change(start, model__num_heads=3), tmp_path)


def test_a_cnn_starts_from_a_cnn(tiny_trio: ExperimentSpec, pretrained: RunSpec, tmp_path: Path) -> None:
    teacher = tiny_trio.runs[0]
    with pytest.raises(CheckpointError, match="a vit and not a resnet9"):
        initialised(change(teacher, initial_checkpoint="first"), tmp_path)
    torch.manual_seed(0)
    theirs = build_model(teacher, num_classes=4).state_dict()
    torch.save(theirs, tmp_path / "cnn.pt")
    before, after = initialised(change(teacher, initial_checkpoint=str(tmp_path / "cnn.pt")), tmp_path)
    assert torch.equal(after["stem.0.weight"], theirs["stem.0.weight"])
    assert torch.equal(after["head.weight"], before["head.weight"])


def test_a_sibling_waits_for_the_run_it_starts_from(tiny: RunSpec, settings: Settings) -> None:
    second = change(tiny, name="fine-tuned", initial_checkpoint=tiny.name)
    store = open_store(settings.store_url)
    first_id, second_id = enqueue(store, ExperimentSpec(name="two", runs=(tiny, second)))
    assert store.run(second_id).needs == (first_id,)
    assert store.run(second_id).spec.initial_checkpoint == first_id


@pytest.mark.usefixtures("teacher")
def test_a_plain_student_is_taught_through_its_one_output(tiny_trio: ExperimentSpec, tmp_path: Path) -> None:
    vit = replace(tiny_trio.runs[1], {"optim.epochs": 1})
    for kind in ("hard", "soft"):
        spec = RunSpec.model_validate(vit.model_dump() | {"distillation": {"teacher": "teacher", "kind": kind}})
        events = list(train(spec, run_dir=tmp_path / kind))
        measured = next(event.metrics for event in events if isinstance(event, EpochDone))
        assert {"train_loss_class", "train_loss_distillation", "train_agreement"} <= measured.keys()
        assert "train_accuracy_distillation" not in measured
        assert measured["train_loss"] == pytest.approx(
            0.5 * measured["train_loss_class"] + 0.5 * measured["train_loss_distillation"], rel=1e-4
        )
