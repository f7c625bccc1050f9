"""The engine of this machine keeps the contract of all engines."""

import pytest
from engine_contract import EngineContract

from deit_core.runs import LocalLauncher
from deit_core.runs.engines import Engine


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def engine(self, launcher: LocalLauncher) -> Engine:
        return launcher.engine
