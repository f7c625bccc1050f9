"""Which teacher a run learns from: the same from its start to its end, of the same classes, with the heads it has."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from deit_core.errors import CheckpointError, RunError
from deit_core.events import RunFinished, RunStarted, StepDone
from deit_core.models import load_checkpoint, load_teacher, read_card
from deit_core.spec import DataSpec, RunSpec, replace
from deit_core.training import train

DIGITS = tuple("0123456789")


def taught(tiny: RunSpec, teacher: Path, **changes: object) -> RunSpec:
    spec = RunSpec.model_validate(tiny.model_dump() | {"name": "taught", "distillation": {"teacher": str(teacher)}})
    return replace(spec, {f"distillation.{name}": value for name, value in changes.items()})


def as_foreign(run: Path, folder: Path, order: list[int] | None = None, **pretrained: object) -> Path:
    """The weights of a run as a hub's folder has them, its classes in another order where one is given."""
    state, card = load_file(run / "best.safetensors"), read_card(run)
    folder.mkdir()
    for name in ("head.weight", "head.bias"):
        state[name] = state[name][order or list(range(10))]
    save_file(state, folder / "model.safetensors")
    model = card.spec.model
    assert model.family == "vit"
    config = {
        "model_args": {"num_heads": model.num_heads},
        "pretrained_cfg": {"mean": list(card.mean), "std": list(card.std), **pretrained},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "model.safetensors"


SHUFFLED = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]


def test_classes_in_another_order_are_put_into_the_students(finished: Path, tiny: RunSpec, tmp_path: Path) -> None:
    names = [DIGITS[index] for index in SHUFFLED]
    file = as_foreign(finished, tmp_path / "d", SHUFFLED, label_names=names)
    pixels = torch.rand(4, 1, tiny.data.img_size, tiny.data.img_size)
    own, theirs = load_teacher(finished, DIGITS, tiny.data), load_teacher(file, DIGITS, tiny.data)
    torch.testing.assert_close(theirs(pixels), own(pixels))
    assert theirs.knows_classes


def test_a_run_of_the_same_classes_in_another_order_teaches_too(finished: Path, tiny: RunSpec) -> None:
    other = tuple(DIGITS[index] for index in SHUFFLED)
    pixels = torch.rand(4, 1, tiny.data.img_size, tiny.data.img_size)
    own, reordered = load_teacher(finished, DIGITS, tiny.data), load_teacher(finished, other, DataSpec(source="mnist"))
    assert torch.equal(reordered(pixels), own(pixels)[:, SHUFFLED])


def of_one_epoch(spec: RunSpec) -> RunSpec:
    return replace(spec, {"optim.epochs": 1, "optim.warmup_epochs": 0})


@pytest.mark.parametrize("names", [{}, {"label_names": [f"LABEL_{index}" for index in range(10)]}])
def test_a_teacher_without_names_is_tried_on_training_images(
    names: dict[str, object], finished: Path, tiny: RunSpec, tmp_path: Path
) -> None:
    spec = of_one_epoch(taught(tiny, as_foreign(finished, tmp_path / "d", **names)))
    events = list(train(spec, run_dir=tmp_path / "r"))
    started = events[0]
    assert isinstance(started, RunStarted)
    (note,) = started.notes
    assert "does not name its classes; it gets" in note
    assert "of 256 training images right" in note
    assert isinstance(events[-1], RunFinished)


