"""Runs parts one after the other, each in a process of its own with a time limit.

A part that is ended or fails leaves the rows that it has given so far, and a sentence; the others still run.
"""

import json
import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.gpu.setting import Setting

Row = dict[str, object]


@dataclass(frozen=True)
class Part:
    """weight: its share of the time, relative to the other parts."""

    name: str
    weight: float
    measure: Callable[[Setting], Iterator[Row]]


class Report:
    """The rows so far, in a file that is whole at any moment."""

    def __init__(self, file: Path, facts: dict[str, object]) -> None:
        self.file, self.document = file, facts | {"parts": {}}

    def add(self, part: str, row: Row) -> None:
        rows: list[Row] = self.document["parts"].setdefault(part, [])  # type: ignore[attr-defined]
        rows.append(row)
        temporary = self.file.with_suffix(".part")
        temporary.write_text(json.dumps(self.document, indent=2) + "\n")
        temporary.replace(self.file)


def run_parts(
    parts: Iterable[Part], setting: Setting, seconds: float, report: Report, show: Callable[[str, Row], None]
) -> None:
    """Run the parts within so many seconds in all; time that one leaves over is given to those after it."""
    waiting, ends_at = list(parts), time.monotonic() + seconds
    while waiting:
        left_s = ends_at - time.monotonic()
        limit_s = left_s * waiting[0].weight / sum(part.weight for part in waiting)
        part = waiting.pop(0)
        began = time.monotonic()
        for row in _rows(part, setting, max(limit_s, 1.0)):
            report.add(part.name, row)
            show(part.name, row)
        row = {"took_s": round(time.monotonic() - began, 1)}
        report.add(part.name, row)
        show(part.name, row)


def _rows(part: Part, setting: Setting, limit_s: float) -> Iterator[Row]:
    """The rows of a part as they come. It gets a new process: what fails on a GPU often spoils it for the process."""
    context = multiprocessing.get_context("fork")  # torch is loaded already, and has not touched the device
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(part, setting, sender), daemon=True)
    process.start()
    sender.close()
    ends_at = time.monotonic() + limit_s
    try:
        while receiver.poll(max(0.0, ends_at - time.monotonic())):
            try:
                yield receiver.recv()
            except EOFError:
                return
        yield {"problem": f"ended after its limit of {limit_s:.0f} s"}
    finally:
        process.kill()
        process.join()


def _work(part: Part, setting: Setting, sender: Connection) -> None:
    try:
        for row in part.measure(setting):
            sender.send(row)
    except BaseException as error:
        last: Any = traceback.extract_tb(error.__traceback__)[-1]
        sender.send({"problem": f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"[:500]})
    finally:
        sender.close()
        os._exit(0)
