"""The form of a spec and the changes made in it: what is drawn follows the fields, what is changed trains."""

import json
import re

import pytest
from pydantic import BaseModel
from streamlit.testing.v1 import AppTest

from dashboard.fields import form_fields
from dashboard.views.train.changes import Changes, members
from deit_core import presets
from deit_core.errors import SpecError
from deit_core.results.field_reference import field_reference
from deit_core.spec import ExperimentSpec, bounds, field_help

NAMES = ("teacher", "vit", "deit")


def trio() -> ExperimentSpec:
    return presets.digits_quick()


def lr(spec: ExperimentSpec) -> list[float]:
    return [run.optim.lr for run in spec.runs]


def test_a_change_for_all_runs_reaches_all_by_one_path() -> None:
    changes = Changes(trio())
    changes.set(NAMES, "optim.lr", 0.004)
    assert changes.by_path == {"optim.lr": 0.004}
    assert lr(changes.variant()) == [0.004, 0.004, 0.004]


def test_a_change_for_some_runs_reaches_only_those() -> None:
    changes = Changes(trio())
    changes.set(("vit", "deit"), "optim.lr", 0.004)
    assert changes.by_path == {"vit.optim.lr": 0.004, "deit.optim.lr": 0.004}
    assert lr(changes.variant()) == [0.002, 0.004, 0.004]


def test_the_last_change_wins() -> None:
    changes = Changes(trio())
    changes.set(("vit",), "optim.lr", 0.003)
    changes.set(NAMES, "optim.lr", 0.004)
    assert lr(changes.variant()) == [0.004, 0.004, 0.004]
    changes.set(("vit",), "optim.lr", 0.005)
    assert lr(changes.variant()) == [0.004, 0.005, 0.004]
    changes.set(("vit",), "optim.lr", 0.002)  # the preset's own, against what all have now
    assert lr(changes.variant()) == [0.004, 0.002, 0.004]


def test_what_is_changed_back_is_no_change() -> None:
    changes = Changes(trio())
    for runs in (NAMES, ("deit",)):
        changes.set(runs, "seed", 7)
        changes.set(runs, "seed", 42)
    assert changes.by_path == {}
    assert changes.variant() == trio()


def test_the_name_of_an_experiment_is_its_own() -> None:
    changes = Changes(trio())
    changes.set(NAMES, "name", "mine")
    variant = changes.variant()
    assert (variant.name, [run.name for run in members(variant)]) == ("mine", list(NAMES))


def test_a_value_that_cannot_be_trained_is_kept_and_refused() -> None:
    changes = Changes(trio())
    changes.set(NAMES, "data.img_size", 17)
    assert changes.value("vit", "data.img_size") == 17
    with pytest.raises(SpecError, match="do not divide images of 17 px"):
        changes.variant()


@pytest.mark.parametrize("name", presets.names())
def test_every_field_but_a_run_s_part_in_its_experiment_is_in_the_form(name: str) -> None:
    for run in members(presets.get(name)):
        paths = {field.path for field in form_fields(run)}
        left_out = {path for path, _ in leaves(run)} - paths
        assert left_out <= {"version", "model.family", "model.distilled", "distillation", "distillation.teacher"}
        assert paths <= {path for path, _ in leaves(run)}


def test_every_default_is_one_of_its_choices() -> None:
    for preset in presets.names():
        for run in members(presets.get(preset)):
            values = dict(leaves(run))
            for field in form_fields(run):
                assert not field.choices or values[field.path] in field.choices, field.path


def test_a_field_carries_what_the_spec_says_of_it() -> None:
    by_path = {field.path: field for field in form_fields(trio().runs[2])}
    size, epochs, device = by_path["data.img_size"], by_path["optim.epochs"], by_path["compute.device"]
    assert (size.label, size.kind) == ("Image size (px)", int)
    assert "At least 8 and at most 512." in size.help
    assert "resized to this width" in size.help
    assert not epochs.is_advanced
    assert (device.choices, device.is_advanced) == (("auto", "cpu", "cuda", "mps"), True)
    assert by_path["compute.num_threads"].is_optional
    assert by_path["optim.lr"].label == "Learning rate"


def test_ten_settings_of_a_deit_are_for_every_day() -> None:
    everyday = [field.path for field in form_fields(trio().runs[2]) if not field.is_advanced and not field.source]
    assert everyday == [
        "data.fraction", "model.patch_size", "model.embed_dim", "model.depth", "distillation.kind",
        "distillation.alpha", "distillation.tau", "optim.epochs", "optim.batch_size", "optim.lr",
    ]  # fmt: skip


