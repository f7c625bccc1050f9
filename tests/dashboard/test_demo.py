"""A demo shows finished runs, and its visitors change nothing, whatever they send."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import reach, state
from dashboard.server import start
from deit_core import presets
from deit_core.errors import RunError
from deit_core.runs import RunUpdate, Status, Store, enqueue
from deit_core.runs.estimates import Estimates

RunPage = Callable[..., AppTest]

_PICTURE = """
from dashboard.pictures.picture_choice import choose
from deit_core.spec import DataSpec
choose(DataSpec(source="digits", img_size=32), page="att", several=True)
"""


@pytest.fixture
def finished(store: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished run, a stopped one and a queued one, on a server that is a demo; the id of the first."""
    ids = [run_id for _ in range(3) for run_id in enqueue(store, presets.smoke())]
    for run_id, status in zip(ids, (Status.COMPLETED, Status.STOPPED), strict=False):
        store.set_status(run_id, Status.RUNNING)
        store.set_status(run_id, status, update=RunUpdate(results={"test_accuracy": 0.9}))
    monkeypatch.setenv("DEIT_DEMO", "1")
    state.launcher.clear()
    return ids[0]


def test_nobody_may_do_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(map(reach.may, reach.VISITORS_MAY))
    monkeypatch.setenv("DEIT_DEMO", "1")
    assert not any(map(reach.may, reach.VISITORS_MAY))


def test_the_launcher_refuses_what_no_page_offers(finished: str, store: Store) -> None:
    before = store.runs()
    for attempt in (state.launcher().stop, state.launcher().resume, state.launcher().delete):
        with pytest.raises(RunError, match="This is a demo"):
            attempt(finished)
    with pytest.raises(RunError, match="This is a demo"):
        state.launcher().submit(presets.smoke())
    assert store.runs() == before


def test_no_worker_starts_for_what_is_queued(finished: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a worker starts")

    monkeypatch.setattr("deit_core.runs.engines.local.start_worker", never)
    state.launcher().ensure_workers()
    state.launcher().warm()


def test_train_shows_its_presets_and_starts_nothing(
    finished: str, run_page: RunPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[object] = []
    monkeypatch.setattr(Estimates, "request", lambda *_: measured.append(1))
    page = run_page("train")
    assert not page.exception
    assert reach.DEMO in [info.value for info in page.info]
    assert [button.key for button in page.button if "start" in str(button.key)] == []
    assert not page.file_uploader
    assert not measured


def test_runs_shows_them_without_buttons(finished: str, run_page: RunPage, store: Store) -> None:
    ids = [run.id for run in store.runs()]
    page = run_page("runs", runs=ids)
    assert not page.exception
    assert any("smoke" in one.value for one in page.markdown)
    assert list(page.button) == []


def test_a_picture_is_no_upload(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for is_demo, kinds in ((False, ["Test set", "Upload", "Camera", "Draw"]), (True, ["Test set", "Draw"])):
        monkeypatch.setenv("DEIT_DEMO", "1" if is_demo else "")
        page = AppTest.from_string(_PICTURE, default_timeout=600).run()
        assert not page.exception
        assert page.button_group(key="att_picture").options == kinds


def test_the_terminal_says_that_it_is_a_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_OPEN", "1")
    assert "delete every run" in start.visitors_note()
    monkeypatch.setenv("DEIT_DEMO", "1")
    assert (
        start.visitors_note()
        == "Others can use this dashboard. It is a demo: they see every run, and can change nothing.\n"
    )
