"""Where the zip of a browser session arrives: a file on the disk that only this session can use and that ends with it.

The file has no name, so nobody else can find it, and the system removes it once nothing holds it open, also when the
server is killed. Knows bytes and their limits; no requests, no widgets, nothing of what is in a zip.
"""

import asyncio
import secrets
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import streamlit as st

from dashboard.state import settings
from deit_core.errors import DataError

MAX_BYTES = 500_000_000
_BLOCK_BYTES = 1_000_000  # written at once
_USABLE_SHARE = 0.9  # of the free disk space


@dataclass(frozen=True, eq=False)
class Upload:
    """A file that arrived whole. `name` is what it is called on the visitor's machine."""

    name: str
    num_bytes: int
    file: IO[bytes]


class Inbox:
    """Takes one file after another; `upload` is the newest one that arrived whole.

    `ticket` is the part of its address that cannot be guessed: the server gives it to the page of its session alone.
    """

    def __init__(self, inboxes: "Inboxes") -> None:
        self.ticket = secrets.token_urlsafe(24)
        self.upload: Upload | None = None
        self.num_awaited = 0  # bytes that are still to come
        self._inboxes = inboxes
        self._turn = 0

    async def receive(self, chunks: AsyncIterator[bytes], name: str, num_bytes: int) -> None:
        """Write a file to the disk as it arrives; it takes the place of an earlier one.

        Args: num_bytes: how many bytes are announced.
        Raises: DataError where these are too many, or more or fewer arrive, or another file is chosen meanwhile.
        """
        self._inboxes.check_room(num_bytes)
        self._turn += 1
        turn, self.upload, self.num_awaited = self._turn, None, num_bytes
        file = tempfile.TemporaryFile(dir=self._inboxes.folder())  # noqa: SIM115 the upload keeps it open
        try:
            async for block in _blocks(chunks):
                if turn != self._turn:
                    raise DataError(f"{name} was not uploaded completely, because another file was chosen.")
                self.num_awaited -= len(block)
                if self.num_awaited < 0:
                    raise DataError(f"{name} has more bytes than were announced; choose it again.")
                await asyncio.to_thread(file.write, block)
            if turn == self._turn and self.num_awaited:
                raise DataError(f"Only a part of {name} arrived; choose it again.")
        except BaseException:
            file.close()
            raise
        finally:
            if turn == self._turn:
                self.num_awaited = 0
        upload = Upload(name, num_bytes, file)
        weakref.finalize(upload, file.close)
        self.upload = upload


class Inboxes:
    """The inboxes of all sessions, each as long as its session lives."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._by_ticket: weakref.WeakValueDictionary[str, Inbox] = weakref.WeakValueDictionary()

    def open(self) -> Inbox:
        inbox = Inbox(self)
        self._by_ticket[inbox.ticket] = inbox
        return inbox

    def find(self, ticket: str) -> Inbox | None:
        return self._by_ticket.get(ticket)

    def folder(self) -> Path:
        """Where the files are, without names: on the disk that they are unpacked to."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        return self._data_dir

    def check_room(self, num_bytes: int) -> None:
        """Raises: DataError for a file that is too large, or that the disk has no room for."""
        if num_bytes > MAX_BYTES:
            raise DataError(
                f"The file has {num_bytes / 1e6:,.0f} MB, and at most {MAX_BYTES / 1e6:.0f} MB can be uploaded; import "
                "it with the command."
            )
        needed = num_bytes + sum(inbox.num_awaited for inbox in self._by_ticket.values())
        if needed > _USABLE_SHARE * shutil.disk_usage(self.folder()).free:
            raise DataError("The disk of this dashboard has no room for the file; free some space, then try again.")


@st.cache_resource(show_spinner=False)
def inboxes() -> Inboxes:
    return Inboxes(settings().data_dir)


async def _blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in larger pieces: a thread writes each."""
    block = bytearray()
    async for chunk in chunks:
        block += chunk
        if len(block) >= _BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    yield bytes(block)
