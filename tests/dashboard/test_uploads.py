"""Zips go to the disk and belong to one session; what stays in the server's memory is limited."""

import asyncio
import gc
import shutil
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Message
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from dashboard.uploads import inbox as inbox_module
from dashboard.uploads import limits
from dashboard.uploads.inbox import Inbox, Inboxes, inboxes
from dashboard.uploads.limits import UploadLimits
from dashboard.uploads.route import receive
from deit_core.errors import DataError

pytestmark = pytest.mark.usefixtures("store")
APP = Starlette(routes=[Route("/upload/{ticket}", receive, methods=["PUT"])])
TOKEN = generate_xsrf_token_string()
HEADERS = {"host": "127.0.0.1:8501", "cookie": f"_streamlit_xsrf={TOKEN}", "x-xsrftoken": TOKEN}


class Answer(NamedTuple):
    status: int
    words: str


def put(
    path: str, body: bytes | Iterator[bytes], num_bytes: int | None, *, app: object = APP, **headers: str | None
) -> Answer:
    """Send a file as a browser does. A header that is None is left out."""
    sent: list[Message] = []
    blocks = iter([body]) if isinstance(body, bytes) else body
    named = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    if num_bytes is not None:
        named["content-length"] = str(num_bytes)
    raw = [(name.encode(), value.encode()) for name, value in named.items() if value is not None]
    scope = {"type": "http", "http_version": "1.1", "method": "PUT", "path": path, "raw_path": path.encode()}
    scope |= {"query_string": b"name=animals.zip", "headers": raw, "client": ("127.0.0.1", 1), "server": None}

    async def next_block() -> Message:
        block = next(blocks, None)
        return {"type": "http.request", "body": block or b"", "more_body": block is not None}

    async def keep(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, next_block, keep))  # type: ignore[operator]
    words = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], words.decode())


def address(inbox: Inbox) -> str:
    return f"/upload/{inbox.ticket}"


def test_a_zip_arrives_in_the_inbox_of_its_session_alone() -> None:
    mine, other = inboxes().open(), inboxes().open()
    assert mine.ticket != other.ticket
    assert put(address(mine), b"a zip", 5) == Answer(204, "")
    assert mine.upload is not None
    assert (mine.upload.name, mine.upload.num_bytes) == ("animals.zip", 5)
    mine.upload.file.seek(0)
    assert mine.upload.file.read() == b"a zip"
    assert other.upload is None


def test_what_arrives_has_no_name_on_the_disk_and_ends_with_its_session(tmp_path: Path) -> None:
    inbox = inboxes().open()
    path = address(inbox)
    put(path, b"a zip", 5)
    assert inbox.upload is not None
    file = inbox.upload.file
    assert not list((tmp_path / "data").iterdir())
    del inbox
    gc.collect()
    assert file.closed
    assert put(path, b"a zip", 5) == Answer(404, "The page has lost its connection; reload it and try again.")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x_xsrftoken": None}, 403),
        ({"x_xsrftoken": generate_xsrf_token_string()}, 403),
        ({"cookie": None}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:8501"}, 204),
        ({}, 204),
    ],
)
def test_only_a_page_of_this_server_may_send(headers: dict[str, str | None], status: int) -> None:
    inbox = inboxes().open()
    assert put(address(inbox), b"a zip", 5, **headers).status == status
    assert (inbox.upload is not None) == (status == 204)


def test_a_demo_takes_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = inboxes().open()
    monkeypatch.setenv("DEIT_DEMO", "1")
    refused = Answer(403, "This is a demo of finished runs: nothing is trained, uploaded or deleted here.")
    assert put(address(inbox), b"a zip", 5) == refused
    assert put("/_stcore/upload_file/session/file", b"x", 1, app=UploadLimits(APP)) == refused
    assert inbox.upload is None


@pytest.mark.parametrize("ticket", ["", "x", "../x", "%00", "x" * 10_000])
def test_a_ticket_that_was_not_given_is_refused(ticket: str) -> None:
    assert put(f"/upload/{ticket}", b"a zip", 5).status == 404


