"""Many people at once while two runs train: `make load SESSIONS=10 MINUTES=10`

Sessions open pages at random, as people do who read for some seconds between two clicks; each does what the page's code
does in a browser, but draws nothing, since browsers are on other machines. Everything stays on the loopback address.
Prints one line of a table: errors, how long an interaction takes, how fast the server's memory grows, and how fast the
runs train next to that. Knows pages by their addresses.
"""

import asyncio
import math
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import psutil
import typer
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.dashboard import serve, store_url
from benchmarks.guard import end_with_me
from benchmarks.visitors import Visitor
from deit_core import presets
from deit_core.layout import run_folder
from deit_core.models import ModelCard, build_model, save_weights
from deit_core.runs import LocalLauncher, Status, Store, enqueue, open_store
from deit_core.settings import Settings
from deit_core.spec import replace

_PAGES = (
    ("", "preset=digits-quick"),
    ("", "preset=smoke&set=optim.epochs%3D3"),
    ("runs", ""),
    ("runs", "curve_axis=Step"),
    ("compare", ""),
    ("attention", ""),
    ("attention", "att_discard=0.3&att_image=2"),
    ("data", "data=Digits"),
    ("learn", ""),
    ("system", ""),
)
_READING_S = (1.0, 4.0)  # between two interactions of one person
_PATIENCE_S = 60.0
_SAMPLE_S = 2.0
_SETTLED = 1 / 3  # of the time, after which the server has loaded what it needs
_ALONE_S = 20.0
_EPOCHS_PER_MINUTE = 300  # more than a fast machine trains


