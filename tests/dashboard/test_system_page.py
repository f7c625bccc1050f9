"""The System page shows what goes on now, and the doctor's findings."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import state
from deit_core import presets
from deit_core.doctor import examine
from deit_core.runs import RunUpdate, Status, Store, enqueue, queue
from deit_core.runs.nodes import Node, write_nodes


def test_it_shows_the_queue_the_workers_and_the_findings(
    store: Store, run_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    runs = [enqueue(store, presets.smoke())[0] for _ in range(3)]
    worker_id, _ = queue.register(store, 1, node_id="n2") or ("", None)
    write_nodes(store, [Node("n1", "big", 64.0, 8.0), Node("n2", "small", 4.0, 0.0)])
    store.set_status(runs[1], Status.RUNNING, update=RunUpdate(worker_id=worker_id))
    page = run_page("system")
    assert not page.exception
    numbers = {metric.label: metric.value for metric in page.metric}
    assert numbers["Runs in the queue"] == "2"
    assert (numbers["Runs that train"], numbers["Workers"]) == ("1", "1")
    (row,) = page.table[0].value.to_dict("records")
    assert row["Run"] == "Run 2"
    assert row["Heartbeat"].endswith("s ago")
    nodes = page.table[1].value.to_dict("records")
    assert [(node["Node"], node["Has"], node["Trains"]) for node in nodes] == [
        ("big", "64 cores, 8 GPUs", "nothing"),
        ("small", "4 cores, 0 GPUs", "Run 2"),
    ]
    words = " ".join(markdown.value for markdown in page.markdown).replace("\\", "")
    assert all(finding.sentence in words.replace("\u2060", "") for finding in examine()[:4])
    assert "material/error" not in words


def test_a_finding_has_its_remedy(
    store: Store, run_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = run_page("system")
    state.settings().data_dir.write_text("a file where a folder should be")
    page.button[0].click().run()
    (wrong,) = (markdown.value for markdown in page.markdown if "material/error" in markdown.value)
    assert "choose another" in wrong


def test_visitors_of_an_open_server_are_shown_no_folders(
    store: Store, run_page: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEIT_OPEN", "1")
    page = run_page("system")
    assert not page.exception
    shown = [element.value for element in (*page.markdown, *page.caption)]
    assert not any(str(state.settings().runs_dir.parent) in words for words in shown)
    assert any("python -m deit_core doctor" in words for words in shown)
