"""Runs whose store is on a PostgreSQL server, from the command line."""

import json
from pathlib import Path

import pytest
from program import Program

from benchmarks.postgres import PostgresServer
from deit_core.spec import RunSpec


@pytest.fixture
def server(postgres: PostgresServer, deit: Program, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of its empty store."""
    address = postgres.new_database()
    monkeypatch.setenv("DEIT_STORE", address)
    return address


def test_one_machine_submits_and_another_trains(server: str, deit: Program, tiny: RunSpec, tmp_path: Path) -> None:
    spec = tmp_path / "tiny.json"
    spec.write_text(tiny.model_dump_json())
    assert deit("submit", str(spec)).code == 0
    (run,) = json.loads(deit("runs", "--json").stdout)
    assert run["status"] == "queued", "a machine trains nothing of a shared store by itself"
    assert deit("work", "--once").code == 0
    (run,) = json.loads(deit("runs", "--json").stdout)
    assert run["status"] == "completed", run["message"]
    checked = json.loads(deit("store", "check", "--json").stdout)
    assert (checked["num_runs"], checked["problems"]) == (1, [])
    assert "right" not in checked["name"]


def test_a_backup_of_a_server_is_the_servers(server: str, deit: Program) -> None:
    assert deit("store", "upgrade").code == 0
    assert "pg_dump" in deit("store", "backup").last_line
