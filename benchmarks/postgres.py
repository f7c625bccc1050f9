"""A PostgreSQL server of one's own, on the loopback address, that is gone afterwards: for benchmarks and tests."""

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)  # Debian keeps them out of the PATH
_OPTIONS = "-c listen_addresses=127.0.0.1 -c unix_socket_directories=''"


class PostgresServer:
    """Args: address: "USER:PASSWORD@HOST:PORT"."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._numbers = itertools.count()

    def new_database(self) -> str:
        """The address of a new, empty database, as DEIT_STORE has it."""
        import psycopg

        name = f"store{next(self._numbers)}"
        with psycopg.connect(f"postgresql://{self.address}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://{self.address}/{name}"


@contextmanager
def postgres_server(options: str = "") -> Iterator[PostgresServer]:
    """Start a server, and end it afterwards.

    Args: options: of the program `postgres`, such as "-c fsync=off".
    Raises: FileNotFoundError where PostgreSQL is not installed.
    """
    paths = os.pathsep.join([*map(str, _FOLDERS), os.environ["PATH"]])
    if (pg_ctl := shutil.which("pg_ctl", path=paths)) is None:
        raise FileNotFoundError("PostgreSQL is not installed (Debian: apt install postgresql).")
    with socket.socket() as probe, tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # it refuses to run as root
        if user:
            shutil.chown(folder, "postgres")
        data, password = f"{folder}/data", Path(folder) / "password"
        password.write_text("right")

        def call(program: str, *arguments: str) -> None:
            command = [*user, str(Path(pg_ctl).with_name(program)), "-D", data, *arguments]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)

        call("initdb", "-U", "lab", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync")
        probe.close()
        call("pg_ctl", "start", "-w", "-l", f"{folder}/log", "-o", f"{_OPTIONS} {options} -p {port}")
        try:
            yield PostgresServer(f"lab:right@127.0.0.1:{port}")
        finally:
            call("pg_ctl", "stop", "-m", "immediate")
