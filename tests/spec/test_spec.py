"""Specs: they survive JSON, refuse what cannot be trained in one sentence, and vary by `replace`."""

import json

import pytest
from pydantic import ValidationError

from deit_core import presets
from deit_core.errors import SpecError
from deit_core.settings import Settings
from deit_core.spec import (
    AugmentSpec,
    ExperimentSpec,
    RunSpec,
    changes_between,
    listed_name,
    load_spec,
    replace,
    trainings,
)


@pytest.mark.parametrize("name", presets.names())
def test_presets_survive_json(name: str) -> None:
    spec = presets.get(name)
    assert load_spec(spec.model_dump_json()) == spec


@pytest.mark.parametrize(("old", "new"), [("beside", "separate"), ("instead", "replace")])
def test_old_names_of_the_moving_average_are_read(old: str, new: str) -> None:
    spec = presets.smoke()
    document = spec.model_dump(mode="json")
    document["optim"]["ema"] = old
    assert load_spec(json.dumps(document)) == replace(spec, {"optim.ema": old}) == replace(spec, {"optim.ema": new})


def test_an_unknown_kind_of_moving_average_is_refused() -> None:
    with pytest.raises(SpecError, match=r"optim\.ema should be 'off', 'separate' or 'replace', not 'aside'"):
        replace(presets.smoke(), {"optim.ema": "aside"})


def test_the_presets_that_were_promised() -> None:
    sized = {f"{start}deit-{size}" for size in ("tiny", "small", "base") for start in ("", "imagenet-")}
    assert set(presets.names()) >= sized | {
        *("smoke", "digits-quick", "fashion-classroom", "fashion-miniproject", "fashion-full"),
        *("fashion-epochs", "fashion-fractions", "cifar10-quick", "cifar10-full"),
        *("mnist-soft-resnet50", "tutorial-deit-base", "deit-tiny-384", "deit-small-384", "deit-base-384"),
    }


WITHOUT_TEACHER = ("lesson-positions", "lesson-skips", "smoke")


@pytest.mark.parametrize("name", [name for name in presets.names() if name not in WITHOUT_TEACHER])
def test_students_differ_in_distillation_alone(name: str) -> None:
    """Or, where they go on from students of the same experiment, in which of them that is."""
    spec = presets.get(name)
    by_name = {run.name: run for run in spec.runs}
    deits = [run for run in spec.runs if run.distillation]
    assert deits
    assert spec.name == name
    for deit in deits:
        vit = by_name.get(deit.name.replace("deit", "vit"), by_name.get("vit"))  # which several may stand beside
        assert vit is not None
        same: dict[str, object] = {"name": "x", "distillation": None, "initial_checkpoint": ""}
        if (share := vit.data.labelled_fraction) < 1:  # the ViT makes as many steps
            assert vit.optim.epochs * share == deit.optim.epochs
            assert vit.optim.warmup_epochs * share == deit.optim.warmup_epochs
            same["optim"] = deit.optim
        plain = deit.model.with_changes(distilled=False)
        assert deit.with_changes(**same, model=plain) == vit.with_changes(**same)
        assert vit.initial_checkpoint == deit.initial_checkpoint.replace("deit", "vit", deit.name.endswith("-384"))
        assert spec.teacher_of(deit) is not None


def test_the_mnist_notebook_has_its_numbers() -> None:
    teacher, vit, deit = presets.get("mnist-soft-resnet50").runs
    model = deit.model
    assert (model.patch_size, model.embed_dim, model.num_heads, model.depth, deit.data.img_size) == (7, 32, 4, 4, 28)
    assert (teacher.optim.epochs, deit.optim.epochs, deit.optim.batch_size, deit.optim.lr) == (3, 5, 64, 1e-3)
    assert (deit.distillation.kind, deit.distillation.tau, deit.distillation.alpha) == ("soft", 2, 0.5)
    assert (teacher.model.name, teacher.model.freeze_backbone) == ("resnet50", True)
    assert vit.distillation is None


def test_imagenet_has_the_numbers_of_table_9() -> None:
    teacher, _, deit = presets.get("imagenet-deit-base").runs
    optim, augment = deit.optim, deit.augment
    assert (optim.epochs, optim.batch_size, optim.peak_lr, optim.warmup_epochs) == (300, 1024, 1e-3, 5)
    assert (optim.weight_decay, optim.label_smoothing, optim.clip_grad, optim.ema_decay) == (0.05, 0.1, None, 0.99996)
    assert (deit.model.drop_rate, deit.model.drop_path_rate, deit.model.num_heads) == (0, 0.1, 12)
    assert (augment.resized_crop, augment.randaugment_ops, augment.random_erasing) == (0.08, 2, 0.25)
    assert augment.repeated_aug == 3
    assert (augment.mixup_alpha, augment.cutmix_alpha, augment.mixup_switch_prob, augment.mixup_prob) == (
        0.8,
        1,
        0.5,
        1,
    )
    assert teacher.model.name == "regnet_y_16gf"


