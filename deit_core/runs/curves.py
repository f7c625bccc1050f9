"""The curves of runs: what each has measured. What a later session measured again counts instead of the earlier points.

A resumed session goes on from the last saved state. What the sessions before it measured beyond that step was lost with
them: it is in the store, and no part of the curve. Pages, files of points and benchmarks read curves here.
"""

import threading
from bisect import bisect_right
from sys import intern
from typing import get_args

from deit_core.runs.demo_runs import RunReader
from deit_core.runs.records import Point, PointKind, Run

_KINDS: dict[PointKind, PointKind] = {kind: kind for kind in get_args(PointKind)}


class _Curve:
    """The curve of one run as far as it has been read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.points: list[Point] = []
        self.last_seq = 0
        self.num_sessions = 0
        self.measured: set[tuple[PointKind, str]] = set()  # kind, metric

    def add(self, point: Point) -> None:
        """Go on with the next point that was written."""
        self.last_seq = point.seq
        if point.kind == "start":
            self.points[:] = [kept for kept in self.points if kept.step <= point.step]
            self.num_sessions += 1
        else:
            self.points.append(_with_common_names(point))
            self.measured.update((point.kind, metric) for metric in point.metrics)


def _with_common_names(point: Point) -> Point:
    """The same point; its texts are the objects that other points have, so that it takes half the memory."""
    metrics = {intern(name): value for name, value in point.metrics.items()}
    return point._replace(run_id=intern(point.run_id), kind=_KINDS[point.kind], metrics=metrics)


class Curves:
    """The curve of each run, read from the store once: whoever looks again fetches only what is new.

    Safe to share between threads.

    Args: max_runs: how many curves are kept; of more, those shown last.
    """

    def __init__(self, store: RunReader, max_runs: int = 200) -> None:
        self._store, self._max_runs = store, max_runs
        self._lock = threading.Lock()
        self._curves: dict[str, _Curve] = {}  # the least recently shown run first

    def of(self, run: Run) -> list[Point]:
        """All points of a run, by step; none of kind "start"."""
        self.read(run.id)
        return self.since(run.id, 0)

    def read(self, run_id: str) -> None:
        """Fetch what is new of a run."""
        curve = self._of(run_id)
        with curve.lock:
            for point in self._store.points(run_id, after_seq=curve.last_seq):
                curve.add(point)

    def since(self, run_id: str, seq: int) -> list[Point]:
        """What has been read of a run and was written after `seq`."""
        curve = self._of(run_id)
        with curve.lock:
            return curve.points[bisect_right(curve.points, seq, key=lambda point: point.seq) :]

    def newest(self, run_id: str) -> int:
        """The seq of the last point that has been read of a run."""
        return self._of(run_id).last_seq

    def shape(self, run_id: str) -> tuple[int, frozenset[tuple[PointKind, str]]]:
        """What has been read of a run, in outline: its sessions, and the (kind, metric) that it has points of."""
        curve = self._of(run_id)
        with curve.lock:
            return curve.num_sessions, frozenset(curve.measured)

    def _of(self, run_id: str) -> _Curve:
        with self._lock:
            curve = self._curves.pop(run_id) if run_id in self._curves else _Curve()
            self._curves[run_id] = curve
            while len(self._curves) > self._max_runs:
                del self._curves[next(iter(self._curves))]
            return curve
