"""A server that goes away and comes back: what is asked meanwhile is refused in a sentence, and nothing is lost."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from benchmarks.postgres import PostgresServer
from deit_core import presets
from deit_core.errors import StoreError
from deit_core.runs import Status, Store, enqueue, open_store, queue


class Line:
    """A way to a server that can be cut and joined again."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._ends: list[socket.socket] = []
        self.port = self._open(0)

    def cut(self) -> None:
        for end in self._ends:
            with contextlib.suppress(OSError):  # the other side was first
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def join(self) -> None:
        self._open(self.port)

    def _open(self, port: int) -> int:
        door = socket.create_server(("127.0.0.1", port))
        self._ends.append(door)
        threading.Thread(target=self._receive, args=(door,), daemon=True).start()
        return int(door.getsockname()[1])

    def _receive(self, door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, far = door.accept()[0], socket.create_connection(self._server)
                self._ends += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)


@pytest.fixture
def line(postgres: PostgresServer) -> Iterator[Line]:
    host, _, port = postgres.address.rpartition("@")[2].partition(":")
    line = Line(host, int(port))
    yield line
    line.cut()


@pytest.fixture
def store(postgres: PostgresServer, line: Line) -> Iterator[Store]:
    _, _, port = postgres.address.rpartition(":")
    with contextlib.closing(open_store(postgres.new_database().replace(f":{port}/", f":{line.port}/"))) as store:
        yield store


def test_the_queue_keeps_what_it_had_while_its_server_is_away(store: Store, line: Line) -> None:
    ids = [enqueue(store, presets.smoke())[0] for _ in range(2)]
    worker_id, _ = queue.register(store, None) or ("", None)
    queue.claim(store, worker_id)
    line.cut()
    for ask in (store.runs, lambda: queue.claim(store, worker_id), lambda: enqueue(store, presets.smoke())):
        with pytest.raises(StoreError, match="does not answer; see whether it runs") as refusal:
            ask()
        assert "right" not in str(refusal.value), "the password"
    line.join()
    assert [(run.id, run.status) for run in store.runs()] == [(ids[1], Status.QUEUED), (ids[0], Status.RUNNING)]
    run = queue.claim(store, worker_id)
    assert run is not None
    assert run.id == ids[1]


def test_a_line_that_is_cut_in_a_transaction_takes_it_back(store: Store, line: Line) -> None:
    (run_id,) = enqueue(store, presets.smoke())

    def fail() -> None:
        with store.writing() as connection:
            store.move(connection, run_id, Status.FAILED, "half done")
            line.cut()

    with pytest.raises(StoreError, match="does not answer"):
        fail()
    line.join()
    assert store.run(run_id).status == Status.QUEUED
