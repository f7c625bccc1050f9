"""The live feed tells a page what it has not drawn: points once each, and when points are not enough."""

import asyncio
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from dashboard import state
from dashboard.live import messages
from dashboard.live import server as live
from dashboard.run_status import explain
from deit_core.runs import NewPoint, PointKind, RunUpdate, Status, Store
from deit_core.runs.database import Listener


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(live, "PERIOD_S", 0.01)
    monkeypatch.setattr(live, "PERIOD_OF_EACH_S", 0.0)
    monkeypatch.setattr(live, "REDRAW_S", 0.0)
    monkeypatch.setattr(live, "PATIENCE_S", 600.0)
    with TestClient(Starlette(routes=[WebSocketRoute("/live", live.listen)])) as client:
        yield client


@pytest.fixture
def run_id(store: Store, every_status: dict[str, str]) -> str:
    return every_status["running"]


def say(page: WebSocketTestSession, store: Store, run_id: str) -> None:
    """What a page says once it has drawn everything."""
    runs = store.runs()
    drawn = live.drawn(runs, [run_id])
    page.send_json({"runs": drawn.seqs, "state": drawn.state, "progress": live.drawn_progress(runs)})


def add_point(store: Store, run_id: str, kind: PointKind, step: int, metrics: dict[str, float]) -> None:
    store.add_points(run_id, [NewPoint(kind, step, step / 10, step / 10, metrics)])


def step(store: Store, run_id: str, number: int, kind: PointKind = "step") -> None:
    add_point(store, run_id, kind, number, {"train_loss": 0.5, "lr": float("inf")})


def hear(page: WebSocketTestSession) -> tuple[list[int], str]:
    """The steps that are new, and what should be drawn again."""
    news: dict[str, Any] = page.receive_json()
    return [point["step"] for points in news["points"].values() for point in points], news["redraw"]


def test_points_are_heard_once(client: TestClient, store: Store, run_id: str) -> None:
    with client.websocket_connect("/live") as page:
        say(page, store, run_id)
        for number in (11, 12):
            step(store, run_id, number)
            assert hear(page) == ([number], "")


def test_a_point_says_all_that_a_chart_draws(client: TestClient, store: Store, run_id: str) -> None:
    with client.websocket_connect("/live") as page:
        say(page, store, run_id)
        step(store, run_id, 11)
        (point,) = page.receive_json()["points"][run_id]
    newest = state.curves().since(run_id, 0)[-1]
    assert point["seq"] == newest.seq
    assert (point["kind"], point["epoch"], point["elapsed_s"]) == ("step", 1.1, 1.1)
    assert point["metrics"] == {"train_loss": 0.5, "lr": None}, "JSON has no infinity"


def test_every_page_hears_what_it_has_not_drawn(client: TestClient, store: Store, run_id: str) -> None:
    with client.websocket_connect("/live") as early, client.websocket_connect("/live") as late:
        say(early, store, run_id)
        step(store, run_id, 11)
        assert hear(early) == ([11], "")
        say(late, store, run_id)
        step(store, run_id, 12)
        assert hear(early) == hear(late) == ([12], "")


def test_a_new_status_draws_the_page_again(client: TestClient, store: Store, run_id: str) -> None:
    with client.websocket_connect("/live") as page:
        say(page, store, run_id)
        store.set_status(run_id, Status.COMPLETED)
        assert hear(page) == ([], "page")
        say(page, store, run_id)
        step(store, run_id, 11)
        assert hear(page) == ([11], ""), "it is drawn now"


def test_a_store_that_breaks_lets_the_page_be_drawn_again(client: TestClient, store: Store, run_id: str) -> None:
    with client.websocket_connect("/live") as page:
        say(page, store, run_id)
        store.close()
        store.database.path.write_bytes(b"no database" * 500)
        log = Path(f"{store.database.path}-wal")
        log.unlink(missing_ok=True)  # the feed may have it open, and all is in there once more
        state.store.clear()
        assert hear(page) == ([], "page")


def test_a_first_point_of_its_kind_draws_the_page_again(client: TestClient, store: Store, run_id: str) -> None:
    with client.websocket_connect("/live") as page:
        say(page, store, run_id)
        add_point(store, run_id, "epoch", 11, {"val_accuracy_class": 0.5})
        assert hear(page) == ([11], "page")


def test_a_resumed_session_draws_the_page_again(client: TestClient, store: Store, run_id: str) -> None:
    with client.websocket_connect("/live") as page:
        say(page, store, run_id)
        add_point(store, run_id, "start", 5, {})
        assert hear(page)[1] == "page"


def test_progress_is_drawn_without_the_rest(client: TestClient, store: Store, run_id: str) -> None:
    with client.websocket_connect("/live") as page:
        say(page, store, run_id)
        store.add_points(run_id, [], RunUpdate(step=12))
        assert hear(page) == ([], "progress")


def test_how_a_run_is_is_heard_without_a_redraw(
    client: TestClient, store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "REDRAW_S", 60.0)
    store.add_points(run_id, [], RunUpdate(step=11, total_steps=100))
    drawn = explain(store.run(run_id), store.runs())
    with client.websocket_connect("/live") as page:
        say(page, store, run_id)
        step(store, run_id, 12)
        assert page.receive_json()["lines"] == {}, "it has been drawn so"
        store.add_points(run_id, [], RunUpdate(time_left_s=7200.0))
        now = explain(store.run(run_id), store.runs())
        assert now != drawn
        assert page.receive_json() == {"points": {}, "lines": {run_id: now}, "redraw": ""}