@pytest.mark.parametrize(
    ("num_bytes", "announced", "status", "words"),
    [
        (5, None, 411, "not announced"),
        (101, 101, 400, "at most 0 MB"),
        (5, 4, 400, "more bytes than were announced"),
        (5, 6, 400, "Only a part of animals.zip arrived"),
        (5, 10**18, 400, "can be uploaded"),
    ],
)
def test_sizes_are_checked_before_and_while_reading(
    num_bytes: int, announced: int | None, status: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "MAX_BYTES", 100)
    inbox = inboxes().open()
    answer = put(address(inbox), bytes(num_bytes), announced)
    assert answer.status == status
    assert words in answer.words
    assert inbox.upload is None
    assert inbox.num_awaited == 0


def test_more_than_is_announced_is_not_read() -> None:
    inbox, num_read = inboxes().open(), 0

    def endless() -> Iterator[bytes]:
        nonlocal num_read
        while True:
            num_read += 1_000_000
            yield bytes(1_000_000)

    assert put(address(inbox), endless(), 2_000_000).status == 400
    assert num_read <= 4_000_000


def test_a_disk_without_room_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 96, 4))  # type: ignore[attr-defined]
    assert put(address(inboxes().open()), b"a zip", 5).words.startswith("The disk of this dashboard has no room")


def test_a_large_file_takes_little_memory() -> None:
    inbox, num_bytes = inboxes().open(), 40_000_000
    tracemalloc.start()
    try:
        put(address(inbox), (bytes(64_000) for _ in range(num_bytes // 64_000)), num_bytes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert inbox.upload is not None
    assert peak < 10_000_000  # a quarter of the file; what other threads allocate meanwhile counts too


def test_a_later_file_takes_the_place_of_one_on_its_way(tmp_path: Path) -> None:
    inbox = Inboxes(tmp_path).open()

    async def choose_twice() -> None:
        async def slow() -> AsyncIterator[bytes]:
            yield bytes(2_000_000)
            await second
            yield bytes(2_000_000)

        async def quick() -> AsyncIterator[bytes]:
            yield b"other"

        first = asyncio.create_task(inbox.receive(slow(), "first.zip", 4_000_000))
        second = asyncio.create_task(inbox.receive(quick(), "second.zip", 5))
        with pytest.raises(DataError, match=r"first.zip was not uploaded completely, because another file was chosen"):
            await first

    asyncio.run(choose_twice())
    assert inbox.upload is not None
    assert inbox.upload.name == "second.zip"


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> MemoryUploadedFileManager:
    """Streamlit's own keeper of files, as its server has it."""
    manager = MemoryUploadedFileManager("/_stcore/upload_file")

    class Server:
        uploaded_file_mgr = manager

    monkeypatch.setattr(Runtime, "instance", Server)
    return manager


@pytest.fixture
def upload(manager: MemoryUploadedFileManager) -> Callable[[str, str, int], int]:
    """Call it with a session, a file and a size to send it to Streamlit. Returns the status."""

    async def keep(scope, receive, send):  # type: ignore[no-untyped-def]
        _, _, session, name = scope["path"].rsplit("/", 3)
        manager.add_file(session, UploadedFileRec(name, name, "", (await receive())["body"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})

    def send(session: str, name: str, num_bytes: int) -> int:
        path = f"/_stcore/upload_file/{session}/{name}"
        return put(path, bytes(num_bytes), num_bytes, app=UploadLimits(keep)).status

    return send


def test_the_sum_of_what_stays_in_memory_is_limited(
    upload: Callable[[str, str, int], int], manager: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_OF_PAGE", 100)
    monkeypatch.setattr(limits, "MAX_OF_SERVER", 250)
    assert [upload("one", f"{number}", 40) for number in range(4)] == [204, 204, 413, 413]
    assert [upload(session, "0", 80) for session in ("two", "three", "four")] == [204, 204, 413]
    assert sum(limits.kept_bytes().values()) == 240
    manager.remove_session_files("one")
    assert upload("four", "0", 80) == 204


def test_a_file_of_unknown_size_does_not_stay_in_memory(manager: MemoryUploadedFileManager) -> None:
    assert put("/_stcore/upload_file/one/0", b"x", None, app=UploadLimits(APP)).status == 411
