"""Curves of other programs: what is taken from TensorBoard's files, and what the store keeps of it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.postgres import PostgresServer
from deit_core.errors import DataError, RunError
from deit_core.runs import Store, event_files, open_store
from deit_core.runs.checkup import check_store
from deit_core.runs.copying import copy_store
from deit_core.runs.event_files import FoundCurve, FoundLine, FoundPoint, metric_of, read_curves
from deit_core.runs.imported_curves import add_curves, delete_curve, imported_curve, names_of_curves
from deit_core.settings import Settings

LINE = FoundLine("epoch", "val_accuracy", "val/acc", [FoundPoint(10, 0.0, 0.5), FoundPoint(20, 3.5, 0.75)])
Write = Callable[..., Path]


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with closing(open_store(settings.store_url)) as opened:
        yield opened


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Call it with the name of a folder and the values of each tag to get the folder with event files."""
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    def of(name: str, **tags: list[float]) -> Path:
        with closing(SummaryWriter(str(tmp_path / name))) as writer:
            for tag, values in tags.items():
                for step, value in enumerate(values, start=1):
                    writer.add_scalar(tag, value, step)
        return tmp_path / name

    return of


@pytest.mark.parametrize(
    ("tag", "metric"),
    [
        ("step/teacher_hit_rate", ("step", "teacher_hit_rate")),
        ("epoch/val_accuracy", ("epoch", "val_accuracy")),
        ("result/test_accuracy", None),
        ("Loss/train", ("step", "train_loss")),
        ("eval/loss", ("epoch", "val_loss")),
        ("val_acc", ("epoch", "val_accuracy")),
        ("acc1", ("step", "train_accuracy")),
        ("validation/epoch_accuracy", ("epoch", "val_accuracy")),
        ("lr-Adam", ("step", "lr")),
        ("learning_rate", ("step", "lr")),
        ("test/loss", None),
        ("glossary", None),
        ("", None),
    ],
)
def test_a_tag_is_taken_for_a_metric_by_its_words(tag: str, metric: tuple[str, str] | None) -> None:
    assert metric_of(tag) == metric


def test_a_folder_gives_its_lines_with_percentages_as_shares(write: Write) -> None:
    folder = write("mine", **{"train/loss": [2.0, float("nan"), 1.0], "val/acc": [40.0, 90.0], "gpu": [1.0]})
    (curve,) = read_curves(folder)
    by_metric = {line.metric: line for line in curve.lines}
    assert (curve.name, curve.left_out) == ("mine", ["gpu"])
    assert [(point.step, point.value) for point in by_metric["train_loss"].points] == [(1, 2.0), (3, 1.0)]
    assert [point.value for point in by_metric["val_accuracy"].points] == [0.4, 0.9]
    assert by_metric["val_accuracy"].tag == "val/acc"


def test_each_training_of_a_folder_is_a_curve_of_its_own(write: Write, tmp_path: Path) -> None:
    for name in ("all/a", "all/b/version_0"):
        write(name, loss=[1.0])
    assert [curve.name for curve in read_curves(tmp_path / "all", "other")] == ["other/a", "other/b/version_0"]


def test_of_several_lines_for_a_metric_the_longest_is_taken(write: Write) -> None:
    (curve,) = read_curves(write("l", train_loss_epoch=[1.0], train_loss_step=[3.0, 2.0, 1.0]))
    assert [line.tag for line in curve.lines] == ["train_loss_step"]


def test_a_damaged_file_is_read_up_to_the_damage(write: Write) -> None:
    (file,) = write("cut", loss=[1.0] * 50).iterdir()
    file.write_bytes(file.read_bytes()[:-200])
    (curve,) = read_curves(file.parent)
    assert 10 < len(curve.lines[0].points) < 50


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.txt", b"words", "has no event files"),
        ("events.out.tfevents.1", b"", "no numbers that can be read: they are empty or damaged"),
        ("events.out.tfevents.1", b"these are words " * 100, "no numbers that can be read: they are empty or damaged"),
        ("events.out.tfevents.1", bytes(2000), "have 2,000 bytes"),
    ],
)
def test_a_folder_without_curves_is_a_sentence(
    name: str, content: bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    monkeypatch.setattr(event_files, "MAX_BYTES", 1900)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_curves(tmp_path)


def test_lines_that_are_no_metric_of_ours_are_named(write: Write) -> None:
    with pytest.raises(DataError, match=r"have 'gpu', and nothing that is called a loss"):
        read_curves(write("gpu", gpu=[1.0]))


def test_too_many_trainings_at_once_are_refused(tmp_path: Path) -> None:
    for number in range(21):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "tfevents").write_bytes(b"")
    with pytest.raises(DataError, match="more than 20 trainings"):
        read_curves(tmp_path)


def test_a_store_keeps_curves_as_points_and_forgets_them(store: Store) -> None:
    assert add_curves(store, [FoundCurve("mine", [LINE], [])], steps_per_epoch=10) == ["mine"]
    assert add_curves(store, [FoundCurve("a\x1b[31m", [LINE], [])]) == ["a\\u001b[31m"]
    first, second = names_of_curves(store)
    curve, other = imported_curve(store, first), imported_curve(store, second)
    assert curve is not None
    assert other is not None
    assert [(point.step, point.epoch, point.metrics) for point in curve.points] == [
        (10, 1.0, {"val_accuracy": 0.5}),
        (20, 2.0, {"val_accuracy": 0.75}),
    ]
    assert (curve.has_epochs, other.has_epochs, curve.tags) == (True, False, {"val_accuracy": "val/acc"})
    with pytest.raises(RunError, match="are imported curves named 'mine'"):
        add_curves(store, [FoundCurve("new", [LINE], []), FoundCurve("mine", [LINE], [])])
    delete_curve(store, "mine")
    assert list(names_of_curves(store)) == [second]
    assert imported_curve(store, first) is None
    with pytest.raises(RunError, match="no imported curves named 'mine'"):
        delete_curve(store, "mine")


def test_they_are_copied_with_a_store_and_are_no_runs(store: Store, postgres: PostgresServer, tmp_path: Path) -> None:
    add_curves(store, [FoundCurve("mine", [LINE], [])])
    (curve_id,) = names_of_curves(store)
    server = postgres.new_database()
    assert copy_store(store.database.url, server) == 0
    with closing(open_store(server)) as copied:
        assert imported_curve(copied, curve_id) == imported_curve(store, curve_id)
        assert copied.listed() == ([], [])
    with pytest.raises(RunError, match="has runs or imported curves already"):
        copy_store(store.database.url, server)


@pytest.mark.parametrize("points", ["'[[1, 2]]'", "'{}'", "'[[\"a\", 0, 1]]'"])
def test_a_damaged_line_is_left_out_and_told_by_the_check(points: str, store: Store, settings: Settings) -> None:
    add_curves(store, [FoundCurve("mine", [LINE], [])])
    with store.writing() as connection:
        connection.exec_driver_sql(f"update imported_lines set points = {points}")
    (curve_id,) = names_of_curves(store)
    curve = imported_curve(store, curve_id)
    assert curve is not None
    assert curve.points == []
    assert any("imported curves mine cannot be read" in sentence for sentence in check_store(settings).problems)
