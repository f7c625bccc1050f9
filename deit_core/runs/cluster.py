"""Starts Ray on this machine, and keeps a cluster at work on the queue until it is to end.

The keeper runs on the first node. Knows Ray's own command and the engine; nothing of pages or terminals.
"""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from deit_core.errors import RunError
from deit_core.runs.engines.ray import RayEngine, connect, refusal_of_cluster
from deit_core.runs.keeper import Say, check_shared, keep
from deit_core.runs.store import Store
from deit_core.settings import Settings

_STARTED = "Ray runtime started"  # as its command says
_START_S = 300.0
_ANSWER_S = 10.0
_END_S = 30.0
_ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_memory_monitor_refresh_ms": "0",  # a worker limits its own memory, and says so in words
    "RAY_worker_niceness": "0",  # as a worker of a machine by itself
}


class RayNode:
    """Ray's processes of one node of this machine, as children of this process: they end with it."""

    def __init__(self, address: str, words: Sequence[str]) -> None:
        self.address = address
        self._output = tempfile.NamedTemporaryFile(prefix="ray-", suffix=".log")  # noqa: SIM115  as long as the node
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", *words],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=os.environ | _ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for whoever keeps it
        )
        try:
            self._wait_until_started()
        except BaseException:
            self.end()
            raise

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def _wait_until_started(self) -> None:
        """Raises: RunError where Ray does not start, or a cluster refuses the node."""
        deadline = time.monotonic() + _START_S
        while _STARTED not in (said := Path(self._output.name).read_text(errors="replace")):
            if not self.is_alive and "--head" not in self._process.args:  # type: ignore[operator]
                raise RunError(refusal_of_cluster(self.address, said))
            if not self.is_alive or time.monotonic() > deadline:
                last = said.strip().splitlines()[-1:] or ["it said nothing"]
                raise RunError(f"Ray does not start at {self.address}: {last[0].strip()}")
            time.sleep(0.2)


def first_node(port: int) -> RayNode:
    """Start a cluster with this machine as its first node, and a token if there is none.

    Raises: RunError where Ray does not start.
    """
    check_ray()
    import ray

    _write_token()
    host = ray.util.get_node_ip_address()
    words = ["--head", f"--port={port}", f"--node-ip-address={host}", "--include-dashboard=false"]
    return RayNode(f"{host}:{port}", words)


def another_node(address: str) -> RayNode:
    """Let this machine join a cluster. Raises: RunError where none answers, or it refuses the token."""
    check_ray()
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), _ANSWER_S).close()
    except (OSError, ValueError, OverflowError):  # Ray itself would try for minutes
        raise RunError(refusal_of_cluster(address, "")) from None
    return RayNode(address, [f"--address={address}"])


def check_ray() -> None:
    """Raises: RunError where Ray is not installed."""
    os.environ.update(_ENVIRONMENT)  # Ray reads it when it is imported
    try:
        import ray  # noqa: F401
    except ImportError:
        raise RunError("Ray is not installed; run `python -m pip install -r requirements-cluster.txt`.") from None


def keep_cluster(
    store: Store, settings: Settings, port: int, *, cpus_per_run: int, is_ending: Callable[[], bool], say: Say
) -> None:
    """Start a cluster on this machine and `keep` it, until `is_ending` or a person asks the cluster to end.

    Raises: RunError as `first_node` does, and where Ray ends by itself.
    """
    check_shared(settings)
    node = first_node(port)
    try:
        connect(node.address)
        say(f"The cluster is up. Another machine joins with: python -m deit_core cluster join {node.address}")
        engine = RayEngine(store, settings, cpus_per_run=cpus_per_run)
        keep(
            engine,
            is_ending=lambda: is_ending() or engine.is_asked_to_end,
            say=say,
            check=partial(_check_alive, node),
        )
    finally:
        import ray

        ray.shutdown()
        node.end()


def _check_alive(node: RayNode) -> None:
    if not node.is_alive:
        raise RunError(
            "Ray has ended by itself; the newest folder in /tmp/ray says why. Runs go on after `cluster up`."
        )


def _write_token() -> None:
    """Make a token where there is none, that only this user can read."""
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    file = Path(given) if given else Path.home() / ".ray" / "auth_token"
    if os.environ.get("RAY_AUTH_TOKEN") or file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
        written.write(secrets.token_hex(32))
