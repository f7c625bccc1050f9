"""The keeper of an engine, with an engine that does nothing."""

from typing import Any

import pytest

from deit_core.errors import StoreError
from deit_core.runs import Store, open_store
from deit_core.runs.keeper import keep
from deit_core.settings import Settings


class _Engine:
    """Its store is away at the first two looks at what still trains."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self.drained, self.has_left = 0, False

    def drain(self) -> bool:
        self.drained += 1
        if self.drained < 3:
            raise StoreError("The server of the store does not answer.")
        return True

    def leave(self) -> None:
        self.has_left = True


def test_what_trains_is_waited_for_though_the_store_is_away_for_a_moment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deit_core.runs.keeper.LOOK_S", 0)
    engine: Any = _Engine(open_store(settings.store_url), settings)
    said: list[str] = []
    keep(engine, is_ending=lambda: True, say=said.append)
    assert (engine.drained, engine.has_left) == (3, True)
    assert said == ["It starts no other run, and ends when its runs have ended."]
