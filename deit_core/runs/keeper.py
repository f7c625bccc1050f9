"""The keeper of an engine whose workers are on other machines: the process that asks for workers until it is to end.

Knows launcher and engine; nothing of what the engine is, or of terminals.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from deit_core.errors import RunError, StoreError
from deit_core.runs.engines.tasks import TaskEngine
from deit_core.runs.launcher import LocalLauncher
from deit_core.settings import Settings

LOOK_S = 1.0
_TRY_AGAIN_S = 60.0

Say = Callable[[str], object]


def keep(
    engine: TaskEngine[Any, Any], *, is_ending: Callable[[], bool], say: Say, check: Callable[[], object] = lambda: None
) -> None:
    """Train what is queued, until `is_ending`; then wait for what is training.

    Args:
        say: takes a sentence on what happens, when it begins.
        check: called at every look; what it raises ends the keeping.
    """
    launcher = LocalLauncher(engine.store, engine.settings, engine)
    said, try_again_at = "", time.monotonic()
    try:
        while not is_ending():
            check()
            trouble = _look_after(launcher)
            if trouble and trouble != said:
                say(trouble)
                try_again_at = time.monotonic() + _TRY_AGAIN_S
            elif trouble and time.monotonic() > try_again_at:
                engine.try_again()
                try_again_at = time.monotonic() + _TRY_AGAIN_S
            said = trouble or said
            time.sleep(LOOK_S)
        say("It starts no other run, and ends when its runs have ended.")
        while not _is_drained(engine):
            check()
            time.sleep(LOOK_S)
    finally:
        with suppress(StoreError, RunError):
            engine.leave()


def check_shared(settings: Settings) -> None:
    """Raises: RunError where other machines cannot reach the store."""
    if settings.store_url.startswith("sqlite"):
        raise RunError(
            "A cluster needs a store that all its machines reach; set DEIT_STORE to one on a PostgreSQL server "
            "(docs/scaling.md says how)."
        )


def _look_after(launcher: LocalLauncher) -> str:
    """What keeps runs from being trained now, in a sentence; else empty."""
    try:
        launcher.ensure_workers()
    except StoreError as error:  # the queue is as it was; what trains has patience too
        return str(error)
    return launcher.trouble


def _is_drained(engine: TaskEngine[Any, Any]) -> bool:
    try:
        return engine.drain()
    except StoreError:  # what trains has patience, and must not be cut off
        return False
