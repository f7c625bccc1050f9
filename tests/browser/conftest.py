"""Chromium and a running Streamlit server for tests that look at real pages.

Knows how to start and end both; does not know what any page shows.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]

_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
_CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 10


class ServeApp:
    """Starts Streamlit scripts, each at an address of its own, and can end one and start it again at its address."""

    def __init__(self, logs: Path) -> None:
        self._folder = logs
        self._logs: dict[str, list[Path]] = {}
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    def __call__(
        self,
        script: Path,
        *,
        env: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        cwd: Path = ROOT,
        base_path: str = "",
        port: int | None = None,
    ) -> str:
        """Start a script and return its address once it answers.

        `cwd` is where Streamlit looks for `.streamlit/config.toml`; `args` go to the command line and win over it.
        `base_path`, as in "/lab", serves the app below that path.
        """
        port = port or _free_port()
        command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless", "true"]
        command += ["--server.address", "127.0.0.1", "--server.port", str(port), "--server.baseUrlPath", base_path]
        command += ["--browser.gatherUsageStats", "false", "--server.enableStaticServing", "true", *args]
        log = self._folder / f"{port}-{time.monotonic_ns()}.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        url = f"http://127.0.0.1:{port}{base_path}"
        self._servers[url] = server
        self._logs.setdefault(url, []).append(log)
        _wait_until_healthy(server, port, base_path, log)
        return url

    def said(self, url: str) -> str:
        """What all servers at this address wrote into their terminal."""
        return "\n".join(log.read_text() for log in self._logs[url])

    def end(self, url: str) -> None:
        """End the server at this address, as Ctrl-C in its terminal does."""
        server = self._servers.pop(url)
        server.terminate()
        try:
            server.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def end_all(self) -> None:
        for url in list(self._servers):
            self.end(url)


# Not for the whole session: while Playwright's synchronous interface lives, its thread counts as inside an event loop,
# and `asyncio.run` in any later test would refuse.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, as the system has installed it."""
    executable = next(filter(None, map(shutil.which, _CHROMIUM_NAMES)), None)
    if executable is None:
        reason = f"no Chromium on this machine (looked for {', '.join(_CHROMIUM_NAMES)}); Debian: apt install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=_CHROMIUM_ARGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page_errors() -> list[str]:
    """What the page of this test has complained of so far: console errors and uncaught exceptions."""
    return []


@pytest.fixture
def page(browser: Browser, page_errors: list[str]) -> Iterator[Page]:
    """A page without history, cookies or cache."""

    def note_console(message: ConsoleMessage) -> None:
        # On any page but the first, Streamlit's own page finds its server by asking addresses that do not exist.
        if message.type == "error" and "/_stcore/" not in message.location["url"]:
            page_errors.append(f"{message.text} ({message.location['url']})")

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("console", note_console)
    page.on("pageerror", lambda error: page_errors.append(str(error)))
    yield page
    context.close()


@pytest.fixture(scope="module")
def serve_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeApp]:
    """Starts Streamlit scripts; every server ends with the module."""
    servers = ServeApp(tmp_path_factory.mktemp("servers"))
    yield servers
    servers.end_all()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(server: subprocess.Popen[bytes], port: int, base_path: str, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not _is_healthy(port, base_path):
        if server.poll() is not None:
            pytest.fail(f"Streamlit ended with status {server.returncode}:\n{log.read_text()}")
        if time.monotonic() > deadline:
            pytest.fail(f"Streamlit did not answer within {_START_TIMEOUT_S} s:\n{log.read_text()}")
        time.sleep(0.1)


def _is_healthy(port: int, base_path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", f"{base_path}/_stcore/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