@pytest.mark.parametrize("name", [name for name in presets.names() if "deit-" in name])
def test_what_is_taken_from_table_9_is_said(name: str) -> None:
    spec = presets.get(name)
    assert ("without repeated augmentation" in spec.description) == (spec.runs[-1].augment.repeated_aug == 1)
    if name.startswith("deit-"):
        assert {run.data.normalization for run in spec.runs} == {"imagenet"}  # as the weights that it starts from
    if name.startswith("imagenet-"):
        assert all(words in spec.description for words in ("uniform noise", "whole square", "Xavier", "held out"))


def test_the_larger_images_are_fine_tuned_as_in_the_original() -> None:
    spec = presets.get("deit-small-384")
    deit, fine = spec.runs[2], spec.runs[4]
    assert spec.start_of(fine) == deit
    assert (deit.data.img_size, fine.data.img_size, fine.optim.epochs) == (224, 384, 30)
    assert (fine.optim.peak_lr, fine.optim.min_lr, fine.optim.weight_decay) == (5e-6, 5e-6, 1e-8)
    assert fine.distillation is not None


def test_a_fraction_is_shared_by_a_teacher_and_its_students() -> None:
    spec = presets.get("fashion-fractions")
    assert {run.data.fraction for run in spec.runs} == {0.01, 0.05, 0.1, 1.0}
    for run in spec.runs:
        if run.distillation:
            assert spec.teacher_of(run).data == run.data


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mnist-soft-resnet50", ("9,984", "batch norms", "channels", "64 times", "normalised")),
        (
            "tutorial-deit-base",
            ("concatenated", "position", "before the softmax", "last LayerNorm", "in place", "eval"),
        ),
    ],
)
def test_a_tutorial_s_errors_are_named(name: str, words: tuple[str, ...]) -> None:
    description = presets.get(name).description
    assert all(word in description for word in ("Corrections", *words))


def test_miniproject_has_its_exact_numbers() -> None:
    spec = presets.get("fashion-miniproject")
    vit = spec.runs[1]
    model = vit.model
    assert (vit.data.img_size, model.patch_size, model.embed_dim, model.depth, model.num_heads) == (28, 4, 64, 6, 4)
    assert (model.mlp_ratio, model.drop_rate, vit.optim.batch_size, vit.optim.lr) == (2.0, 0.1, 128, 5e-4)
    assert vit.optim.epochs == 10 > vit.optim.warmup_epochs
    assert {run.optim.label_smoothing for run in spec.runs} == {0.0}
    assert spec.expectation.accuracy.keys() == {run.name for run in spec.runs}
    assert all(words in spec.description for words in ("warm-up", "chosen on test", "Linear-Tanh-Linear", "Xavier"))


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


def test_a_plain_vit_may_learn_from_a_teacher() -> None:
    spec = replace(presets.smoke(), {"distillation": {"teacher": "x", "kind": "soft"}})
    assert not spec.model.distilled
    assert load_spec(spec.model_dump_json()) == spec


def test_an_old_spec_starts_from_scratch() -> None:
    document = json.loads(presets.smoke().model_dump_json())
    del document["initial_checkpoint"]
    assert load_spec(json.dumps(document)) == presets.smoke()


def test_an_experiment_lists_what_a_run_starts_from_first() -> None:
    first = presets.smoke()
    second = replace(first, {"name": "fine", "initial_checkpoint": first.name, "data.img_size": 24})
    assert load_spec(json.dumps(experiment_of(first, second))).start_of(second) == first  # type: ignore[union-attr]
    with pytest.raises(SpecError, match="list that run before it"):
        load_spec(json.dumps(experiment_of(second, first)))
    other = replace(first, {"data.split_seed": 5})
    with pytest.raises(SpecError, match="split their data differently"):
        load_spec(json.dumps(experiment_of(other, second)))


def test_unknown_preset_lists_the_known() -> None:
    with pytest.raises(SpecError, match="digits-quick"):
        presets.get("digit-quick")


def test_specs_are_frozen_and_strict() -> None:
    with pytest.raises(ValidationError):
        presets.smoke().seed = 1  # type: ignore[misc]
    with pytest.raises(SpecError, match="There is no field colour"):
        load_spec(json.dumps({"name": "x", "colour": "red"}))
    with pytest.raises(SpecError, match="not JSON"):
        load_spec("{")


def test_replace_reaches_every_run_or_the_named_one() -> None:
    spec = replace(presets.digits_quick(), {"seed": 7, "vit.optim.epochs": 30, "model.width": 8})
    assert [run.seed for run in spec.runs] == [7, 7, 7]
    assert [run.optim.epochs for run in spec.runs][1] == 30 != spec.runs[2].optim.epochs
    assert spec.runs[0].model.width == 8  # type: ignore[union-attr]
    assert spec.expectation is None


def experiment_of(*runs: RunSpec) -> dict[str, object]:
    return {"name": "x", "runs": [run.model_dump() for run in runs]}


