"""What a benchmark or a test has started is gone soon after it, however it ended."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

_PATIENCE_S = 90
# The command itself, with a benchmark that begins as the real ones do: a dashboard, and a worker.
_BENCHMARK = """
import tempfile, time
from pathlib import Path
from benchmarks import __main__ as command, page
from benchmarks.dashboard import serve, store_url
from deit_core import presets
from deit_core.runs import enqueue, open_store, queue
from deit_core.runs.engines.local import start_worker
from deit_core.settings import Settings
from deit_core.spec import replace

def measure(long):
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)):
        settings = Settings(store_url(Path(folder)), Path(folder), Path(folder) / "data", num_workers=1)
        store = open_store(settings.store_url)
        enqueue(store, replace(presets.smoke(), {"optim.epochs": 500}))
        start_worker(store, settings, "benchmark")
        while not queue.registered(store):
            time.sleep(0.1)
        print("It runs in", folder, flush=True)
        time.sleep(600)
        yield {}

page.measure = measure
command.main(["page"])
"""
_ANYTHING = """
import signal, subprocess, sys, tempfile, time
from pathlib import Path
from benchmarks.guard import end_with_me

# A shell takes the first away from what it runs in the background, nohup the second.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
folder = tempfile.mkdtemp()
end_with_me(Path(folder))
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("It runs in", folder, flush=True)
time.sleep(600)
"""


def started_by(owner: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(owner.pid).children(recursive=True)


def assert_gone(processes: list[psutil.Process]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while (left := [process for process in processes if not has_ended(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    commands = [" ".join(process.cmdline()) for process in left]
    for process in left:
        process.kill()
    assert commands == []


def has_ended(process: psutil.Process) -> bool:
    """Also where whoever has to ask for its exit code has not done so yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def is_worker(process: psutil.Process) -> bool:
    try:
        return "deit_core.runs.worker" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("program", "name"),
    [(_BENCHMARK, "SIGTERM"), *((_ANYTHING, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"))],
    ids=["benchmark-SIGTERM", "SIGTERM", "SIGINT", "SIGHUP", "SIGKILL"],
)
def test_what_a_benchmark_starts_ends_with_it(program: str, name: str) -> None:
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as owner:
        assert owner.stdout is not None
        said = next(line for line in owner.stdout if line.startswith("It runs in"))
        started = started_by(owner)
        assert len(started) > 1, "the guard and another"
        assert sum(map(is_worker, started)) == (program == _BENCHMARK)
        owner.send_signal(signal.Signals[name])
    assert owner.returncode != 0, "the signal ended it, not its own end"
    assert_gone(started)
    assert not Path(said.removeprefix("It runs in").strip()).exists()


def test_what_a_test_starts_ends_with_it(tmp_path: Path) -> None:
    test = "tests/runs/test_spare.py::test_a_spare_trains_what_is_submitted_and_leaves"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'its'}", test]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, text=True) as owner:
        deadline = time.monotonic() + _PATIENCE_S
        while not any(map(is_worker, started := started_by(owner))):
            assert time.monotonic() < deadline
            assert owner.poll() is None
            time.sleep(0.1)
        owner.kill()
    assert_gone(started)
