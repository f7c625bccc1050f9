"""The real dashboard as a process of its own over a runs folder, and the Chromium that looks at it.

Knows how to start and end both; nothing of what a page shows, or what is measured of it.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from playwright.sync_api import Browser, Playwright

_ARGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
_PATIENCE_S = 60
_GOODBYE_S = 10


class Dashboard(NamedTuple):
    """A dashboard that answers. `started_s` is how long that took from the start of its process."""

    url: str
    pid: int
    started_s: float


def store_url(runs_dir: Path) -> str:
    """Where the dashboard over this folder keeps its store."""
    return f"sqlite:///{runs_dir}/runs.sqlite"


@contextmanager
def serve(runs_dir: Path) -> Iterator[Dashboard]:
    """Start the dashboard over a runs folder, and end it afterwards."""
    environment = os.environ | {"DEIT_RUNS_DIR": str(runs_dir), "DEIT_STORE": store_url(runs_dir)}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.headless", "true"]
    command += ["--server.port", str(port)]
    root = Path(__file__).parents[1]
    began = time.monotonic()
    server = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(url)
        yield Dashboard(url, server.pid, time.monotonic() - began)
    finally:
        main = psutil.Process(server.pid)
        processes = [*main.children(), main]  # among them an estimate, say, which would run on during the next
        for process in processes:
            process.terminate()
        _, left = psutil.wait_procs(processes, _GOODBYE_S)
        for process in left:  # uvicorn waits for a connection that a browser opened meanwhile and never used
            process.kill()
        server.wait()


def launch_chromium(playwright: Playwright) -> Browser:
    """The system's own Chromium, without a window. Raises: FileNotFoundError where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return playwright.chromium.launch(executable_path=path, args=_ARGS)
    raise FileNotFoundError("There is no Chromium on this machine; install it (Debian: apt install chromium).")


def processor_s(pid: int) -> float:
    """Seconds of the processors that a process has used so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _wait_until_healthy(url: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=5):
                return
        except OSError:  # not there yet, or too busy to answer
            time.sleep(0.05)
    raise TimeoutError(f"The dashboard at {url} did not answer within a minute.")
