"""The address of the store means the file in the folder of the runs, whatever that folder is called."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deit_core.runs import LocalLauncher, Status, open_store
from deit_core.runs.sqlite_database import sqlite_path
from deit_core.settings import Settings
from deit_core.spec import RunSpec

NAMES = (
    *("what?next", "a%20b", "100%", "%3F?", "a#b", "a b ", "u:p@h", "a+b&c=d;e", "~", "\\n\n\t"),
    *('l\'"b"', "Läufe-прогон-训练"),
)


@pytest.mark.parametrize("name", NAMES)
def test_the_store_lies_beside_the_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEIT_STORE", raising=False)
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / name / "runs"))
    store = open_store(Settings.from_env().store_url)
    assert store.database.path == tmp_path / name / "runs" / "runs.sqlite"
    assert store.database.path.stat().st_size > 0
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert open_store(store.database.url).database.path == store.database.path, "as a worker hears of it"
    assert open_store().database.path == store.database.path


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(names.filter(lambda name: name not in (".", "..")))
@example("runs.sqlite?mode=memory")
@settings(max_examples=300, deadline=None)
def test_every_character_survives_the_address(name: str) -> None:
    asked = Settings.from_env(runs_dir=Path("/nowhere") / name)
    assert sqlite_path(asked.store_url) == asked.runs_dir / "runs.sqlite"


def test_a_name_that_is_not_utf_8_is_one_too(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9%20")
    asked = Settings.from_env(runs_dir=folder)
    assert open_store(asked.store_url).database.path == folder / "runs.sqlite"
    assert (folder / "runs.sqlite").exists()


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("sqlite:///runs.sqlite", "runs.sqlite"),
        ("sqlite:////srv/a%20b.sqlite", "/srv/a b.sqlite"),
        ("sqlite+pysqlite:////srv/a b.sqlite?timeout=5", "/srv/a b.sqlite"),
    ],
)
def test_addresses_that_a_person_wrote_keep_their_meaning(
    address: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEIT_STORE", address)
    assert sqlite_path(Settings.from_env().store_url) == Path.cwd() / path


def test_a_worker_finds_the_store_again(tmp_path: Path, tiny: RunSpec) -> None:
    asked = Settings.from_env(runs_dir=tmp_path / "what?next %20 é#'")
    launcher = LocalLauncher(open_store(asked.store_url), asked)
    (run_id,) = launcher.submit(tiny)
    deadline = time.monotonic() + 600
    while launcher.store.run(run_id).status.is_active:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert launcher.store.run(run_id).status == Status.COMPLETED, launcher.store.run(run_id).message
