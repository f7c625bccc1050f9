"""A launcher over a store of its own, which leaves no worker behind."""

import contextlib
import os
from collections.abc import Iterator

import psutil
import pytest

from deit_core.runs import LocalLauncher, open_store, queue
from deit_core.settings import Settings


@pytest.fixture
def launcher(settings: Settings) -> Iterator[LocalLauncher]:
    store = open_store(settings.store_url)
    yield LocalLauncher(store, settings)
    for _, pid, _ in queue.registered_here(store):  # whatever a failing test has left
        if pid != os.getpid():
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