def test_an_experiment_lists_teachers_first_and_splits_alike() -> None:
    teacher, vit, deit = presets.digits_quick().runs
    with pytest.raises(SpecError, match="list the teacher before"):
        load_spec(json.dumps(experiment_of(deit, teacher)))
    with pytest.raises(SpecError, match="own name"):
        load_spec(json.dumps(experiment_of(vit, vit)))
    other = replace(teacher, {"data.split_seed": 5})
    with pytest.raises(SpecError, match="split their data differently"):
        load_spec(json.dumps(experiment_of(other, deit)))


@pytest.mark.parametrize(
    ("padding", "flip", "count"), [(0, False, 1), (0, True, 2), (1, False, 9), (2, True, 50), (4, True, 162)]
)
def test_views_are_counted(padding: int, flip: bool, count: int) -> None:
    assert AugmentSpec(crop_padding=padding, horizontal_flip=flip).num_views == count


def test_a_spec_from_before_logits_were_stored_stores_them() -> None:
    document = json.loads(presets.digits_quick().model_dump_json())
    del document["runs"][2]["distillation"]["stored_logits"]
    assert load_spec(json.dumps(document)) == presets.digits_quick()


def test_the_room_for_logits_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEIT_LOGITS_GB", raising=False)
    assert Settings.from_env().logits_gb == 4
    for text, value in (("", 4), ("0", 0), ("2.5", 2.5)):
        monkeypatch.setenv("DEIT_LOGITS_GB", text)
        assert Settings.from_env().logits_gb == value
    for text in ("many", "-1", "nan", "inf"):
        monkeypatch.setenv("DEIT_LOGITS_GB", text)
        with pytest.raises(SpecError, match="DEIT_LOGITS_GB is the disk space"):
            Settings.from_env()


def seeded(experiment: ExperimentSpec, seeds: int) -> ExperimentSpec:
    return replace(experiment, {"seeds": seeds})


def test_students_are_repeated_with_the_next_seeds_and_share_one_teacher() -> None:
    spec = replace(seeded(presets.digits_quick(), 3), {"vit.optim.lr": 1e-3})
    found = trainings(spec)
    assert [(run.name, run.seed) for run in found] == [
        *(("teacher", 42), ("vit", 42), ("deit", 42)),
        *(("vit-s43", 43), ("deit-s43", 43), ("vit-s44", 44), ("deit-s44", 44)),
    ]
    assert [run.optim.lr for run in found if listed_name(run) == "vit"] == [1e-3] * 3
    assert {run.distillation.teacher for run in found if run.distillation} == {"teacher"}
    again = [run.with_changes(name=listed_name(run), seed=42) for run in found]
    assert again == list(spec.runs[:1] + spec.runs[1:] * 3)  # type: ignore[union-attr]
    assert load_spec(spec.model_dump_json()) == spec


def test_one_seed_is_the_experiment_as_it_is_listed() -> None:
    for name in presets.names():
        spec = presets.get(name)
        assert trainings(spec) == (spec.runs if isinstance(spec, ExperimentSpec) else (spec,))


def test_an_old_experiment_has_one_seed() -> None:
    document = json.loads(presets.digits_quick().model_dump_json())
    del document["seeds"]
    assert load_spec(json.dumps(document)) == presets.digits_quick()


def test_a_repeated_run_starts_from_the_one_of_its_own_seed() -> None:
    first = presets.smoke()
    second = replace(first, {"name": "fine", "initial_checkpoint": first.name})
    spec = load_spec(json.dumps(experiment_of(first, second) | {"seeds": 2}))  # type: ignore[arg-type]
    found = [(run.name, run.initial_checkpoint) for run in trainings(spec)]
    assert found == [("smoke", ""), ("fine", "smoke"), ("smoke-s43", ""), ("fine-s43", "smoke-s43")]


def test_what_a_teacher_comes_from_is_trained_once_too() -> None:
    teacher, vit, deit = presets.digits_quick().runs
    base = teacher.with_changes(name="base")
    tuned = teacher.with_changes(initial_checkpoint="base")
    spec = load_spec(json.dumps(experiment_of(base, tuned, vit, deit) | {"seeds": 2}))
    assert [run.name for run in trainings(spec)] == ["base", "teacher", "vit", "deit", "vit-s43", "deit-s43"]
    alone = load_spec(json.dumps(experiment_of(teacher) | {"seeds": 2}))
    assert [run.name for run in trainings(alone)] == ["teacher", "teacher-s43"]  # it teaches nobody here


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": 0}, "seeds should be greater than or equal to 1"),
        ({"seeds": 21}, "seeds should be less than or equal to 20"),
        ({"seeds": 2, "deit.name": "vit-s43"}, "two runs are called 'vit-s43'"),
        ({"seeds": 2, "vit.name": "v" * 78}, "give it a shorter name"),
        ({"seeds": 2, "vit.seed": 2**31 - 1}, "start with a smaller seed"),
        ({"vit.name": "seeds"}, "cannot be called 'seeds'"),
    ],
)
def test_seeds_that_do_not_fit_are_one_sentence(changes: dict[str, object], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        replace(presets.digits_quick(), changes)
    assert words in str(caught.value)
    with pytest.raises(SpecError, match="There is no field seeds"):
        replace(presets.smoke(), {"seeds": 2})


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
