"""Commands on a cluster, where there is none yet or it cannot be used: a sentence each, and the queue stays."""

import json

import pytest
from program import Program

from benchmarks.postgres import PostgresServer
from deit_core import presets
from deit_core.runs import enqueue, open_store
from deit_core.runs.nodes import Node, write_nodes


@pytest.fixture
def server(postgres: PostgresServer, deit: Program, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of its empty store."""
    address = postgres.new_database()
    monkeypatch.setenv("DEIT_STORE", address)
    return address


def test_a_cluster_on_a_file_is_refused(deit: Program) -> None:
    refused = deit("cluster", "up")
    assert refused.code == 2
    assert "set DEIT_STORE to one on a PostgreSQL server" in refused.last_line


def test_where_no_cluster_is_the_commands_say_so(server: str, deit: Program) -> None:
    assert deit("submit", "smoke").code == 0
    assert "cluster up" in deit("cluster", "status").stdout.decode()
    refused = deit("cluster", "down")
    assert (refused.code, "No cluster works on this store" in refused.last_line) == (2, True)
    (run,) = json.loads(deit("runs", "--json").stdout)
    assert run["status"] == "queued"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1", "nowhere.invalid:6379", "127.0.0.1:99999"])
def test_an_address_where_nobody_answers_is_a_sentence(address: str, deit: Program) -> None:
    refused = deit("cluster", "join", address)
    assert refused.code == 2
    assert f"No cluster answers at {address}; check the address" in refused.last_line


def test_status_lists_nodes_and_down_asks_them_to_end(server: str, deit: Program) -> None:
    store = open_store(server)
    enqueue(store, presets.smoke())
    node = Node("n1", "big", 64.0, 8.0)
    write_nodes(store, [node])
    assert deit("cluster", "status").stdout.decode().strip() == "big: 64 cores, 8 GPUs; is free"
    (document,) = json.loads(deit("cluster", "status", "--json").stdout)
    assert (document["host"], document["num_gpus"], document["run_numbers"]) == ("big", 8.0, [])
    assert deit("cluster", "down").code == 0
    assert write_nodes(store, [node]), "the keeper hears of it at its next look"