def test_a_teacher_in_another_order_without_names_is_refused(finished: Path, tiny: RunSpec, tmp_path: Path) -> None:
    turned = [(index + 1) % 10 for index in range(10)]
    spec = taught(tiny, as_foreign(finished, tmp_path / "d", turned))
    with pytest.raises(CheckpointError, match=r"no better than chance.*accept_any_teacher to true") as caught:
        list(train(spec, run_dir=tmp_path / "r"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "r" / "state.pt").exists()
    accepting = of_one_epoch(replace(spec, {"distillation.accept_any_teacher": True}))
    events = list(train(accepting, run_dir=tmp_path / "s"))
    assert "is no better than chance" in events[0].notes[0]  # type: ignore[union-attr]
    assert isinstance(events[-1], RunFinished)


def test_one_that_always_says_the_same_is_no_better_than_chance(finished: Path, tiny: RunSpec, tmp_path: Path) -> None:
    """Also where most images are of that class."""
    file = as_foreign(finished, tmp_path / "d")
    state = load_file(file)
    state["head.weight"].zero_()
    state["head.bias"] = nn.functional.one_hot(torch.tensor(3), 10).float()
    save_file(state, file)
    with pytest.raises(CheckpointError, match="no better than chance"):
        list(train(taught(tiny, file), run_dir=tmp_path / "r"))


def test_a_teacher_that_changes_under_a_run_ends_it(finished: Path, tiny: RunSpec, tmp_path: Path) -> None:
    file = as_foreign(finished, tmp_path / "d", label_names=list(DIGITS))
    spec = taught(tiny, file)
    _stop_after_an_epoch(spec, tmp_path / "r")
    sound = file.read_bytes()
    state = load_file(file)
    state["norm.bias"] = state["norm.bias"] + 1
    save_file(state, file)
    with pytest.raises(RunError, match=f"The teacher {file} has changed since this run started"):
        list(train(spec, run_dir=tmp_path / "r", resume=True))
    file.write_bytes(sound)
    config = tmp_path / "d" / "config.json"
    read = config.read_text()
    document = json.loads(read)
    document["pretrained_cfg"]["mean"] = [0.9]  # it would read pixels in another way
    config.write_text(json.dumps(document))
    with pytest.raises(RunError, match="has changed since this run started"):
        list(train(spec, run_dir=tmp_path / "r", resume=True))
    config.write_text(read)
    assert isinstance(list(train(spec, run_dir=tmp_path / "r", resume=True))[-1], RunFinished)


def test_the_start_plays_no_part_once_a_run_has_begun(finished: Path, tiny: RunSpec, tmp_path: Path) -> None:
    file = as_foreign(finished, tmp_path / "d")
    spec = replace(tiny, {"initial_checkpoint": str(file)})
    _stop_after_an_epoch(spec, tmp_path / "r")
    first = read_card(tmp_path / "r").initial_hash
    file.write_bytes(b"something else")
    assert isinstance(list(train(spec, run_dir=tmp_path / "r", resume=True))[-1], RunFinished)
    assert first == read_card(tmp_path / "r").initial_hash != ""


def test_both_hashes_stand_in_the_card(finished: Path, tiny: RunSpec, tmp_path: Path) -> None:
    file = as_foreign(finished, tmp_path / "d", label_names=list(DIGITS))
    for name in ("one", "two"):
        list(train(of_one_epoch(taught(tiny, file)), run_dir=tmp_path / name))
    one, two = (read_card(tmp_path / name).teacher_hash for name in ("one", "two"))
    assert one == two != ""
    assert read_card(finished).teacher_hash == ""


def test_a_state_from_before_these_hashes_goes_on(finished: Path, tiny: RunSpec, tmp_path: Path) -> None:
    spec = taught(tiny, as_foreign(finished, tmp_path / "d", label_names=list(DIGITS)))
    _stop_after_an_epoch(spec, tmp_path / "r")
    state = torch.load(tmp_path / "r" / "state.pt", weights_only=True)
    del state["progress"]["teacher_hash"], state["progress"]["initial_hash"]
    torch.save(state, tmp_path / "r" / "state.pt")
    assert isinstance(list(train(spec, run_dir=tmp_path / "r", resume=True))[-1], RunFinished)


def test_heads_that_are_stated_are_believed(tiny: RunSpec, tmp_path: Path) -> None:
    """12 heads at a width that is published with 6, as MoCo-v3 has them."""
    size = {"model.embed_dim": 384, "model.num_heads": 12, "model.depth": 1, "data.fraction": 0.2}
    wide = of_one_epoch(replace(tiny, size))
    list(train(wide, run_dir=tmp_path / "wide"))
    file = as_foreign(tmp_path / "wide", tmp_path / "d", label_names=list(DIGITS))
    (tmp_path / "d" / "config.json").write_text(
        json.dumps({"pretrained_cfg": json.loads((tmp_path / "d" / "config.json").read_text())["pretrained_cfg"]})
    )
    pixels = torch.rand(4, 1, tiny.data.img_size, tiny.data.img_size)
    expected = load_teacher(tmp_path / "wide", DIGITS, wide.data)(pixels)
    torch.testing.assert_close(load_teacher(file, DIGITS, tiny.data, num_heads=12)(pixels), expected)
    started = next(
        train(taught(tiny, file, teacher_num_heads=12, accept_any_teacher=True), run_dir=tmp_path / "stated")
    )
    assert isinstance(started, RunStarted)
    assert not started.notes
    started = next(train(taught(tiny, file, accept_any_teacher=True), run_dir=tmp_path / "guessed"))
    assert isinstance(started, RunStarted)
    (note,) = started.notes
    assert "does not say how many attention heads its blocks have; 6, usual for its width of 384, were assumed" in note
    start = replace(wide, {"initial_checkpoint": str(file)})
    started = next(train(start, run_dir=tmp_path / "start"))
    assert isinstance(started, RunStarted)
    (note,) = started.notes
    assert "This run uses 12, as in model.num_heads; 6 are usual for its width of 384" in note


def _stop_after_an_epoch(spec: RunSpec, folder: Path) -> None:
    events = train(spec, run_dir=folder, group_s=0)
    next(event for event in events if isinstance(event, StepDone) and event.epoch == 2)
    events.close()
    load_checkpoint(folder)