@pytest.mark.parametrize("name", presets.names())
def test_a_field_has_the_same_words_in_form_command_and_docs(name: str) -> None:
    printed = field_reference()
    for run in members(presets.get(name)):
        for field in form_fields(run):
            part = getattr(run, field.section) if field.section else run
            info = type(part).model_fields[field.path.rpartition(".")[2]]
            assert field.help == f"{info.description}{bounds(info)} `{field.path}`"
            assert re.search(rf"\| `{field.path}`( \*)? \| .* \| {re.escape(field_help(info))} \|", printed), field.path


def leaves(part: BaseModel, prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            found += leaves(value, f"{prefix}{name}.")
        else:
            found.append((prefix + name, value))
    return found


_FORM = """
import json
import streamlit as st
from dashboard.views.train import form
from dashboard.views.train.changes import Changes
from deit_core import presets
if "changes" not in st.session_state:
    st.session_state["changes"] = Changes(presets.get({name!r}))
form.edit(st.session_state["changes"], key="f")
st.code(json.dumps(st.session_state["changes"].by_path))
"""


def form(name: str) -> AppTest:
    page = AppTest.from_string(_FORM.format(name=name), default_timeout=600).run()
    assert not page.exception
    return page


def changed(page: AppTest) -> dict[str, object]:
    assert not page.exception
    found = json.loads(page.code[0].value)
    assert isinstance(found, dict)
    return found


def test_untouched_widgets_change_nothing() -> None:
    for name in ("smoke", "fashion-miniproject"):
        assert changed(form(name).run()) == {}


def test_every_kind_of_widget_changes_its_field() -> None:
    page = form("smoke")
    key = "f/smoke"
    page.number_input(key=f"{key}/optim.lr").set_value(0.004)
    page.number_input(key=f"{key}/optim.epochs").set_value(3)
    page.number_input(key=f"{key}/compute.num_threads").set_value(2)
    page.selectbox(key=f"{key}/optim.optimizer").set_value("sgd")
    page.toggle(key=f"{key}/augment.horizontal_flip").set_value(True)
    page.text_input(key=f"{key}/name").set_value("mine")
    page.text_area(key=f"{key}/notes").set_value("why")
    page.multiselect(key=f"{key}/tags").set_value(["a"])
    page.run()
    assert changed(page) == {
        "name": "mine",
        "tags": ["a"],
        "notes": "why",
        "optim.lr": 0.004,
        "optim.epochs": 3,
        "optim.optimizer": "sgd",
        "augment.horizontal_flip": True,
        "compute.num_threads": 2,
    }


def test_fields_are_shared_by_the_runs_that_are_chosen() -> None:
    page = form("digits-quick")
    shared = {widget.key for widget in page.number_input}
    assert "f/teacher+vit+deit/optim.lr" in shared
    assert not any("model." in key for key in shared)
    page.segmented_control(key="f/runs").set_value("All students").run()
    page.number_input(key="f/vit+deit/model.depth").set_value(5).run()
    assert changed(page) == {"vit.model.depth": 5, "deit.model.depth": 5}
    page.segmented_control(key="f/runs").set_value("deit").run()
    assert page.number_input(key="f/deit/model.depth").value == 5
    page.number_input(key="f/deit/distillation.alpha").set_value(0.7).run()
    assert changed(page) == {"vit.model.depth": 5, "deit.model.depth": 5, "deit.distillation.alpha": 0.7}


def test_a_field_in_which_the_runs_differ_is_empty_until_it_is_set_for_all() -> None:
    page = form("digits-quick")
    epochs = page.number_input(key="f/teacher+vit+deit/optim.epochs")
    assert (epochs.value, epochs.placeholder) == (None, "8, 20, 20")
    epochs.set_value(12).run()
    assert changed(page) == {"optim.epochs": 12}
    assert page.number_input(key="f/teacher+vit+deit/optim.epochs").value == 12


def test_only_an_optional_number_can_be_emptied() -> None:
    page = form("smoke")
    page.number_input(key="f/smoke/compute.num_threads").set_value(2).run()
    assert changed(page) == {"compute.num_threads": 2}
    page.number_input(key="f/smoke/compute.num_threads").set_value(None).run()
    assert changed(page) == {}
    page.number_input(key="f/smoke/optim.epochs").set_value(None).run()
    assert changed(page) == {}
