"""How every page of the real dashboard begins, in a real browser, and whom its server answers."""

import base64
import socket
import struct
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Page, expect

from dashboard.navigation import paths

ROOT = Path(__file__).resolve().parents[2]
ADDRESSES = ["/", "/runs", "/_stcore/health", "/_stcore/host-config", "/nowhere"]
WEBSOCKETS = ["/_stcore/stream", "/live"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def own_url(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dashboard as its owner starts it."""
    return serve_app(ROOT / "dashboard" / "app.py", env={"DEIT_RUNS_DIR": str(tmp_path_factory.mktemp("own"))})


@pytest.fixture(scope="module")
def proxied_url(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dashboard that others reach through a proxy, under another name, on a path and in a frame."""
    env = {
        "DEIT_RUNS_DIR": str(tmp_path_factory.mktemp("proxied")),
        "DEIT_OPEN": "1",
        "DEIT_FRAMED_BY": "https://school.example",
    }
    args = ("--server.allowedHosts", "lab.example.org")
    return serve_app(ROOT / "dashboard" / "app.py", env=env, args=args, base_path="/class/lab")


def answer(url: str, path: str, host: str, *, is_websocket: bool = False) -> tuple[int, Mapping[str, str]]:
    """The status and the headers of the answer to a request, or to the beginning of a websocket."""
    parts = urlsplit(url)
    headers = {"Host": host}
    if is_websocket:
        headers |= {"Connection": "Upgrade", "Upgrade": "websocket", "Origin": f"http://{host}"}
        headers |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode()}
    connection = HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", f"{parts.path}{path}", headers=headers)
    response = connection.getresponse()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}


@pytest.mark.parametrize("server", ["own_url", "proxied_url"])
def test_a_page_asks_no_address_in_vain(
    page: Page, request: pytest.FixtureRequest, page_errors: list[str], server: str
) -> None:
    url = request.getfixturevalue(server)
    answers: dict[str, int] = {}
    page.on("response", lambda response: answers.update({response.url: response.status}))
    page.goto(f"{url}/learn")
    expect(page.get_by_role("heading", name="Learn", level=1)).to_be_visible()
    expect(page).to_have_title("Learn · DeiT Lab")
    assert answers[f"{url}/_stcore/host-config"] == 200
    assert [address for address, status in answers.items() if status >= 400] == []
    page.get_by_role("link", name="Compare").first.click()
    expect(page.get_by_role("heading", name="Compare", level=1)).to_be_visible()
    expect(page).to_have_url(f"{url}/compare")
    assert page_errors == []


def test_no_page_and_no_server_speaks_to_another_machine(
    page: Page, serve_app: Callable[..., str], own_url: str
) -> None:
    """As Home promises. The connections of the server are looked at while each page is drawn, also ones in vain."""
    server = psutil.Process(serve_app.pid(own_url))  # type: ignore[attr-defined]
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    page.on("websocket", lambda socket: asked.add(socket.url))
    reached: set[str] = set()
    for path in paths():
        page.goto(f"{own_url}/{path}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        for _ in range(5):
            everyone = [server, *server.children(recursive=True)]
            reached |= {one.raddr.ip for process in everyone for one in process.net_connections() if one.raddr}
            page.wait_for_timeout(100)
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(own_url).netloc}
    assert reached <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("path", [*ADDRESSES, *WEBSOCKETS])
def test_a_foreign_name_that_leads_here_is_refused(own_url: str, path: str) -> None:
    is_websocket = path in WEBSOCKETS
    port = urlsplit(own_url).port
    assert answer(own_url, path, f"evil.example:{port}", is_websocket=is_websocket)[0] == 403
    assert answer(own_url, path, f"localhost:{port}", is_websocket=is_websocket)[0] in (101, 200)


@pytest.mark.parametrize("path", WEBSOCKETS)
def test_a_message_that_is_too_large_is_refused_before_it_is_read(own_url: str, path: str) -> None:
    parts = urlsplit(own_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        key = base64.b64encode(bytes(16)).decode()
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Origin: http://{parts.netloc}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        answered = connection.makefile("rb")
        while answered.readline().strip():
            pass
        connection.sendall(struct.pack(">BBQ4s", 0x82, 0xFF, 40_000_000, bytes(4)))  # the head of a message of 40 MB
        while (head := answered.read(2))[0] != 0x88:  # until the server closes the websocket
            short = head[1] if head[1] < 126 else int.from_bytes(answered.read(2 if head[1] == 126 else 8))
            answered.read(short)
        assert int.from_bytes(answered.read(2)) == 1009  # too big


@pytest.mark.parametrize("path", ADDRESSES)
def test_no_site_may_show_it_in_a_frame(own_url: str, path: str) -> None:
    for host in ("localhost", "evil.example"):
        headers = answer(own_url, path, host)[1]
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"] == "frame-ancestors 'none'"


@pytest.mark.parametrize("path", [*ADDRESSES, *WEBSOCKETS])
@pytest.mark.parametrize("host", ["lab.example.org", "localhost"])
def test_a_name_that_the_operator_gives_is_answered_too(proxied_url: str, path: str, host: str) -> None:
    is_websocket = path in WEBSOCKETS
    assert answer(proxied_url, path, host, is_websocket=is_websocket)[0] in (101, 200)
    assert answer(proxied_url, path, "evil.example", is_websocket=is_websocket)[0] == 403


def test_a_site_that_the_operator_names_may_show_it_in_a_frame(proxied_url: str) -> None:
    headers = answer(proxied_url, "/", "lab.example.org")[1]
    assert headers["content-security-policy"] == "frame-ancestors 'self' https://school.example"
    assert "x-frame-options" not in headers


def test_the_terminal_says_what_visitors_can_do(serve_app: Callable[..., str], own_url: str, proxied_url: str) -> None:
    assert "Everybody who reaches it can\n  - start runs" in serve_app.said(proxied_url)  # type: ignore[attr-defined]
    assert "Everybody" not in serve_app.said(own_url)  # type: ignore[attr-defined]
