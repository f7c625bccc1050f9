"""A curve is what its run has measured and not lost again, however it is read."""

import pytest

from deit_core import presets
from deit_core.runs import Curves, NewPoint, PointKind, Store, enqueue, open_store
from deit_core.settings import Settings


@pytest.fixture
def store(settings: Settings) -> Store:
    return open_store(settings.store_url)


@pytest.fixture
def run_id(store: Store) -> str:
    return enqueue(store, presets.smoke())[0]


def write(store: Store, run_id: str, kind: PointKind, *steps: int, session: int = 1) -> None:
    metrics = {} if kind == "start" else {"train_loss": float(session)}
    store.add_points(run_id, [NewPoint(kind, step, step / 10, step / 5, metrics) for step in steps])


def drawn(curves: Curves, store: Store, run_id: str) -> list[tuple[str, int, float]]:
    return [(point.kind, point.step, point.metrics["train_loss"]) for point in curves.of(store.run(run_id))]


def test_what_a_resumed_session_measured_again_counts_once(store: Store, run_id: str) -> None:
    write(store, run_id, "start", 0)
    write(store, run_id, "step", 5, 10)
    write(store, run_id, "epoch", 10)
    write(store, run_id, "step", 15, 20)
    write(store, run_id, "start", 10)
    kept = [("step", 5, 1.0), ("step", 10, 1.0), ("epoch", 10, 1.0)]
    assert drawn(Curves(store), store, run_id) == kept, "what came after was lost with the session before"
    write(store, run_id, "step", 17, session=2)
    assert drawn(Curves(store), store, run_id) == [*kept, ("step", 17, 2.0)]
    assert len(store.points(run_id)) == 8, "the store keeps all that was written"


def test_each_session_goes_on_from_its_own_step(store: Store, run_id: str) -> None:
    for session, first in enumerate((0, 20, 10), 1):
        write(store, run_id, "start", first)
        write(store, run_id, "step", first + 5, first + 10, first + 15, session=session)
    expected = [("step", 5, 1.0), ("step", 10, 1.0), ("step", 15, 3.0), ("step", 20, 3.0), ("step", 25, 3.0)]
    assert drawn(Curves(store), store, run_id) == expected


def test_a_reader_that_goes_on_has_what_a_new_one_reads(store: Store, run_id: str) -> None:
    curves = Curves(store)
    for kind, steps in (("start", (0,)), ("step", (5, 10, 15)), ("start", (5,)), ("step", (8,)), ("epoch", (8,))):
        write(store, run_id, kind, *steps)  # type: ignore[arg-type]
        assert drawn(curves, store, run_id) == drawn(Curves(store), store, run_id)
    seq = store.points(run_id)[-2].seq
    assert [point.kind for point in curves.since(run_id, seq)] == ["epoch"]
    assert curves.newest(run_id) == store.points(run_id)[-1].seq
    assert curves.shape(run_id) == (2, {("step", "train_loss"), ("epoch", "train_loss")})


def test_points_that_are_read_one_by_one_share_their_texts(store: Store, run_id: str) -> None:
    curves = Curves(store)
    for step in (5, 10):
        write(store, run_id, "step", step)
        curves.read(run_id)
    texts = [(point.run_id, point.kind, *point.metrics) for point in curves.of(store.run(run_id))]
    assert [id(text) for text in texts[0]] == [id(text) for text in texts[1]], "each point has texts of its own"


def test_only_so_many_curves_are_kept_and_the_others_are_read_again(store: Store) -> None:
    ids = [enqueue(store, presets.smoke())[0] for _ in range(3)]
    curves = Curves(store, max_runs=2)
    for run_id in ids:
        write(store, run_id, "step", 1)
        curves.read(run_id)
    assert curves.newest(ids[0]) == 0
    assert drawn(curves, store, ids[0]) == [("step", 1, 1.0)]
