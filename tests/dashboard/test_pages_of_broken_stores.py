"""Whatever is wrong with a store: every page shows what it can, or one sentence; and a server looks after workers."""

import threading
from collections.abc import Callable

import pytest
import streamlit as st
from broken_stores import AROUND, FILES, ROWS
from streamlit.testing.v1 import AppTest

from dashboard.live.server import drawn
from dashboard.live.workers import look_after_workers
from deit_core.presets import smoke
from deit_core.runs import Status, Store, enqueue, queue, schema

RunPage = Callable[..., AppTest]
PAGES = ("train", "runs", "compare", "attention")


def texts(page: AppTest) -> str:
    assert not page.exception, page.exception
    return "\n".join(
        element.value for kind in ("error", "warning", "markdown", "caption") for element in page.get(kind)
    )


@pytest.mark.parametrize("how", ["not a store", "lacks a column", "of a newer version"])
def test_a_store_that_cannot_be_used_is_a_sentence_on_every_page(
    how: str, run_page: RunPage, store: Store, trio: dict[str, str]
) -> None:
    store.close()
    FILES[how](store.database.path)
    st.cache_resource.clear()  # as a server that starts
    for name in PAGES:
        assert "runs.sqlite" in texts(run_page(name)).replace("\\", ""), name


@pytest.mark.parametrize("how", ["an unknown status", "no id"])
def test_a_bad_row_hides_no_other_run(how: str, run_page: RunPage, store: Store, trio: dict[str, str]) -> None:
    ROWS[how](store.database.path)
    for name in ("train", "compare", "attention"):
        assert "runs.sqlite" not in texts(run_page(name)), name
    text = texts(run_page("runs"))
    assert "1 run cannot be shown" in text
    assert "**Run 1**: its " in text
    assert "**3 deit**" in text


def test_a_bad_row_is_deleted_on_the_runs_page(run_page: RunPage, store: Store) -> None:
    for _ in range(2):
        enqueue(store, smoke())
    ROWS["results that are not JSON"](store.database.path)
    page = run_page("runs")
    page.button("delete-unreadable-1").click().run()
    page.button("delete-unreadable").click().run()
    assert "cannot be shown" not in texts(page)
    assert [run.number for run in store.runs()] == [2]


def test_a_store_in_which_no_run_can_be_read_lists_them(run_page: RunPage, store: Store) -> None:
    enqueue(store, smoke())
    ROWS["no status"](store.database.path)
    text = texts(run_page("runs"))
    assert "1 run cannot be shown" in text
    assert "No run yet" not in text


@pytest.mark.parametrize("how", ["points that are not JSON", "points that are no numbers"])
def test_points_that_cannot_be_read_are_left_out_of_the_curves(
    how: str, run_page: RunPage, store: Store, trio: dict[str, str]
) -> None:
    AROUND[how](store.database.path)
    for name in ("runs", "compare"):
        texts(run_page(name))
    assert drawn(store.runs(), list(trio.values())).seqs.keys() == set(trio.values())


def test_a_server_without_a_page_finds_dead_workers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.live.workers.PERIOD_S", 0.01)
    (run_id,) = enqueue(store, smoke())
    entry = queue.register(store, num_slots=1)
    assert entry is not None
    queue.claim(store, entry[0])
    with store.writing() as connection:
        connection.execute(schema.pulses.update().values(process_start=1))  # of a process that is gone
    end = threading.Event()
    thread = threading.Thread(target=look_after_workers, args=(end,))
    thread.start()
    for _ in range(1000):
        if store.run(run_id).status == Status.INTERRUPTED:
            break
        end.wait(0.01)
    end.set()
    thread.join()
    assert store.run(run_id).status == Status.INTERRUPTED
