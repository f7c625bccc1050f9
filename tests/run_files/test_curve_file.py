"""A run's curve survives as lines: what was written is read again, and damaged lines cost only themselves."""

from pathlib import Path

import pytest

from deit_core.events import EpochDone, RunFinished, RunStarted, StepDone
from deit_core.run_files.curve_file import CurveEvent, append, counting, read

EVENTS: list[CurveEvent] = [
    RunStarted(10, 4, 3, 2, 17, 34, 0, "cpu", 1, notes=("Ä sentence\nof two lines.",)),
    EpochDone(17, 1, 0.25, {"val_loss": 0.1 + 0.2, "val_loss_ema": float("inf")}, True),
    EpochDone(34, 2, 0.5, {"val_loss": 1e-300}, False),
    RunFinished(34, 1, 0.75, {"test_accuracy": 1 / 3}),
]


@pytest.fixture
def curve(tmp_path: Path) -> Path:
    path = tmp_path / "curve.jsonl"
    for event in EVENTS:
        append(path, event)
    return path


def test_events_come_back_as_they_were_written(curve: Path) -> None:
    assert read(curve) == EVENTS
    assert len(curve.read_bytes().splitlines()) == len(EVENTS)


def test_a_run_without_a_file_has_no_events(tmp_path: Path) -> None:
    assert read(tmp_path / "curve.jsonl") == []


def test_a_last_line_cut_anywhere_is_ignored_and_replaced(curve: Path) -> None:
    whole = curve.read_bytes()
    begin = whole[:-1].rfind(b"\n") + 1
    for length in range(begin, len(whole), 9):
        curve.write_bytes(whole[:length])
        assert read(curve) == EVENTS[:-1]
        append(curve, EVENTS[-1])
        assert curve.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        b"\0" * 40,
        b"[" * 100_000,
        b"{}",
        b"[]",
        b"1",
        b"\xff",
        b"",
        b'{"event": "Other"}',
        b'{"event": []}',
        b'{"event": "EpochDone"}',
    ],
    ids=lambda line: repr(line[:20]),
)
def test_a_damaged_line_costs_only_itself(curve: Path, line: bytes) -> None:
    lines = curve.read_bytes().split(b"\n")
    curve.write_bytes(b"\n".join([lines[0], line, *lines[2:]]))
    assert read(curve) == [EVENTS[0], *EVENTS[2:]]


def test_a_lost_folder_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        append(tmp_path / "gone" / "curve.jsonl", EVENTS[0])
    assert not (tmp_path / "gone").exists()


def start(step: int, epoch: int) -> RunStarted:
    return RunStarted(10, 4, 3, 2, 10, 40, step, "cpu", 1, first_epoch=epoch)


def steps(*ends: int) -> list[CurveEvent]:
    return [StepDone(end, (end - 1) // 10 + 1, end / 10, {}) for end in ends]


def epoch(number: int) -> EpochDone:
    return EpochDone(10 * number, number, float(number), {}, False)


@pytest.mark.parametrize(
    ("events", "kept"),
    [
        (
            [start(0, 0), *steps(4, 8), start(4, 0), *steps(6, 10), epoch(1)],
            [start(0, 0), *steps(4), start(4, 0), *steps(6, 10), epoch(1)],
        ),
        (
            [start(0, 0), *steps(10), epoch(1), start(10, 0), epoch(1)],
            [start(0, 0), *steps(10), start(10, 0), epoch(1)],
        ),
        (
            [start(0, 0), *steps(10), epoch(1), *steps(20), epoch(2), *steps(7, 10), epoch(1), *steps(30)],
            [start(0, 0), *steps(10), epoch(1), *steps(20), epoch(2), *steps(30)],
        ),
        (
            [start(0, 0), *steps(10), epoch(1), RunFinished(10, 1, 1.0), start(10, 1), RunFinished(10, 1, 2.0)],
            [start(0, 0), *steps(10), epoch(1), RunFinished(10, 1, 1.0), start(10, 1), RunFinished(10, 1, 2.0)],
        ),
        (
            [start(0, 0), *steps(10), epoch(1), RunFinished(10, 1, 1.0), start(0, 0), *steps(3)],
            [start(0, 0), start(0, 0), *steps(3)],
        ),
    ],
    ids=[
        "a lost end",
        "an epoch to finish again",
        "a worker that was given up",
        "a finished run",
        "from the beginning",
    ],
)
def test_what_a_later_session_measures_again_counts_once(events: list[CurveEvent], kept: list[CurveEvent]) -> None:
    assert counting(events) == kept
