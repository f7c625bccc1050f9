"""The Train page starts runs: all by one click, a student alone, repeats by seed; and says what a preset is."""

from pathlib import Path
from typing import Any

import pytest
from train_pages import FakeEstimates, RunPage, command, document, sound, words

from deit_core import presets
from deit_core.runs import Status, Store
from deit_core.runs.engines import local


def test_one_click_starts_the_experiment(train_page: RunPage, store: Store) -> None:
    page = train_page()
    assert page.button(key="start").label == "Start all 3 runs"
    sound(page.button(key="start").click().run())
    assert [run.name for run in reversed(store.runs())] == ["teacher", "vit", "deit"]
    assert "1 teacher, 2 vit, 3 deit" in page.success[0].value.replace("\\", "")
    assert page.get("page_link")
    sound(page.run())
    assert len(store.runs()) == 3


def test_an_impatient_second_click_starts_nothing_more(train_page: RunPage, store: Store) -> None:
    page = train_page()
    page.button(key="start").click().run()
    page.button(key="start").click().run()
    assert len(store.runs()) == 3
    assert "1 teacher, 2 vit, 3 deit" in page.success[0].value.replace("\\", "")


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


def test_the_first_preset_is_chosen_at_first(run_page: RunPage, estimates: type[FakeEstimates], store: Store) -> None:
    page = sound(run_page("train"))
    assert page.selectbox(key="preset").value == presets.names()[0] == "scattered-quick"
    assert document(page) == presets.get("scattered-quick")


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


def test_a_choice_that_is_known_to_hurt_is_named(train_page: RunPage) -> None:
    page = train_page(set=["teacher.optim.label_smoothing=0.1"])
    assert "label smoothing of 0.1" in page.info[0].value.replace("\\", "")


def test_few_labels_are_in_the_words_on_a_run(train_page: RunPage) -> None:
    page = train_page(preset="fashion-few-labels")
    assert "200 epochs on Fashion-MNIST with 5% of its labels at 28 px" in words(page).replace("\\", "")


def test_a_teacher_of_timms_is_described(train_page: RunPage) -> None:
    said = words(train_page(preset="mnist-soft-efficientnet")).replace("\\", "")
    assert "timm's tf_efficientnet_lite0, pretrained, only its head is trained" in said


def test_a_network_that_timm_does_not_have_is_told_with_those_that_are_near(train_page: RunPage) -> None:
    page = train_page(preset="mnist-soft-efficientnet", set="teacher.model.name=resnet_18")
    assert "did you mean resnet18 or" in page.warning[0].value.replace("\\", "")


def test_a_preset_without_a_measured_accuracy_says_so(train_page: RunPage) -> None:
    page = train_page(preset="smoke")
    assert "has not been measured" in words(page)
