"""A student goes through lessons in a real browser: the guess, the answer, another page with the lesson beside it.

With LESSONS=1 (`make test-lessons`) the lessons that train are walked too, from an empty runs folder, with real
training; the revealed answer is compared with the numbers in the store.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from deit_core import presets
from deit_core.lessons.baselines import BRIGHTNESS
from deit_core.metrics import TEST_ACCURACY, TOKEN_COSINES
from deit_core.runs import Run, Status, enqueue, open_store
from deit_core.runs.store import Store
from deit_core.spec import VisionTransformerSpec, replace

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.browser

trained = pytest.mark.skipif(os.environ.get("LESSONS") != "1", reason="trains for minutes: make test-lessons")

_TRAINING_S = 1500  # a few minutes where nothing else computes

WaitUntil = Callable[..., None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lessons")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[Store]:
    (folder / "runs").mkdir()
    opened = open_store(f"sqlite:///{folder / 'runs' / 'runs.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def url(serve_app: Callable[..., str], folder: Path, store: Store) -> str:
    """The dashboard with an empty store and the runs that come with the program."""
    env = {
        "DEIT_RUNS_DIR": str(folder / "runs"),
        "DEIT_DATA_DIR": str(folder / "data"),
        "DEIT_WORKERS": "2",
        "DEIT_DEMO_RUNS": "1",
        "OMP_NUM_THREADS": "1",
    }
    return serve_app(ROOT / "dashboard" / "app.py", env=env)


def guess(page: Page, number: int) -> str:
    """Commit to an option, counted from 0, and return the answer that is then revealed."""
    page.get_by_role("radio").nth(number).locator("xpath=ancestor::label").click()
    page.get_by_role("button", name="This is my guess").click()
    revealed = page.get_by_test_id("stAlert").filter(has_text="fit")
    expect(revealed).to_be_visible()
    return revealed.inner_text()


def test_a_guess_leads_to_the_answer_and_on_to_another_page(url: str, page: Page, page_errors: list[str]) -> None:
    page.goto(f"{url}/learn")
    page.get_by_role("link", name="2. Attention").click()
    expect(page.get_by_role("heading", name="2. Attention")).to_be_visible()
    expect(page).to_have_url(re.compile(r"lesson=2$"))
    assert "rank correlation" in guess(page, 1)
    expect(page).to_have_url(re.compile(r"lesson=2&guess=1$"))
    page.reload()
    expect(page.get_by_role("heading", name="Answer")).to_be_visible()
    page.get_by_role("link", name="Open Attention with a discard of 0.9").click()
    expect(page.get_by_text("Lesson 2: Attention")).to_be_visible()
    expect(page.get_by_role("slider", name="Leave out weak links")).to_have_value("0.9")
    page.get_by_role("link", name="Back to the lesson").click()
    expect(page.get_by_role("heading", name="Answer")).to_be_visible()
    page.get_by_role("link", name="Next: 3").click()
    expect(page.get_by_role("button", name="This is my guess")).to_be_visible()
    assert page_errors == []


def test_a_word_opens_by_keyboard(url: str, page: Page) -> None:
    page.goto(f"{url}/learn?lesson=1")
    term = page.locator(".term").filter(has_text="patches").first
    term.focus()
    expect(term.locator(".meaning")).to_be_visible()


def test_a_lesson_opens_train_with_its_changes(url: str, page: Page) -> None:
    page.goto(f"{url}/learn?lesson=4&guess=0")
    page.get_by_role("link", name="Open Train with two blocks").click()
    expect(page.get_by_text("Changed: model.depth = 2")).to_be_visible()


def train(page: Page, url: str, store: Store, wait_until: WaitUntil, number: int, preset: str) -> dict[str, float]:
    """Start the preset on the lesson's page, wait until it is completed, and return the test accuracies by name."""
    page.goto(f"{url}/learn?lesson={number}")
    page.get_by_role("button", name=f"Train {preset}").click()
    expect(page.get_by_role("progressbar").first).to_be_visible()

    def own() -> list[Run]:
        return [run for run in store.runs() if run.experiment_name == preset]

    def is_over() -> bool:
        return all(run.status not in (Status.QUEUED, Status.RUNNING) for run in own())

    wait_until(is_over, _TRAINING_S)
    assert {run.status for run in own()} == {Status.COMPLETED}
    return {run.name: run.results[TEST_ACCURACY] for run in own()}


