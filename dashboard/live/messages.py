"""What a page may send to the live feed, and how often. All else ends its connection, and other pages are served."""

import time
from collections import deque
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

MAX_CHARACTERS = 64 * 1024  # room for some 3,000 runs
MAX_MESSAGES = 200  # in RATE_S; a page sends one whenever it has drawn itself
RATE_S = 10.0

_Mark = Annotated[str, Field(max_length=100)]


class MessageError(Exception):
    """A message that no page sends. The text says what is wrong with it, without a word of its own."""


class Report(BaseModel):
    """What a page has drawn."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    runs: dict[_Mark, Annotated[int, Field(ge=0, lt=2**63)]]  # run id -> newest point
    state: _Mark
    progress: _Mark


class Inbox:
    """The messages of one page, checked."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._times: deque[float] = deque(maxlen=MAX_MESSAGES)

    async def next(self) -> Report:
        """Raises: WebSocketDisconnect where the page has left; MessageError."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        now = time.monotonic()
        if len(self._times) == MAX_MESSAGES and now - self._times[0] < RATE_S:
            raise MessageError(f"more than {MAX_MESSAGES} messages in {RATE_S:g} seconds")
        self._times.append(now)
        text = message.get("text")
        if text is None:
            raise MessageError("a message that is not text")
        if len(text) > MAX_CHARACTERS:
            raise MessageError(f"a message of more than {MAX_CHARACTERS:,} characters")
        try:
            return Report.model_validate_json(text)
        except ValidationError:
            raise MessageError("a message that is not a report of what a page has drawn") from None
