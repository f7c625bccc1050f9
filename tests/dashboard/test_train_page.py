"""The Train page: a newcomer's one click, a variant and its command, a spec of one's own, and the measured estimate."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from deit_core import presets
from deit_core.cli.options import read_spec
from deit_core.errors import SpecError
from deit_core.runs import Status, Store, enqueue
from deit_core.runs.engines import local
from deit_core.runs.estimates import Estimate
from deit_core.spec import AnySpec, load_spec

RunPage = Callable[..., AppTest]


class FakeEstimates:
    """Knows what `found` says; measures nothing."""

    found: Estimate | None = Estimate(80.0, {"teacher": 10.0, "vit": 25.0, "deit": 45.0})
    dies = False

    def __init__(self, _settings: object) -> None:
        self.requested: list[AnySpec] = []

    def get(self, _spec: AnySpec) -> Estimate | None:
        return self.found

    def is_measuring(self, spec: AnySpec) -> bool:
        if self.dies and self.requested.count(spec) == 1:
            self.requested.append(spec)
            return True
        return spec in self.requested and not self.dies

    def cancel(self) -> None:
        self.requested.clear()

    def request(self, spec: AnySpec) -> None:
        self.requested.append(spec)


@pytest.fixture
def estimates(monkeypatch: pytest.MonkeyPatch) -> type[FakeEstimates]:
    class Estimates(FakeEstimates):
        pass

    monkeypatch.setattr("dashboard.views.train.duration.Estimates", Estimates)
    return Estimates


@pytest.fixture
def train_page(store: Store, estimates: type[FakeEstimates], run_page: RunPage) -> Callable[..., AppTest]:
    def run(**query: str) -> AppTest:
        return sound(run_page("train", **{"preset": "digits-quick", **query}))

    return run


def sound(page: AppTest) -> AppTest:
    assert not page.exception
    return page


def command(page: AppTest) -> list[str]:
    return shlex.split(page.code[0].value)


def document(page: AppTest) -> AnySpec:
    return load_spec(page.code[1].value)


def words(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption))


def test_one_click_starts_the_experiment(train_page: RunPage, store: Store) -> None:
    page = train_page()
    assert page.button(key="start").label == "Start all 3 runs"
    sound(page.button(key="start").click().run())
    assert [run.name for run in reversed(store.runs())] == ["teacher", "vit", "deit"]
    assert "1 teacher, 2 vit, 3 deit" in page.success[0].value.replace("\\", "")
    assert page.get("page_link")
    sound(page.run())
    assert len(store.runs()) == 3


def test_a_link_that_needs_more_memory_than_there_is_measures_and_starts_nothing(
    run_page: RunPage, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring: list[object] = []
    monkeypatch.setattr("deit_core.memory.check.total_memory", lambda: 24 * 10**9)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr("deit_core.runs.estimates.subprocess.Popen", lambda *_, **__: measuring.append(1))
    changes = ["model.embed_dim=2048", "model.depth=48", "model.num_heads=16", "model.mlp_ratio=8"]
    page = sound(run_page("train", preset="smoke", set=changes))
    sentence = page.warning[0].value.replace("\\", "")
    assert re.match(r"'smoke' needs about 1\d\d\.\d GB of memory \(\d\d\.\d GB for the model", sentence)
    assert sentence.endswith("and this machine grants 24.0 GB; choose a smaller model.")
    sound(page.button(key="start").click().run())
    assert page.error[0].value.replace("\\", "") == sentence
    assert store.runs() == []
    assert measuring == []


def test_one_worker_stands_by_while_the_form_is_filled_in(
    train_page: RunPage, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    spares: list[bool] = []
    idle = local.start_worker  # which starts nothing

    def note(*args: Any) -> object:
        spares.append(args[-1])
        return idle(*args)

    monkeypatch.setattr(local, "start_worker", note)
    page = train_page()
    train_page()
    sound(page.run())
    assert spares == [True]
    page.button(key="start").click().run()
    assert spares == [True]  # it takes the run


def test_the_first_preset_is_chosen_at_first(run_page: RunPage, estimates: type[FakeEstimates], store: Store) -> None:
    page = sound(run_page("train"))
    assert page.selectbox(key="preset").value == presets.names()[0] == "scattered-quick"
    assert document(page) == presets.get("scattered-quick")


def test_a_choice_that_is_known_to_hurt_is_named(train_page: RunPage) -> None:
    page = train_page(set=["teacher.optim.label_smoothing=0.1"])
    assert "label smoothing of 0.1" in page.info[0].value.replace("\\", "")


def test_few_labels_are_in_the_words_on_a_run(train_page: RunPage) -> None:
    page = train_page(preset="fashion-few-labels")
    assert "200 epochs on Fashion-MNIST with 5% of its labels at 28 px" in words(page).replace("\\", "")


def test_the_address_chooses_the_preset(train_page: RunPage) -> None:
    assert document(train_page(preset="fashion-full")) == presets.get("fashion-full")


def test_the_address_holds_the_changes(train_page: RunPage) -> None:
    page = train_page()
    form = page.session_state["train_form"]
    page.number_input(key=f"form{form}/teacher+vit+deit/optim.lr").set_value(1).run()
    page.segmented_control(key=f"form{form}/runs").set_value("deit").run()
    page.selectbox(key=f"form{form}/deit/distillation.kind").set_value("hard").run()
    changes = page.query_params["set"]
    assert changes == ["optim.lr=1.0", "deit.distillation.kind=hard"]
    again = train_page(preset="digits-quick", set=["optim.lr=1", *changes[1:]])  # as a person writes it
    assert document(again) == document(page)
    form = again.session_state["train_form"]
    assert again.number_input(key=f"form{form}/teacher+vit+deit/optim.lr").value == 1.0
    assert "Changed: optim.lr = 1.0" in words(again).replace("\\", "")
    sound(again.button(key="undo").click().run())
    assert document(again) == presets.get("digits-quick")
    assert "set" not in again.query_params


def test_the_address_keeps_what_can_be_trained(train_page: RunPage) -> None:
    page = train_page(set=["optim.lr=0.001"])
    form = page.session_state["train_form"]
    sound(page.number_input(key=f"form{form}/teacher+vit+deit/optim.lr").set_value(-1).run())
    assert page.error
    assert page.query_params["set"] == "optim.lr=0.001"


@pytest.mark.parametrize(
    ("change", "words"),
    [("optim.lr", "FIELD=VALUE"), ("optim.speed=3", "no field optim.speed"), ("optim.epochs=many", "epochs")],
)
def test_a_change_in_the_address_that_cannot_be_made_is_a_sentence(
    change: str, words: str, train_page: RunPage
) -> None:
    page = train_page(set=[change])
    assert words in page.error[0].value.replace("\\", "")
    assert document(page) == presets.get("digits-quick")


def test_another_preset_starts_without_the_changes_of_the_address(train_page: RunPage) -> None:
    page = train_page(preset="digits-quick", set=["optim.lr=0.5"])
    sound(page.selectbox(key="preset").set_value("fashion-full").run())
    assert document(page) == presets.get("fashion-full")
    assert "set" not in page.query_params


def test_a_single_run_in_the_address_may_have_another_name(train_page: RunPage) -> None:
    page = train_page(preset="smoke", set=["name=mine", 'tags=["a"]'])
    run = document(page)
    assert (run.name, run.tags) == ("mine", ("a",))


@pytest.mark.parametrize("name", ["fashion-fractions", "mnist-soft-resnet50", "deit-base-384", "imagenet-deit-base"])
def test_a_preset_is_shown_whether_its_data_is_there_or_not(name: str, train_page: RunPage) -> None:
    page = train_page(preset=name)
    assert page.selectbox(key="preset").value == name
    assert document(page) == presets.get(name)
    assert not page.error
    assert not page.button(key="start").disabled


def test_starting_a_preset_without_its_published_weights_is_a_sentence_until_something_is_changed(
    train_page: RunPage, store: Store, estimates: type[FakeEstimates]
) -> None:
    found, estimates.found = estimates.found, None
    page = train_page(preset="deit-small")
    assert "Measuring how long this takes" in words(page)
    sound(page.button(key="start").click().run())
    message = page.error[0].value.replace("\\", "").replace("\u2060", "")
    file = "deit_small_patch16_224-cd65a155.pth"
    assert f"The initial_checkpoint '{file}' of 'vit' is neither a run nor the path of a checkpoint" in message
    assert f"download https://dl.fbaipublicfiles.com/deit/{file} into {Path.cwd()}, and start again." in message
    assert "whole experiment" not in message
    assert not store.runs()
    estimates.found = found
    sound(page.run())  # the estimate has come
    assert len(page.error) == 1
    sound(page.selectbox(key="preset").set_value("smoke").run())
    assert not page.error


def test_a_teacher_of_timms_is_described(train_page: RunPage) -> None:
    said = words(train_page(preset="mnist-soft-efficientnet")).replace("\\", "")
    assert "timm's tf_efficientnet_lite0, pretrained, only its head is trained" in said


def test_a_network_that_timm_does_not_have_is_told_with_those_that_are_near(train_page: RunPage) -> None:
    page = train_page(preset="mnist-soft-efficientnet", set="teacher.model.name=resnet_18")
    assert "did you mean resnet18 or" in page.warning[0].value.replace("\\", "")


def test_a_student_without_its_teacher_is_told_of_the_experiment(store: Store) -> None:
    experiment = presets.get("digits-quick")
    with pytest.raises(SpecError, match="or start the whole experiment that contains it"):
        enqueue(store, experiment.runs[2])


def test_a_preset_without_a_measured_accuracy_says_so(train_page: RunPage) -> None:
    page = train_page(preset="smoke")
    assert "has not been measured" in words(page)


def test_a_change_makes_a_variant_and_its_command(train_page: RunPage, store: Store) -> None:
    page = train_page()
    form = page.session_state["train_form"]
    page.number_input(key=f"form{form}/teacher+vit+deit/optim.batch_size").set_value(32).run()
    page.segmented_control(key=f"form{form}/runs").set_value("deit").run()
    page.selectbox(key=f"form{form}/deit/distillation.kind").set_value("hard").run()
    sound(page)
    start, *rest = command(page)
    assert (start, rest[:4]) == ("python", ["-m", "deit_core", "submit", "digits-quick"])
    assert rest[4:] == ["--set", "optim.batch_size=32", "--set", "deit.distillation.kind=hard"]
    assert read_spec(rest[3], rest[5::2]) == document(page)
    page.button(key="start").click().run()
    assert [run.spec.optim.batch_size for run in store.runs()] == [32, 32, 32]


def test_words_that_look_like_numbers_stay_words_on_the_command_line(train_page: RunPage) -> None:
    page = train_page(preset="smoke")
    page.text_input(key="form1/smoke/name").set_value("it's 7").run()
    assert read_spec("smoke", command(page)[6::2]) == document(page)
    page.text_input(key="form1/smoke/name").set_value("7").run()
    assert read_spec("smoke", command(page)[6::2]) == document(page)


def test_undoing_returns_to_the_preset(train_page: RunPage) -> None:
    page = train_page()
    page.number_input(key="form1/teacher+vit+deit/seed").set_value(7).run()
    sound(page.button(key="undo").click().run())
    assert document(page) == presets.get("digits-quick")
    assert page.number_input(key="form2/teacher+vit+deit/seed").value == 42


def test_another_preset_starts_a_new_form(train_page: RunPage) -> None:
    page = train_page()
    page.number_input(key="form1/teacher+vit+deit/seed").set_value(7).run()
    page.selectbox(key="preset").set_value("fashion-full").run()
    page.selectbox(key="preset").set_value("digits-quick").run()
    assert document(sound(page)) == presets.get("digits-quick")


def test_what_cannot_be_trained_is_a_sentence_and_starts_nothing(train_page: RunPage, store: Store) -> None:
    page = train_page()
    page.number_input(key="form1/teacher+vit+deit/data.img_size").set_value(17).run()
    assert "do not divide images of 17 px" in page.error[0].value.replace("\\", "")
    assert page.button(key="start").disabled
    assert not store.runs()


def test_what_is_said_of_a_preset_is_not_said_of_its_variant(train_page: RunPage) -> None:
    page = train_page(preset="smoke")
    assert "your changes" not in words(page)
    epochs = page.number_input(key="form1/smoke/optim.epochs")
    epochs.set_value(200).run()
    assert "Before your changes:" in words(sound(page))
    assert "200 epochs" in words(page)
    epochs.set_value(0).run()
    assert "Your changes cannot be trained. Without them:" in words(sound(page))
    assert "200 epochs" not in words(page)


def test_a_student_alone_needs_a_finished_teacher(train_page: RunPage, store: Store) -> None:
    page = train_page()
    page.segmented_control(key="alone").set_value("deit").run()
    assert page.button(key="start_alone").disabled
    page.segmented_control(key="alone").set_value("vit").run()
    sound(page.button(key="start_alone").click().run())
    assert [run.name for run in store.runs()] == ["vit"]


def test_a_student_alone_learns_from_the_best_finished_run(
    train_page: RunPage, store: Store, trio: dict[str, str]
) -> None:
    page = train_page()
    page.segmented_control(key="alone").set_value("deit").run()
    assert len(page.selectbox(key="alone_teacher").options) == 3
    page.button(key="start_alone").click().run()
    assert store.runs()[0].needs == (trio["teacher"],)
    page.selectbox(key="preset").set_value("fashion-full").run()
    page.segmented_control(key="alone").set_value("deit").run()
    assert page.button(key="start_alone").disabled  # no run has learned from these images


def test_a_spec_of_one_s_own(train_page: RunPage, store: Store, trio: dict[str, str]) -> None:
    page = train_page()
    student = store.run(trio["deit"]).spec
    page.file_uploader[0].upload("my deit.json", student.model_dump_json().encode()).run()
    assert document(sound(page)) == student
    assert command(page)[4:] == ["my deit.json"]
    page.selectbox(key="form2/teacher").set_value(trio["vit"]).run()
    assert command(page)[5:] == ["--set", f"distillation.teacher={trio['vit']}"]
    page.button(key="start").click().run()
    assert store.runs()[0].needs == (trio["vit"],)


def test_a_damaged_file_is_a_sentence(train_page: RunPage) -> None:
    page = train_page()
    page.file_uploader[0].upload("spec.json", b"{nope").run()
    assert "This is not JSON" in page.error[0].value
    assert not [button for button in page.button if button.key == "start"]  # it would start something else
    page.selectbox(key="preset").set_value("smoke").run()  # leaves the file
    assert not page.error
    assert document(sound(page)) == presets.get("smoke")


def test_an_impatient_second_click_starts_nothing_more(train_page: RunPage, store: Store) -> None:
    page = train_page()
    page.button(key="start").click().run()
    page.button(key="start").click().run()
    assert len(store.runs()) == 3
    assert "1 teacher, 2 vit, 3 deit" in page.success[0].value.replace("\\", "")


def test_names_from_a_file_show_literally(train_page: RunPage) -> None:
    page = train_page()
    spec = presets.get("smoke").model_dump(mode="json") | {"name": "*a* $b$ :red[c]", "notes": "# not a heading"}
    page.file_uploader[0].upload("spec.json", json.dumps(spec).encode()).run()
    shown = words(sound(page))
    assert r"\*a\* \$b\$" in shown
    assert r"\# not a heading" in shown


def test_the_estimate_stands_before_the_start(train_page: RunPage) -> None:
    assert "About **1 min 20 s** on this machine: teacher 10 s, vit 25 s, deit 45 s." in words(train_page())


def test_the_estimate_is_measured_once_where_it_is_unknown(train_page: RunPage, estimates: type[FakeEstimates]) -> None:
    estimates.found = None
    page = train_page()
    assert "Measuring how long this takes" in words(page)
    estimates.found = Estimate(3.0, {"smoke": 3.0})
    assert "About **3 s**" in words(sound(page.run()))


def test_a_measuring_that_dies_is_not_begun_for_ever(train_page: RunPage, estimates: type[FakeEstimates]) -> None:
    estimates.found, estimates.dies = None, True
    page = train_page()
    assert "the measuring failed" in words(sound(page.run()))


def test_what_is_started_breaks_off_the_measuring_and_trains_alone(
    train_page: RunPage, estimates: type[FakeEstimates]
) -> None:
    estimates.found = None
    page = train_page()
    page.button(key="start").click().run()
    assert "measured while no run trains" in words(sound(page))
    assert "Measuring how long" not in words(page)


def test_what_cannot_be_estimated_says_why(train_page: RunPage, estimates: type[FakeEstimates]) -> None:
    estimates.found = Estimate(0.0, {}, "There is no teacher.")
    assert "There is no teacher" in words(train_page())


def test_a_run_that_trains_already_is_named(train_page: RunPage, store: Store, trio: dict[str, str]) -> None:
    store.set_status(trio["vit"], Status.RUNNING)
    assert "Training now: vit" in words(train_page())


def test_seeds_of_an_experiment_are_counted_and_queued(train_page: RunPage, store: Store) -> None:
    page = train_page()
    page.number_input(key="form1/teacher+vit+deit/seeds").set_value(3).run()
    sound(page)
    assert command(page)[4:] == ["digits-quick", "--set", "seeds=3"]
    assert page.button(key="start").label == "Start all 7 runs"
    assert "3 times, with the seeds 42 to 44" in words(page)
    page.button(key="start").click().run()
    names = [run.name for run in reversed(store.runs())]
    assert names == ["teacher", "vit", "deit", "vit-s43", "deit-s43", "vit-s44", "deit-s44"]
    assert "seeds" not in "".join(field.key or "" for field in train_page(preset="smoke").number_input)


def test_an_address_with_a_wrong_field_is_told_the_nearest_right_one(run_page: Callable[..., AppTest]) -> None:
    page = run_page("train", set="vit.patch_size=7")
    assert "did you mean vit.model.patch_size?" in page.error[0].value.replace("\\", "")
