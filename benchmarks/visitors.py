"""People who look at pages without drawing them: `python -m benchmarks.visitors URL PAGE COUNT`

Each holds a session of the dashboard and does what the page's own code does in a browser: it asks for what polls again,
listens to the live feed, and has drawn again what the feed says has changed. So what the server spends on a visitor who
watches can be measured without the browser's part, which is on another machine. Knows Streamlit's messages.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

_FEED = "deit_lab_live_feed"


class Visitor:
    """One session, on one page at a time.

    Args: hear: called with each message of the server.
    """

    def __init__(self, url: str, page: str, hear: Callable[[ForwardMsg], None] = lambda message: None) -> None:
        self._url, self._page, self._query, self._hear_message = url.replace("http", "ws", 1), page, "", hear
        self._session: ClientConnection | None = None
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._feed: ClientConnection | None = None
        self._drawn: dict[str, Any] = {}
        self._hearing: asyncio.Task[None] | None = None
        self._fragment = ""

    async def look(self) -> None:
        """Open the page and watch until cancelled."""
        address = f"{self._url}/_stcore/stream"
        async with connect(address, subprotocols=["streamlit"], max_size=None) as session:  # type: ignore[list-item]
            self._session = session
            try:
                await self._ask(session)
                async for data in session:
                    assert isinstance(data, bytes)
                    message = ForwardMsg.FromString(data)
                    self._hear_message(message)
                    await self._heed(session, message)
            finally:
                await self._leave()

    async def go(self, page: str, query: str = "") -> None:
        """Have another page drawn, with the settings of an address. Only while `look` is under way."""
        assert self._session is not None
        await self._leave()
        self._page, self._query = page, query
        await self._ask(self._session)

    async def _leave(self) -> None:
        """End what the page's own code does: its polls and its feed."""
        for poll in self._polls.values():
            poll.cancel()
        if self._hearing is not None:
            self._hearing.cancel()
        if self._feed is not None:
            await self._feed.close()
        self._polls, self._feed, self._hearing, self._drawn = {}, None, None, {}

    async def _ask(self, session: ClientConnection, fragment: str = "", *, is_timed: bool = False) -> None:
        """Have the page, or a part of it, drawn again."""
        message = BackMsg()
        message.rerun_script.page_name = self._page
        message.rerun_script.query_string = self._query
        message.rerun_script.fragment_id = fragment
        message.rerun_script.is_auto_rerun = is_timed
        await session.send(message.SerializeToString())

    async def _heed(self, session: ClientConnection, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "auto_rerun":
                fragment = message.auto_rerun.fragment_id
                if poll := self._polls.pop(fragment, None):
                    poll.cancel()
                self._polls[fragment] = asyncio.create_task(self._poll(session, fragment, message.auto_rerun.interval))
            case "delta":
                component = message.delta.new_element.bidi_component
                if component.component_name == _FEED:
                    self._fragment = message.delta.fragment_id
                    await self._listen(session, json.loads(component.json))

    async def _poll(self, session: ClientConnection, fragment: str, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await self._ask(session, fragment, is_timed=True)

    async def _listen(self, session: ClientConnection, drawn: dict[str, Any]) -> None:
        """Hold the feed's websocket, and tell it what has just been drawn."""
        newest = self._drawn.get("runs", {})
        self._drawn = drawn | {
            "runs": {run_id: max(seq, newest.get(run_id, 0)) for run_id, seq in drawn["runs"].items()}
        }
        if self._feed is None:
            self._feed = await connect(f"{self._url}/{drawn['path']}")
            self._hearing = asyncio.create_task(self._hear(session, self._feed))
        await self._feed.send(json.dumps(self._drawn))

    async def _hear(self, session: ClientConnection, feed: ClientConnection) -> None:
        async for data in feed:
            news = json.loads(data)
            for run_id, points in news["points"].items():
                self._drawn["runs"][run_id] = points[-1]["seq"]
            if news["redraw"]:
                await self._ask(session, self._fragment if news["redraw"] == "progress" else "")


async def _look(url: str, page: str, count: int) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(Visitor(url, page).look())


if __name__ == "__main__":
    os.nice(19)  # other people's machines do this work
    with suppress(KeyboardInterrupt):
        asyncio.run(_look(sys.argv[1], sys.argv[2], int(sys.argv[3])))
