"""Back, in a real browser, over the pages of the real dashboard: one press shows a page as it was left."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, TimeoutError, expect

from deit_core import presets
from deit_core.catalog import SOURCES
from deit_core.layout import run_folder
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import NewPoint, RunUpdate, Status, enqueue, open_store

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.browser


def save_trio(runs_dir: Path) -> dict[str, str]:
    """What the runs of digits-quick leave behind: name -> id."""
    store = open_store(f"sqlite:///{runs_dir / 'runs.sqlite'}")
    runs = {store.run(run_id).name: store.run(run_id) for run_id in enqueue(store, presets.get("digits-quick"))}
    classes = SOURCES["digits"].classes
    for run in runs.values():
        store.set_status(run.id, Status.RUNNING)
        metrics = {"train_loss": 1.0, "train_accuracy": 0.5}
        store.add_points(run.id, [NewPoint("step", 1, 0.1, 1.0, metrics)], RunUpdate(step=1))
        results = {"test_accuracy": 0.9, "train_time_s": 1.0}
        store.set_status(run.id, Status.COMPLETED, update=RunUpdate(results=results))
        card = ModelCard(
            spec=run.spec,
            classes=classes,
            in_chans=1,
            mean=(0.3,),
            std=(0.3,),
            data_hash="",
            epoch=1,
            step=1,
            metrics={},
        )
        model = build_model(run.spec, in_chans=1, num_classes=len(classes))
        for name in ("best", "last"):
            save_weights(run_folder(runs_dir, run.id) / f"{name}.safetensors", model, card)
    store.close()
    return {name: run.id for name, run in runs.items()}


@pytest.fixture(scope="module")
def trio(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """The dashboard's address, and the runs in its store."""
    folder = tmp_path_factory.mktemp("runs")
    ids = save_trio(folder)
    return serve_app(ROOT / "dashboard" / "app.py", env={"DEIT_RUNS_DIR": str(folder)}), ids


def title(page: Page, name: str) -> Locator:
    return page.get_by_role("heading", name=name, level=1, exact=True)


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="App pages").get_by_role("link", name=name, exact=True).click()
    expect(title(page, name)).to_be_visible()


def combobox(page: Page, name: str) -> Locator:
    """The one of this name, once what it replaces is gone."""
    found = page.get_by_role("combobox", name=name, exact=True)
    expect(found).to_have_count(1)
    return found


def choose(page: Page, widget: str, option: str) -> None:
    """Type an option and click it, since a long list shows a part of itself; once more where a page that was still
    being drawn closed the list.
    """
    wait_until_drawn(page)
    choice = page.get_by_role("option", name=option, exact=True)
    for _ in range(5):
        combobox(page, widget).click()
        combobox(page, widget).fill(option)
        with contextlib.suppress(TimeoutError):
            return choice.click(timeout=10_000)
        page.keyboard.press("Escape")
    raise AssertionError(f"{widget} never offered {option}")


def epochs(page: Page) -> Locator:
    return page.get_by_role("spinbutton", name="Epochs", exact=True)


def change_train(page: Page) -> None:
    choose(page, "Preset", "smoke")
    expect(page.get_by_role("button", name="Start this run")).to_be_visible()
    epochs(page).fill("7")
    epochs(page).press("Enter")
    expect(page.get_by_text("Changed: optim.epochs = 7")).to_be_visible()


def see_train(page: Page) -> None:
    expect(combobox(page, "Preset")).to_have_value("smoke")
    expect(epochs(page)).to_have_value("7")


def change_runs(page: Page) -> None:
    page.locator(".st-key-runs input").press("Backspace")


def see_runs(page: Page) -> None:
    expect(page.locator(".st-key-runs")).to_contain_text("2 vit")
    expect(page.locator(".st-key-runs")).not_to_contain_text("3 deit")


def change_compare(page: Page) -> None:
    page.locator(".st-key-compare input").press("Backspace")


def see_compare(page: Page) -> None:
    expect(page.locator(".st-key-compare")).to_contain_text("2 vit")
    expect(page.locator(".st-key-compare")).not_to_contain_text("3 deit")


