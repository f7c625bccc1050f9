"""The runs folder is moved or removed while the dashboard is open: pages say so, and what is started is kept."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboard import state
from dashboard.live import server as live
from dashboard.run_status import label
from deit_core.presets import smoke
from deit_core.runs import Store, enqueue, open_store

_PAGE = """
import streamlit as st
from dashboard.navigation import pages, show
st.navigation(pages(), position="hidden")
show({name!r})
"""
_GONE = "is gone: it was moved or removed"
_REPLACED = "is another file than before"

Open = Callable[[str], AppTest]


@pytest.fixture
def runs_dir(store: Store) -> Path:
    return state.settings().runs_dir


@pytest.fixture
def open_page(store: Store) -> Open:
    def open_page(name: str) -> AppTest:
        page = AppTest.from_string(_PAGE.format(name=name), default_timeout=600).run()
        assert not page.exception
        return page

    return open_page


def said(page: AppTest) -> str:
    assert not page.exception
    kinds = ("title", "markdown", "caption", "info", "success", "error", "warning")
    texts = [element.value for kind in kinds for element in page.get(kind)]
    return "\n".join(texts).replace("\\", "").replace("\u2060", "")


@pytest.mark.parametrize(
    "name", ["home", "train", "runs", "compare", "attention", "predict", "lab", "data", "learn", "system"]
)
def test_every_page_says_that_the_store_is_gone_until_it_is_back(
    name: str, open_page: Open, runs_dir: Path, trio: dict[str, str]
) -> None:
    page = open_page(name)
    assert _GONE not in said(page)
    moved = runs_dir.rename(runs_dir.with_name("moved"))
    assert f"{runs_dir / 'runs.sqlite'} {_GONE}" in said(page.run())
    assert not runs_dir.exists(), "it could not be moved back"
    moved.rename(runs_dir)
    assert _GONE not in said(page.run())
    assert _REPLACED not in said(page)


def test_runs_that_went_are_shown_no_longer(open_page: Open, runs_dir: Path, every_status: dict[str, str]) -> None:
    page = open_page("runs")
    assert "7 smoke" in said(page)
    shutil.rmtree(runs_dir)
    text = said(page.run())
    assert "smoke" not in text
    assert "queued" not in text


def test_what_is_started_afterwards_is_kept_where_its_worker_looks(
    open_page: Open, runs_dir: Path, store: Store, trio: dict[str, str]
) -> None:
    page = open_page("train")
    shutil.rmtree(runs_dir)
    page.run()
    page.button(key="start").click().run()
    assert "Queued: 1 teacher, 2 vit, 3 deit." in said(page)
    assert {run.name for run in open_store(store.database.url).runs()} == {"teacher", "vit", "deit"}
    assert not {run.id for run in store.runs()} & set(trio.values())
    text = said(page.run())
    assert _REPLACED in text
    assert _GONE not in text
    assert _REPLACED not in said(open_page("runs")), "who comes later has missed nothing"


def test_nothing_reads_queued_that_went(open_page: Open, runs_dir: Path, store: Store) -> None:
    page = open_page("train")
    page.button(key="start").click().run()
    assert "Training continues when this page is closed." in said(page)
    shutil.rmtree(runs_dir)
    text = said(page.run())
    assert "Training continues" not in text
    assert "The runs that were started here are gone" in text


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(live, "PERIOD_S", 0.01)
    monkeypatch.setattr(live, "IDLE_PERIOD_S", 0.01)
    monkeypatch.setattr(live, "PERIOD_OF_EACH_S", 0.0)
    with TestClient(Starlette(routes=[WebSocketRoute("/live", live.listen)])) as client:
        yield client


def test_a_page_that_is_looked_at_is_drawn_again_when_the_store_goes_and_comes(
    client: TestClient, store: Store, runs_dir: Path
) -> None:
    (run_id,) = enqueue(store, smoke())

    def say() -> None:
        runs = store.runs()
        drawn = live.drawn(runs, [run.id for run in runs])
        page.send_json({"runs": drawn.seqs, "state": drawn.state, "progress": live.drawn_progress(runs)})

    with client.websocket_connect("/live") as page:
        say()
        moved = runs_dir.rename(runs_dir.with_name("moved"))
        assert page.receive_json()["redraw"] == "page"
        say()
        moved.rename(runs_dir)
        assert page.receive_json()["redraw"] == "page"
        say()
        shutil.copytree(runs_dir, moved)
        shutil.rmtree(runs_dir)
        moved.rename(runs_dir)
        assert page.receive_json()["redraw"] == "page", "its runs are the same, but the file is not"
        say()
        shutil.rmtree(runs_dir)
        assert page.receive_json()["redraw"] == "page"
        say()
        (new,) = enqueue(store, smoke())
        assert page.receive_json()["redraw"] == "page"
    assert [label(run) for run in store.runs()] == ["1 smoke"]
    assert new != run_id


def test_an_empty_runs_page_listens_too(open_page: Open) -> None:
    page = open_page("runs")
    assert "No run yet" in said(page)
    names = [element.proto.component_name for element in page.get("bidi_component")]
    assert "deit_lab_live_feed" in names