def test_a_page_that_was_asked_is_left_alone(client: TestClient, store: Store, run_id: str) -> None:
    with client.websocket_connect("/live") as page:
        say(page, store, run_id)
        store.add_points(run_id, [], RunUpdate(step=12))
        assert hear(page) == ([], "progress")
        step(store, run_id, 13)
        assert hear(page) == ([13], "")


def test_progress_is_drawn_less_often_the_more_watch(
    client: TestClient, store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "REDRAW_S", 60.0)
    with client.websocket_connect("/live") as page:
        say(page, store, run_id)
        store.add_points(run_id, [], RunUpdate(step=12))
        step(store, run_id, 13)
        assert hear(page) == ([13], ""), "its progress is not due"


def test_another_site_s_page_cannot_listen(client: TestClient) -> None:
    with client.websocket_connect("/live", headers={"Origin": "http://testserver"}):
        pass
    with (
        pytest.raises(WebSocketDisconnect) as refusal,
        client.websocket_connect("/live", headers={"Origin": "https://elsewhere.example"}),
    ):
        pass
    assert refusal.value.code == 1008


INVENTED = {f"invented{number}": 0 for number in range(100_000)}


def report(runs: object = None, **more: object) -> str:
    return json.dumps({"runs": runs or {}, "state": "x", "progress": "x"} | more)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (report(INVENTED), "more than 65,536 characters"),
        ("no JSON", "not a report"),
        ("[" * 60_000, "not a report"),
        ("[]", "not a report"),
        ('{"runs": {}}', "not a report"),
        (report(more=1), "not a report"),
        (report({"run": -1}), "not a report"),
        (report({"run": 1e300}), "not a report"),
        (report({"run": 2**64}), "not a report"),
        (report({"run": "1"}), "not a report"),
        (report(["run"]), "not a report"),
        (report(state="x" * 101), "not a report"),
        (report({"x" * 101: 0}), "not a report"),
        ("\x1b]0;owned\x07", "not a report"),
        (b"bytes", "not text"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_message_that_no_page_sends_ends_its_connection_alone(
    client: TestClient,
    store: Store,
    run_id: str,
    caplog: pytest.LogCaptureFixture,
    message: str | bytes,
    reason: str,
) -> None:
    with client.websocket_connect("/live") as page, client.websocket_connect("/live") as attacker:
        say(page, store, run_id)
        attacker.send({"type": "websocket.receive", "bytes" if isinstance(message, bytes) else "text": message})
        with pytest.raises(WebSocketDisconnect) as end:
            attacker.receive_json()
        assert end.value.code == 1008
        step(store, run_id, 11)
        assert hear(page) == ([11], "")
    (line,) = [record.getMessage() for record in caplog.records]
    assert reason in line
    assert line.isprintable()


def refused(page: WebSocketTestSession) -> bool:
    """Whether the feed ends the connection of a page that is not silent."""
    while (message := page.receive())["type"] != "websocket.close":
        pass
    return bool(message["code"] == 1008)


def test_too_many_messages_end_their_connection_alone(
    client: TestClient, store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "RATE_S", 600.0)
    with client.websocket_connect("/live") as page, client.websocket_connect("/live") as attacker:
        say(page, store, run_id)
        for _ in range(2 * messages.MAX_MESSAGES):  # the client loses one where a wait ends at the moment it comes
            attacker.send_text(report())
        assert refused(attacker)
        step(store, run_id, 11)
        assert hear(page) == ([11], "")


def test_runs_that_do_not_exist_are_not_read(client: TestClient, store: Store, run_id: str) -> None:
    with client.websocket_connect("/live") as attacker:
        attacker.send_text(report(dict.fromkeys([*list(INVENTED)[:3000], run_id], 0)))
        assert attacker.receive_json()["points"].keys() == {run_id}
    assert state.curves().newest(run_id), "the curves of the others have taken its place"


def test_no_more_runs_are_read_for_a_page_than_curves_are_kept(
    client: TestClient, store: Store, every_status: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_RUNS", 2)
    with client.websocket_connect("/live") as page:
        page.send_text(report(dict.fromkeys(every_status.values(), 0)))
        page.receive_json()
    assert {run_id for run_id in every_status.values() if state.curves().newest(run_id)} <= {
        run.id for run in store.runs()[:2]
    }


def test_many_pages_slow_the_feed_only_so_far(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_COUNTED", 2)
    reader = live.Reader()
    with reader.watching(), reader.watching():
        slowest_s = reader.period_s
        with reader.watching():
            assert (reader.num_watching, reader.period_s) == (2, slowest_s)
    assert reader.num_watching == 0


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the store will say, each time that it is asked whether it has news."""
    told: list[bool] = []
    listener = Listener()
    monkeypatch.setattr(listener, "has_news", lambda: told.pop(0))
    monkeypatch.setattr(state, "listener", lambda: listener)
    for period in ("PERIOD_S", "IDLE_PERIOD_S", "PERIOD_OF_EACH_S"):
        monkeypatch.setattr(live, period, 0.0)
    monkeypatch.setattr(live, "READING_SHARE", math.inf)
    return told


def test_a_store_that_tells_is_read_when_it_has_told(store: Store, run_id: str, told: list[bool]) -> None:
    told += [True, False, True]
    reader, seen = live.Reader(), []
    for number in (11, 12, 13):
        store.add_points(run_id, [], RunUpdate(step=number))
        seen += [run.step for run in asyncio.run(reader.look([])) if run.id == run_id]
    assert seen == [11, 11, 13]


def test_a_run_that_a_page_begins_to_watch_is_read_untold(store: Store, run_id: str, told: list[bool]) -> None:
    told += [True, False]
    reader = live.Reader()
    asyncio.run(reader.look([]))
    before = state.curves().newest(run_id)
    step(store, run_id, 11)
    asyncio.run(reader.look([run_id]))
    assert state.curves().newest(run_id) > before