def change_attention(page: Page) -> None:
    choose(page, "Combine the heads", "max")


def see_attention(page: Page) -> None:
    for name, value in (("Combine the heads", "max"), ("Model", "2 vit · 90.0%"), ("Second model", "3 deit · 90.0%")):
        expect(combobox(page, name)).to_have_value(value)


def change_data(page: Page) -> None:
    page.get_by_text("Digits", exact=True).click()


def see_data(page: Page) -> None:
    expect(page.get_by_role("radio", name="Digits", exact=True)).to_be_checked()


def wait_until_drawn(page: Page) -> None:
    """A step in the history while a page is drawn may be lost: the end of the drawing sets the address once more."""
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()


def change_nothing(page: Page) -> None:
    pass


JOURNEYS: dict[str, tuple[Callable[[Page], None], str, Callable[[Page], None]]] = {
    # page: what a person changes there, what the address says then, and what Back has to show
    "Train": (change_train, "?preset=smoke&set=optim.epochs%3D7", see_train),
    "Runs": (change_runs, "?runs={teacher}&runs={vit}", see_runs),
    "Compare": (change_compare, "?compare={vit}", see_compare),
    "Attention": (change_attention, "?att_heads=max&att_left={vit}&att_right={deit}", see_attention),
    "Data": (change_data, "?data=Digits", see_data),
    "Learn": (change_nothing, "", change_nothing),
}


def at(url: str, name: str, query: str) -> re.Pattern[str]:
    """The address of a page, in whatever order its settings stand."""
    settings = sorted(query.removeprefix("?").split("&")) if query else []
    ahead = "".join(rf"(?=.*[?&]{re.escape(one)}(&|$))" for one in settings)
    length = "" if not settings else r"\?[^&]+" + r"&[^&]+" * (len(settings) - 1)
    return re.compile(rf"^{ahead}{re.escape(url)}/{name.lower()}{length}$")


@pytest.mark.parametrize("name", JOURNEYS)
def test_back_brings_the_page_as_it_was_left(
    name: str, trio: tuple[str, dict[str, str]], page: Page, page_errors: list[str]
) -> None:
    url, ids = trio
    change, query, see = JOURNEYS[name]
    before, after = ("Learn", "Runs") if name not in ("Learn", "Runs") else ("Train", "Compare")
    page.goto(f"{url}/{before.lower()}")
    expect(title(page, before)).to_be_visible()
    entries = page.evaluate("history.length")
    go(page, name)
    change(page)
    left = at(url, name, query.format(**ids))
    expect(page).to_have_url(left)
    see(page)
    wait_until_drawn(page)
    go(page, after)
    expect(page).to_have_url(re.compile(rf"/{after.lower()}\?{after.lower()}="))
    assert page.evaluate("history.length") == entries + 2, "a visit is one entry, whatever the page writes at first"

    wait_until_drawn(page)
    page.go_back()
    expect(title(page, name)).to_be_visible()
    see(page)
    expect(page).to_have_url(left)
    wait_until_drawn(page)
    page.go_back()
    expect(title(page, before)).to_be_visible()
    wait_until_drawn(page)
    page.go_forward()
    expect(title(page, name)).to_be_visible()
    see(page)
    expect(page).to_have_url(left)
    assert page_errors == []


def test_from_runs_to_attention_to_compare_and_back(trio: tuple[str, dict[str, str]], page: Page) -> None:
    url, ids = trio
    page.goto(f"{url}/runs")
    runs = at(url, "Runs", "?runs={teacher}&runs={vit}&runs={deit}".format(**ids))
    expect(page).to_have_url(runs)
    go(page, "Attention")
    change_attention(page)
    attention = at(url, "Attention", JOURNEYS["Attention"][1].format(**ids))
    expect(page).to_have_url(attention)
    go(page, "Compare")
    wait_until_drawn(page)
    page.go_back()
    see_attention(page)
    expect(page).to_have_url(attention)
    wait_until_drawn(page)
    page.go_back()
    expect(page.locator(".st-key-runs")).to_contain_text("1 teacher")
    expect(page.locator(".st-key-runs")).to_contain_text("3 deit")
    expect(page).to_have_url(runs)