@dataclass
class Person:
    """One session that goes from page to page."""

    url: str
    chance: random.Random
    durations_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _drawn: asyncio.Event = field(default_factory=asyncio.Event)

    async def browse(self, until: float) -> None:
        while time.monotonic() < until:
            page, query = self.chance.choice(_PAGES)
            visitor = Visitor(self.url, page, self._hear)
            began = time.monotonic()
            self._drawn.clear()
            session = asyncio.create_task(visitor.look())
            await self._await_page(began, session)
            for _ in range(self.chance.randrange(6)):
                await asyncio.sleep(self.chance.uniform(*_READING_S))
                page, query = self.chance.choice(_PAGES)
                if session.done() or time.monotonic() >= until:
                    break
                began = time.monotonic()
                self._drawn.clear()
                await visitor.go(page, query)
                await self._await_page(began, session)
            session.cancel()
            with suppress(asyncio.CancelledError):
                await session

    async def _await_page(self, began: float, session: asyncio.Task[None]) -> None:
        drawn = asyncio.create_task(self._drawn.wait())
        await asyncio.wait((drawn, session), timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if drawn.done():
            self.durations_s.append(time.monotonic() - began)
        else:
            drawn.cancel()
            self.errors.append("no answer")

    def _hear(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "script_finished":
                if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    self._drawn.set()
            case "delta":
                element = message.delta.new_element
                if element.WhichOneof("type") == "exception":
                    self.errors.append(element.exception.message)
                elif element.WhichOneof("type") == "alert" and element.alert.format == Alert.ERROR:
                    self.errors.append(element.alert.body)


@dataclass
class Memory:
    """The server's memory over time."""

    pid: int
    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    async def watch(self) -> None:
        process, began = psutil.Process(self.pid), time.monotonic()
        while True:
            self.seconds.append(time.monotonic() - began)
            self.megabytes.append(process.memory_info().rss / 1e6)
            await asyncio.sleep(_SAMPLE_S)

    @property
    def slope(self) -> float:
        """MB per minute, once the server has loaded what it needs."""
        first = int(_SETTLED * len(self.seconds))
        return 60 * statistics.linear_regression(self.seconds[first:], self.megabytes[first:]).slope


def main(
    sessions: Annotated[int, typer.Option(min=1, max=100, help="How many people.")] = 10,
    minutes: Annotated[float, typer.Option(min=0.2, max=60, help="For how long.")] = 10.0,
) -> None:
    """Measure a server that many people use while it trains."""
    os.environ["TORCH_COMPILE_DISABLE"] = "1"  # so that the runs train at once, however long they are
    tempfile.tempdir = tempfile.mkdtemp(prefix="load-")
    runs_dir = Path(tempfile.tempdir) / "runs"
    end_with_me(Path(tempfile.tempdir))
    with serve(runs_dir) as dashboard, _two_runs(runs_dir, minutes) as store:
        before = _speed_alone(store)
        newest = _newest(store)
        people, memory = asyncio.run(_crowd(dashboard.url, dashboard.pid, sessions, 60 * minutes))
        loaded = _speed(store, newest)
        after = _speed_alone(store)
    durations_s = [one for person in people for one in person.durations_s]
    errors = [one for person in people for one in person.errors]
    for error in sorted(set(errors))[:10]:
        typer.echo(f"  error: {error[:300]}")
    row = {
        "sessions": sessions,
        "minutes": minutes,
        "interactions": len(durations_s),
        "errors": len(errors),
        "p50 s": round(statistics.median(durations_s), 2),
        "p95 s": round(statistics.quantiles(durations_s, n=20)[-1], 2),
        "memory MB": round(memory.megabytes[-1]),
        "slope MB/min": round(memory.slope, 2),
        "images/s alone": round((before + after) / 2),
        "images/s next to it": round(loaded),
        "ratio": round(2 * loaded / (before + after), 2),
    }
    typer.echo(f"| {' | '.join(row)} |\n|{' ---: |' * len(row)}\n| {' | '.join(map(str, row.values()))} |")


async def _crowd(url: str, pid: int, count: int, duration_s: float) -> tuple[list[Person], Memory]:
    people = [Person(url, random.Random(number)) for number in range(count)]
    memory, until = Memory(pid), time.monotonic() + duration_s
    watching = asyncio.create_task(memory.watch())
    await asyncio.gather(*(person.browse(until) for person in people))
    watching.cancel()
    return people, memory


@contextmanager
def _two_runs(runs_dir: Path, minutes: float) -> Iterator[Store]:
    """Two runs that train for longer than that, and one whose weights the Attention page can show."""
    num_epochs = math.ceil((minutes + 2) * _EPOCHS_PER_MINUTE)
    settings = Settings(store_url(runs_dir), runs_dir, runs_dir.parent / "data", num_workers=2)
    store = open_store(settings.store_url)
    vit = replace(presets.digits_quick().runs[1], {"optim.epochs": num_epochs, "compute.precision": "float32"})
    _finished(store, runs_dir)
    launcher = LocalLauncher(store, settings)
    ids = [launcher.submit(vit)[0] for _ in range(2)]
    while not all(store.run(run_id).step > 20 for run_id in ids):
        assert not any(store.run(run_id).status == Status.FAILED for run_id in ids), "a run failed"
        time.sleep(0.5)
    yield store
    for run_id in ids:
        store.stop(run_id)


def _finished(store: Store, runs_dir: Path) -> None:
    spec = presets.smoke()
    (run_id,) = enqueue(store, spec, reserved_for="nobody")
    for status in (Status.RUNNING, Status.COMPLETED):
        store.set_status(run_id, status)
    card = ModelCard(
        spec=spec, classes=tuple("0123456789"), in_chans=1, mean=(0.3,), std=(0.3,), data_hash="", epoch=1, step=1
    )
    for name in ("best", "last"):
        save_weights(run_folder(runs_dir, run_id) / f"{name}.safetensors", build_model(spec, num_classes=10), card)


def _newest(store: Store) -> dict[str, int]:
    """The newest point of each run that trains."""
    return {run.id: store.points(run.id)[-1].seq for run in store.runs() if run.status == Status.RUNNING}


def _speed(store: Store, newest: dict[str, int]) -> float:
    """Images/s of all runs together since then, the median of each one's points."""
    return sum(
        statistics.median(
            point.metrics["images_per_s"] for point in store.points(run_id, after_seq=seq) if point.kind == "step"
        )
        for run_id, seq in newest.items()
    )


def _speed_alone(store: Store) -> float:
    newest = _newest(store)
    time.sleep(_ALONE_S)
    return _speed(store, newest)


if __name__ == "__main__":
    typer.run(main)
