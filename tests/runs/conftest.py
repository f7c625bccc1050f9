"""A launcher over a store of its own, which leaves no worker behind; an empty store of each kind; where to publish."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deit_core.runs import LocalLauncher, Store, open_store, queue
from deit_core.settings import Settings


@pytest.fixture(params=["sqlite", "postgresql"])
def each_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'runs.sqlite'}"
    else:
        url = request.getfixturevalue("postgres").new_database()
    with contextlib.closing(open_store(url)) as store:
        yield store


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """Where runs are published."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    return folder


@pytest.fixture
def launcher(settings: Settings) -> Iterator[LocalLauncher]:
    store = open_store(settings.store_url)
    yield LocalLauncher(store, settings)
    for _, pid, _ in queue.registered_here(store):  # whatever a failing test has left
        if pid != os.getpid():
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
