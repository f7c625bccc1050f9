"""Specs: they survive JSON, old ones too, refuse what cannot be trained in one sentence, and vary by `replace`."""

import json

import pytest
from pydantic import ValidationError

from deit_core import presets
from deit_core.errors import SpecError
from deit_core.spec import AugmentSpec, changes_between, load_spec, replace


@pytest.mark.parametrize("name", presets.names())
def test_presets_survive_json(name: str) -> None:
    spec = presets.get(name)
    assert load_spec(spec.model_dump_json()) == spec


def test_specs_are_frozen_and_strict() -> None:
    with pytest.raises(ValidationError):
        presets.smoke().seed = 1  # type: ignore[misc]
    with pytest.raises(SpecError, match="There is no field colour"):
        load_spec(json.dumps({"name": "x", "colour": "red"}))
    with pytest.raises(SpecError, match="not JSON"):
        load_spec("{")


@pytest.mark.parametrize(("old", "new"), [("beside", "separate"), ("instead", "replace")])
def test_old_names_of_the_moving_average_are_read(old: str, new: str) -> None:
    spec = presets.smoke()
    document = spec.model_dump(mode="json")
    document["optim"]["ema"] = old
    assert load_spec(json.dumps(document)) == replace(spec, {"optim.ema": old}) == replace(spec, {"optim.ema": new})


def test_an_unknown_kind_of_moving_average_is_refused() -> None:
    with pytest.raises(SpecError, match=r"optim\.ema should be 'off', 'separate' or 'replace', not 'aside'"):
        replace(presets.smoke(), {"optim.ema": "aside"})


def test_an_old_spec_starts_from_scratch() -> None:
    document = json.loads(presets.smoke().model_dump_json())
    del document["initial_checkpoint"]
    assert load_spec(json.dumps(document)) == presets.smoke()


def test_a_spec_from_before_logits_were_stored_stores_them() -> None:
    document = json.loads(presets.digits_quick().model_dump_json())
    del document["runs"][2]["distillation"]["stored_logits"]
    assert load_spec(json.dumps(document)) == presets.digits_quick()


def test_a_plain_vit_may_learn_from_a_teacher() -> None:
    spec = replace(presets.smoke(), {"distillation": {"teacher": "x", "kind": "soft"}})
    assert not spec.model.distilled
    assert load_spec(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optim.lr": 50}, "optim.lr should be less than or equal to 10, not 50"),
        ({"model.patch_size": 5}, "Patches of 5 px do not divide images of 16 px"),
        ({"model.embed_dim": 30, "model.num_heads": 4}, "cannot be shared by 4 heads"),
        ({"augment.horizontal_flip": True}, "no longer shows its class"),
        ({"optim.warmup_epochs": 2}, "never ends"),
        ({"optim.min_lr": 0.5}, "is larger than lr"),
        ({"model.distilled": True}, "second head untrained"),
        ({"optim.momentum": 1}, "There is no field optim.momentum"),
        ({"data.source": "cifar"}, "data.source should be 'fashion-mnist', 'digits', 'scattered-digits', 'mnist'"),
        ({"augment.crop_padding": 20}, "out of sight"),
        ({"optim.lr": float("nan")}, "optim.lr"),
        ({"model.distilled": True, "distillation": {"alpha": 0}}, "the distillation head learns nothing"),
        ({"model": {"family": "resnet9"}, "optim.batch_size": 1}, "Batch norm cannot learn from one image"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(changes: dict[str, object], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        replace(presets.smoke(), changes)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_runs_that_share_a_mistake_share_its_sentence() -> None:
    with pytest.raises(SpecError) as caught:
        replace(presets.digits_quick(), {"optim.epochs": 0, "vit.optim.lr": 50})
    assert str(caught.value) == (
        "teacher, vit, deit: optim.epochs should be greater than or equal to 1, not 0. "
        "vit.optim.lr should be less than or equal to 10, not 50."
    )
    with pytest.raises(SpecError, match=r"^vit, deit: Patches of 5 px do not divide images of 16 px; .*\.$"):
        replace(presets.digits_quick(), {"model.patch_size": 5})


@pytest.mark.parametrize(
    ("padding", "flip", "count"), [(0, False, 1), (0, True, 2), (1, False, 9), (2, True, 50), (4, True, 162)]
)
def test_views_are_counted(padding: int, flip: bool, count: int) -> None:
    assert AugmentSpec(crop_padding=padding, horizontal_flip=flip).num_views == count


def test_replace_reaches_every_run_or_the_named_one() -> None:
    spec = replace(presets.digits_quick(), {"seed": 7, "vit.optim.epochs": 30, "model.width": 8})
    assert [run.seed for run in spec.runs] == [7, 7, 7]
    assert [run.optim.epochs for run in spec.runs][1] == 30 != spec.runs[2].optim.epochs
    assert spec.runs[0].model.width == 8  # type: ignore[union-attr]
    assert spec.expectation is None


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seeds": 3, "optim.lr": 0.004, "vit.optim.epochs": 30, "tags": ["search"], "name": "mine"},
        {"model.width": 8, "deit.distillation.kind": "hard", "data.fraction": 0.1, "description": ""},
        {"deit.distillation": None, "deit.model.distilled": False},
        {"teacher.model": {"family": "torchvision", "name": "resnet18"}},
        {"vit.model.depth": 2, "deit.model.depth": 4},
    ],
)
def test_the_changes_between_two_specs_are_those_that_make_one_of_the_other(changes: dict[str, object]) -> None:
    base = presets.digits_quick()
    spec = replace(base, changes)
    found = changes_between(base, spec)
    assert found is not None
    assert len(found) == len(changes)
    assert replace(base, {"seeds": base.seeds} | found) == replace(spec, {"seeds": spec.seeds})  # type: ignore[union-attr]


def test_the_changes_of_a_single_run() -> None:
    base = presets.smoke()
    assert changes_between(base, replace(base, {"seed": 7})) == {"seed": 7}
    assert changes_between(base, replace(base, {"name": "other"})) is None
    assert changes_between(base, presets.digits_quick()) is None
