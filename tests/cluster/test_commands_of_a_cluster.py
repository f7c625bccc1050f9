"""`cluster up`, `join`, `status` and `down`, as people type them: a queued run is trained, and nothing stays behind."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deit_core.runs import Status, enqueue, open_store
from deit_core.settings import Settings
from deit_core.spec import RunSpec

Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def command(settings: Settings, tmp_path: Path) -> Iterator[Command]:
    environment = os.environ | settings.environment() | {"HOME": str(tmp_path)}
    environment.pop("RAY_AUTH_TOKEN", None)
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "deit_core", "cluster", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_cluster_from_up_to_down(command: Command, settings: Settings, tiny: RunSpec, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    store = open_store(settings.store_url)
    (run_id,) = enqueue(store, tiny)
    up = command("up", "--port", str(port))
    assert up.stdout is not None
    said = next(line for line in up.stdout if "joins with" in line or "Error" in line)
    assert f":{port}" in said, said
    token = tmp_path / ".ray" / "auth_token"
    assert (len(token.read_text()), token.stat().st_mode & 0o777) == (64, 0o600)
    joined = command("join", said.split()[-1])

    def nodes() -> list[dict[str, object]]:
        return json.loads(command("status", "--json").communicate(timeout=300)[0])  # type: ignore[no-any-return]

    deadline = time.monotonic() + 300
    while store.run(run_id).status != Status.COMPLETED or len(nodes()) < 2:
        assert time.monotonic() < deadline, (store.run(run_id), up.poll(), joined.poll())
        time.sleep(0.5)
    assert "The cluster ends" in command("down").communicate(timeout=300)[0]
    assert up.wait(timeout=300) == 0
    assert nodes() == []
    joined.terminate()
    assert joined.wait(timeout=300) == 0
