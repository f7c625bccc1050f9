"""The lessons: their texts hold together, a guess comes before the answer, and the answer is that of the numbers."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import navigation
from dashboard.lessons.course import Lesson, lessons, terms
from dashboard.lessons.evidence import evidence, from_newest, most_seeds, newest, together
from dashboard.lessons.words import with_terms
from deit_core import presets
from deit_core.lessons.baselines import UNTRAINED
from deit_core.runs import RunUpdate, Status, Store, enqueue
from deit_core.spec import ExperimentSpec, VisionTransformerSpec, replace, trainings

ROOT = Path(__file__).parents[2]
RunPage = Callable[..., AppTest]

every_lesson = pytest.mark.parametrize("number", lessons())


@pytest.fixture
def demo_page(run_page: RunPage, store: Store, monkeypatch: pytest.MonkeyPatch) -> RunPage:
    """A page of a dashboard whose own store is empty, with the runs that come with the program."""
    monkeypatch.setenv("DEIT_DEMO_RUNS", "1")
    st.cache_resource.clear()
    return run_page


def submit(store: Store, preset: str) -> dict[str, str]:
    """Queue a preset: name -> id."""
    return {store.run(run_id).name: run_id for run_id in enqueue(store, presets.get(preset))}


def finish(store: Store, preset: str, accuracy: dict[str, float]) -> None:
    """Complete an experiment with these test accuracies."""
    for name, run_id in submit(store, preset).items():
        store.set_status(run_id, Status.RUNNING)
        store.set_status(run_id, Status.COMPLETED, update=RunUpdate(results={"test_accuracy": accuracy[name]}))


def test_there_are_eight_that_fit_into_a_class_of_90_minutes() -> None:
    assert list(lessons()) == list(range(1, 9))
    assert sum(lesson.minutes for lesson in lessons().values()) <= 90


@every_lesson
def test_its_minutes_are_enough(number: int) -> None:
    lesson = lessons()[number]
    texts = (lesson.question, lesson.words, lesson.look_for, lesson.meaning, lesson.try_next, str(lesson.guess))
    words = sum(len(text.split()) for text in (*texts, *(door.look_for for door in lesson.doors)))
    assert words / 100 + 1 + 2 * len(lesson.doors) <= lesson.minutes, "reading, the guess, the pages it leads to"
    assert lesson.training_minutes < lesson.minutes, "it trains meanwhile"


def test_the_teachers_guide_has_the_guesses_to_print_and_each_lesson_its_minutes() -> None:
    guide = (ROOT / "docs" / "teaching.md").read_text()
    printed = "\n".join(
        "\n".join([f"{number}. {lesson.guess.question}", *(f"   - {option}" for option in lesson.guess.options)])
        for number, lesson in lessons().items()
    )
    assert printed in guide
    plan = re.findall(r"^\| (\d+) \| (?:Lesson (\d))?", guide, re.MULTILINE)
    given = {int(number): int(after) - int(at) for (at, number), (after, _) in pairwise(plan) if number}
    assert given == {number: lessons()[number].minutes for number in given}


@pytest.mark.parametrize("lesson", lessons().values(), ids=lambda lesson: lesson.title)
def test_what_a_lesson_names_exists(lesson: Lesson) -> None:
    assert bool(lesson.presets) == bool(lesson.training_minutes)
    assert all(isinstance(presets.get(name), ExperimentSpec) for name in lesson.presets)
    assert {door.page for door in lesson.doors} <= set(navigation.paths())
    for text in (lesson.words, lesson.look_for, lesson.meaning, *(door.look_for for door in lesson.doors)):
        with_terms(text)


def test_a_term_has_the_meaning_of_the_glossary() -> None:
    glossary = dict(
        re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    )
    assert terms() == {word: glossary[word] for word in terms()}


def test_a_term_opens_by_keyboard_and_is_read_aloud() -> None:
    html = with_terms("A [[patch|patches]] it is.")
    assert 'tabindex="0"' in html
    assert f'aria-label="patches: {terms()["patch"]}"' in html


def test_the_answer_comes_after_the_guess_which_the_address_keeps(demo_page: RunPage) -> None:
    page = demo_page("learn", lesson="1")
    assert [heading.value for heading in page.header] == ["Your guess"]
    assert lessons()[1].try_next not in [text.value for text in page.markdown]
    page.radio[0].set_value(1).run()
    page.button(key="learn_commit").click().run()
    assert page.query_params["guess"] in ("1", ["1"])
    assert [heading.value for heading in page.header] == ["Your guess", "Look", "Answer", "Try next"]
    assert "16 times" in page.info[0].value, "257 tokens in place of 65"


@every_lesson
def test_each_is_walked_on_the_runs_that_come_with_the_program(number: int, demo_page: RunPage) -> None:
    page = demo_page("learn", lesson=str(number), guess="0")
    assert not page.exception
    assert not page.error
    revealed = [element.value for kind in ("success", "info") for element in page.get(kind)]
    unmeasured = any(evidence(preset) is None for preset in lessons()[number].presets)
    expected = "There are no numbers yet" if unmeasured else r"(fits|does not fit) the numbers.*\d"
    assert any(re.search(expected, text) for text in revealed), revealed


def test_the_pointing_game_tells_maps_apart_only_with_clutter(demo_page: RunPage) -> None:
    shown = demo_page("learn", lesson="7", guess="2").dataframe[0].value.set_index("Map")
    hits = shown.apply(lambda column: column.str.rstrip("%").astype(int))
    assert hits["Digits alone"].min() > 95
    assert hits["With clutter"][UNTRAINED] < hits["With clutter"].drop(UNTRAINED).min() - 10


@pytest.mark.parametrize(
    ("number", "preset", "accuracy", "right"),
    [
        (4, "lesson-skips", {"skips": 0.9, "no-skips": 0.88}, 0),
        (4, "lesson-skips", {"skips": 0.9, "no-skips": 0.5}, 1),
        (4, "lesson-skips", {"skips": 0.9, "no-skips": 0.1}, 2),
        (8, "table-3", {"teacher": 0.98, "vit": 0.6, "soft": 0.7, "hard": 0.8, "deit": 0.75}, 2),
    ],
)
def test_the_learners_own_runs_decide(
    number: int, preset: str, accuracy: dict[str, float], right: int, run_page: RunPage, store: Store
) -> None:
    finish(store, preset, accuracy)
    page = run_page("learn", lesson=str(number), guess=str(right))
    assert not page.exception
    assert "Your guess fits the numbers" in page.success[0].value
    assert any("From your runs" in caption.value for caption in page.caption)


def test_an_experiment_that_is_not_complete_answers_nothing(store: Store) -> None:
    own = submit(store, "lesson-skips")
    store.set_status(own["skips"], Status.RUNNING)
    store.set_status(own["skips"], Status.COMPLETED, update=RunUpdate(results={"test_accuracy": 0.9}))
    found = evidence("lesson-skips")
    assert found is None or not found.own


def test_models_are_compared_that_were_trained_together(store: Store) -> None:
    finish(store, "digits-quick", dict.fromkeys(("teacher", "vit", "deit"), 0.9))
    finish(store, "lesson-positions", {"positions": 0.9, "no-positions": 0.7})
    assert [run.name for run in together(("DeiT", "ViT"), source="digits")] == ["deit", "vit"]
    assert together(("DeiT", "ViT"), source="fashion-mnist") == []


def test_a_model_that_learned_nothing_is_passed_over_and_named(store: Store) -> None:
    finish(store, "digits-quick", {"teacher": 0.9, "vit": 0.41, "deit": 0.9})
    finish(store, "digits-quick", {"teacher": 0.9, "vit": 0.39, "deit": 0.9})
    found = newest("ViT")
    assert found is not None
    assert found.results["test_accuracy"] == 0.41, "with ten classes the limit is 0.4"
    assert "From run 2 vit. Run 5 vit is newer" in from_newest(found)
    assert "is newer" not in from_newest(found, source="mnist")
    assert newest("ViT", source="mnist") is None


def test_an_interval_is_over_the_seeds_of_one_model(store: Store) -> None:
    enqueue(store, replace(presets.get("scattered-quick"), {"seeds": 3}))
    submit(store, "table-3")
    of_vits = [run for run in store.runs() if isinstance(run.spec.model, VisionTransformerSpec)]
    chosen = most_seeds([run for run in of_vits if not run.spec.distillation])
    assert {run.experiment_name for run in chosen} == {"scattered-quick"}
    assert len({run.spec.seed for run in chosen}) == len(chosen) == 3


def test_one_click_starts_the_training_of_a_lesson(run_page: RunPage, store: Store) -> None:
    page = run_page("learn", lesson="4")
    page.button(key="learn_train_lesson-skips").click().run()
    assert not page.exception
    names = {run.name for run in store.runs()}
    assert names == {run.name for run in trainings(presets.get("lesson-skips"))}


def test_a_lesson_goes_along_to_another_page(store: Store) -> None:
    page = AppTest.from_string(
        "import streamlit as st\n"
        "from dashboard.navigation import pages\n"
        "from dashboard.lessons import panel\n"
        "st.navigation(pages(), position='hidden')\n"
        "panel.draw('attention')",
        default_timeout=600,
    )
    page.query_params["lesson"] = "2"
    page.run()
    assert not page.exception
    assert "Lesson 2" in page.sidebar.markdown[0].value
    assert any("discard ratio is 0.9" in text.value for text in page.sidebar.markdown)


@pytest.mark.parametrize("text", ["9", "0", "-1", "one", "٣", "²", ""])
def test_an_address_without_such_a_lesson_shows_the_list(text: str, run_page: RunPage) -> None:
    page = run_page("learn", lesson=text)
    assert not page.exception
    assert page.title[0].value == "Learn"
