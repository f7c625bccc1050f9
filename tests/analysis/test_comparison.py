"""Which differences between two runs make their comparison unfair."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from deit_core import presets
from deit_core.analysis import chance_margin, differences, mismatches
from deit_core.spec import RunSpec, replace


def trio() -> tuple[RunSpec, RunSpec, RunSpec]:
    teacher, vit, deit = presets.get("digits-quick").runs  # type: ignore[union-attr]
    return teacher, vit, deit


def changed(spec: RunSpec, **changes: Any) -> RunSpec:
    return replace(spec, {path.replace("__", "."): value for path, value in changes.items()})


@pytest.mark.parametrize("preset", ["digits-quick", "fashion-classroom", "fashion-miniproject", "fashion-full"])
def test_the_students_of_a_preset_are_a_fair_pair(preset: str) -> None:
    _, vit, *deits = presets.get(preset).runs  # type: ignore[union-attr]
    assert deits
    for deit in deits:
        assert mismatches(vit, deit) == mismatches(deit, vit) == []


def test_words_about_a_run_do_not_matter() -> None:
    _, vit, _ = trio()
    assert mismatches(vit, changed(vit, name="other", tags=["a"], notes="b")) == []


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("seed", 7, "different weights"),
        ("data.split_seed", 7, "different images"),
        ("data.normalization", "half", "normalised"),
        ("optim.epochs", 30, "trains longer"),
        ("optim.batch_size", 16, "more steps"),
        ("optim.lr", 1e-3, "recipes differ"),
        ("augment.crop_padding", 2, "different views"),
        ("model.depth", 6, "built differently"),
        ("compute.num_threads", 2, "times"),
    ],
)
def test_everything_else_is_named_with_its_reason(path: str, value: Any, reason: str) -> None:
    _, vit, deit = trio()
    (found,) = mismatches(vit, changed(deit, **{path: value}))
    assert found.path == path
    assert found.values[1] == value
    assert reason in found.reason


def test_models_of_two_families_differ_in_one_thing() -> None:
    teacher, vit, _ = trio()
    of_model = [found.path for found in mismatches(teacher, vit) if found.path.startswith("model")]
    assert of_model == ["model.family"]


def test_every_field_is_fair_or_has_a_reason() -> None:
    """A field that is added to the spec must not break the comparison."""
    for spec in trio():
        for path in set(leaves(spec.model_dump())) - {"version"}:
            found = mismatches(spec, with_any_value(spec, path))
            assert found == [] or ([one.path for one in found] == [path] and found[0].reason)


def with_any_value(part: BaseModel, path: str) -> Any:
    """A copy with a value in a field that no other has, right or wrong."""
    name, _, rest = path.partition(".")
    return part.model_copy(update={name: with_any_value(getattr(part, name), rest) if rest else object()})


def test_differences_are_those_fields_and_no_others() -> None:
    _, vit, deit = trio()
    found = {difference.path: difference.values for difference in differences([vit, deit])}
    assert found["model.distilled"] == (False, True)
    assert found["distillation.kind"] == (None, "soft")
    assert {path.split(".")[0] for path in found} == {"name", "model", "distillation"}
    assert differences([vit, vit]) == []


def test_fields_that_change_nothing_are_left_out() -> None:
    _, vit, deit = trio()

    def paths(spec: RunSpec) -> set[str]:
        return {difference.path for difference in differences([vit, spec])}

    hard = changed(deit, distillation__kind="hard", augment__mixup_alpha=0)
    assert paths(hard) & {"distillation.tau", "distillation.stored_views", "distillation.mixed_labels"} == set()
    soft = changed(hard, distillation__kind="soft", distillation__stored_logits="float16")
    assert {"distillation.tau", "distillation.standardize", "distillation.stored_logits"} <= paths(soft)
    mixed = changed(soft, augment__mixup_alpha=0.4, augment__mixup_prob=0.5, augment__mixup_switch_prob=0.2)
    assert {"distillation.mixed_labels", "augment.mixup_alpha", "augment.mixup_prob"} <= paths(mixed)
    assert "augment.mixup_switch_prob" not in paths(mixed), "only one of both mixes"
    averaged = changed(vit, optim__ema_decay=0.9)
    assert differences([vit, averaged]) == mismatches(vit, averaged) == []
    assert {found.path for found in mismatches(vit, changed(averaged, optim__ema="replace"))} == {
        "optim.ema",
        "optim.ema_decay",
    }


def test_differences_come_in_the_order_of_the_spec() -> None:
    sections = [difference.path.split(".")[0] for difference in differences(trio())]
    assert sections == sorted(sections, key=list(RunSpec.model_fields).index)


def test_a_field_that_means_several_things_has_no_description() -> None:
    teacher, vit, _ = trio()
    found = {difference.path: difference.description for difference in differences([teacher, vit])}
    assert found["model.family"] == ""
    assert found["optim.epochs"] == "Passes over the training images."


def test_the_margin_of_chance() -> None:
    assert chance_margin((0.5, 0.5), 10_000) == pytest.approx(1.96 * (2 * 0.25 / 10_000) ** 0.5)
    assert chance_margin((0.9, 0.9), 360) > chance_margin((0.9, 0.9), 10_000) > chance_margin((1.0, 1.0), 360) == 0


def test_it_loads_no_torch() -> None:
    code = "import sys, deit_core.analysis; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def leaves(document: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key