@trained
def test_lesson_3_from_an_empty_folder(url: str, page: Page, store: Store, wait_until: WaitUntil) -> None:
    accuracy = train(page, url, store, wait_until, 3, "lesson-fractions")
    page.reload()
    answer = guess(page, 0)
    for model in ("cnn", "vit", "deit"):
        assert f"{accuracy[f'{model}-10pct']:.1%}" in answer
    assert "Your guess fits" in answer, "the CNN is ahead with few images"


@trained
def test_lesson_4_from_an_empty_folder(url: str, page: Page, store: Store, wait_until: WaitUntil) -> None:
    accuracy = train(page, url, store, wait_until, 4, "lesson-skips")
    page.reload()
    answer = guess(page, 0)
    assert f"{accuracy['skips']:.1%}, without {accuracy['no-skips']:.1%}" in answer
    assert accuracy["skips"] > accuracy["no-skips"] + 0.2


@trained
def test_lesson_5_from_an_empty_folder(url: str, page: Page, store: Store, wait_until: WaitUntil) -> None:
    accuracy = train(page, url, store, wait_until, 5, "lesson-teachers")
    page.reload()
    answer = guess(page, 0)
    gain = accuracy["deit-narrow"] - accuracy["vit"]
    assert f"{100 * gain:+.1f} points" in answer
    assert accuracy["narrow"] < accuracy["resnet"]


@pytest.fixture
def table_3(url: str, page: Page, store: Store, wait_until: WaitUntil) -> dict[str, float]:
    """Test accuracies by name of one's own short table-3, trained for the first test that asks."""

    def own() -> list[Run]:
        return [run for run in store.runs() if run.experiment_name == "table-3"]

    if not own():
        short = {"optim.epochs": 25, "optim.warmup_epochs": 3}  # fewer, and the lessons pass over what learned little
        enqueue(store, replace(presets.get("table-3"), short))
    page.goto(f"{url}/runs")
    wait_until(lambda: all(run.status == Status.COMPLETED for run in own()), _TRAINING_S)
    return {run.name: run.results[TEST_ACCURACY] for run in own()}


def newest(store: Store, *, distilled: bool) -> Run:
    """The newest completed transformer of one's own, as the lessons choose it."""
    return next(
        run
        for run in store.runs()
        if run.status == Status.COMPLETED
        and isinstance(run.spec.model, VisionTransformerSpec)
        and run.spec.model.distilled == distilled
    )


@trained
@pytest.mark.usefixtures("table_3")
def test_lesson_6_tells_of_the_newest_deit(url: str, page: Page, store: Store) -> None:
    run = newest(store, distilled=True)
    page.goto(f"{url}/learn?lesson=6")
    answer = guess(page, 2)
    *_, last = store.points(run.id, kind="epoch")
    *_, deepest = (metric.name for metric in TOKEN_COSINES.values() if metric.name in last.metrics)
    assert f"{last.metrics[deepest]:.2f} at the end of training" in answer
    expect(page.get_by_text(re.compile(f"From .*{run.name}")).first).to_be_visible()


@trained
@pytest.mark.usefixtures("table_3")
def test_lesson_7_scores_the_maps_of_ones_own_models(url: str, page: Page, store: Store) -> None:
    page.goto(f"{url}/learn?lesson=7")
    answer = guess(page, 2)
    expect(page.get_by_text(re.compile(f"From .*{newest(store, distilled=False).name}")).first).to_be_visible()
    (brightness,) = re.findall(rf"{BRIGHTNESS} ([0-9]+\.[0-9])", answer)
    assert float(brightness) > 1, "on an empty canvas the digit is bright"


@trained
def test_lesson_8_makes_the_table_of_ones_own_runs(url: str, page: Page, table_3: dict[str, float]) -> None:
    page.goto(f"{url}/learn?lesson=8")
    answer = guess(page, 3)
    rows = {"vit": "No teacher", "soft": "Soft", "hard": "Hard", "deit": "Hard"}
    first, second = sorted(rows, key=lambda name: -table_3[name])[:2]
    assert rows[first] in answer
    assert f"{100 * (table_3[first] - table_3[second]):.1f} points ahead" in answer
