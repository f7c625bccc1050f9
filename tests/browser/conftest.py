"""Chromium and a running Streamlit server for tests that look at real pages, and how such tests wait.

Knows how to start and end both, and that a busy machine takes its time; does not know what any page shows. Whatever a
test waits for, it waits for with these fixtures or with `expect`, never for a length of time.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]

_CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--process-per-site",
)
_PATIENCE_S = 120  # costs nothing where it is not needed
_GOODBYE_S = 10
_PORTS = range(20_000, 32_000)  # below those that systems give to whoever connects: a server finds its own free again
_NUM_STARTS = 3

expect.set_options(timeout=1000 * _PATIENCE_S)

WaitUntil = Callable[..., None]
Seen = Callable[..., Locator]


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
        for _ in range(_NUM_STARTS):
            number = port or _free_port()
            url = f"http://127.0.0.1:{number}{base_path}"
            command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless", "true"]
            command += ["--server.address", "127.0.0.1", "--server.port", str(number)]
            command += ["--server.baseUrlPath", base_path, "--server.enableStaticServing", "true"]
            command += ["--browser.gatherUsageStats", "false", *args]
            log = self._folder / f"{number}-{time.monotonic_ns()}.log"
            with log.open("wb") as output:
                server = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            self._servers[url] = server
            self._logs.setdefault(url, []).append(log)
            if _is_served(server, number, base_path):
                return url
            self.end(url)
        pytest.fail(f"Streamlit did not answer:\n{log.read_text()}")

    def said(self, url: str) -> str:
        """What all servers at this address wrote into their terminal."""
        return "\n".join(log.read_text() for log in self._logs[url])

    def pid(self, url: str) -> int:
        """The number of the process of the server at this address."""
        return self._servers[url].pid

    def end(self, url: str) -> None:
        """End the server at this address, as Ctrl-C in its terminal does; detached workers go on."""
        server = self._servers.pop(url)
        server.terminate()
        try:
            server.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:  # uvicorn waits for a connection that a browser opened and never used
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
        patience_ms = 1000 * _PATIENCE_S
        chromium = playwright.chromium.launch(executable_path=executable, args=_CHROMIUM_ARGS, timeout=patience_ms)
        yield chromium
        chromium.close()


@pytest.fixture
def page_errors() -> list[str]:
    """What the page of this test has complained of so far: console errors and uncaught exceptions."""
    return []


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """The cache of a module's pages: Streamlit's own scripts are read and compiled once, while one page stays open."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(1000 * _PATIENCE_S)
    kept = context.new_page()
    kept.route("**/*", lambda route: route.fulfill(body="keeps the process of this site"))
    kept.goto("http://127.0.0.1/")
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, page_errors: list[str]) -> Iterator[Page]:
    """A page without history or cookies, and without anything that an earlier page has stored."""

    def note_console(message: ConsoleMessage) -> None:
        # On any page but the first, Streamlit's own page finds its server by asking addresses that do not exist.
        # A download button that is left as soon as it is drawn asks for its file when the server has dropped it.
        is_dropped = "/media/" in message.location["url"] or "Download Button source error" in message.text
        if message.type == "error" and "/_stcore/" not in message.location["url"] and not is_dropped:
            page_errors.append(f"{message.text} ({message.location['url']})")

    page = context.new_page()
    page.on("console", note_console)
    page.on("pageerror", lambda error: page_errors.append(str(error)))
    yield page
    if page.url.startswith("http"):
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
    page.close()
    context.clear_cookies()


@pytest.fixture
def seen(page: Page) -> Seen:
    """Call it with words to get the first place where a person reads them.

    Page texts stand in hidden places too: a table on a canvas, say, has its cells once more for screen readers.
    """

    def find(words: str, *, exact: bool = False) -> Locator:
        return page.get_by_text(words, exact=exact).filter(visible=True).first

    return find


@pytest.fixture
def wait_until(page: Page) -> WaitUntil:
    """Call it with a condition to return once it holds; the page lives on meanwhile."""

    def wait(condition: Callable[[], object], timeout_s: float = _PATIENCE_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "it took too long"
            page.wait_for_timeout(100)

    return wait


@pytest.fixture(scope="module")
def serve_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeApp]:
    """Starts Streamlit scripts; every server ends with the module."""
    servers = ServeApp(tmp_path_factory.mktemp("servers"))
    yield servers
    servers.end_all()


def _free_port() -> int:
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _is_served(server: subprocess.Popen[bytes], port: int, base_path: str) -> bool:
    """Whether this very server answers at last. Not so where another took the port first, or it ended by itself."""
    deadline = time.monotonic() + _PATIENCE_S
    while server.poll() is None and time.monotonic() < deadline:
        if _is_healthy(port, base_path) and _listens(server.pid, port):
            return True
        time.sleep(0.1)
    return False


def _listens(pid: int, port: int) -> bool:
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return False
    return any(one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in connections)


def _is_healthy(port: int, base_path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", f"{base_path}/_stcore/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
