"""Folders of runs at a URL: who reads finds the older state or the newer one, whole, and nothing that is hostile."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deit_core.errors import CheckpointError, ResourceError
from deit_core.layout import RunFiles, run_folder
from deit_core.runs.artifacts import Artifacts, SupersededError
from deit_core.runs.remote_files import RemoteFiles

RUN = "ab12cd34"


@pytest.fixture
def trainer(bucket: Path, tmp_path: Path) -> Artifacts:
    return Artifacts(f"file://{bucket}", tmp_path / "trainer")


@pytest.fixture
def reader(bucket: Path, tmp_path: Path) -> Artifacts:
    return Artifacts(f"file://{bucket}", tmp_path / "reader")


def train(tmp_path: Path, epoch: int, where: str = "trainer") -> dict[str, Path]:
    """What a run has saved after an epoch; returns its files."""
    files = RunFiles(run_folder(tmp_path / where, RUN))
    files.epoch(epoch).parent.mkdir(parents=True, exist_ok=True)
    files.spec.write_text("{}")
    for file in (files.last, files.best, files.epoch(epoch)):
        file.write_bytes(b"weights %d" % epoch)
    files.state.write_bytes(b"state %d" % epoch)
    return files.to_publish()


def contents(folder: Path) -> dict[str, bytes]:
    return {name: file.read_bytes() for name, file in RunFiles(folder).to_publish().items()}


def published(bucket: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((bucket / RUN / "published.json").read_bytes())
    return document


def test_another_machine_gets_what_was_published(
    trainer: Artifacts, reader: Artifacts, tmp_path: Path, bucket: Path
) -> None:
    base = trainer.publish(RUN, train(tmp_path, 1), None, known := {})
    trainer.publish(RUN, train(tmp_path, 2), base, known)
    said: list[str] = []
    assert reader.fetch(RUN, with_state=True, say=said.append)
    assert contents(tmp_path / "reader" / RUN) == contents(tmp_path / "trainer" / RUN)
    assert said == [f"Fetching run {RUN}, 0.0 MB."]
    reader.fetch(RUN, with_state=True, say=pytest.fail)
    named = {file["sha256"] for file in published(bucket)["files"]}
    assert {file.name for file in (bucket / RUN).iterdir()} == named | {"published.json"}, "older states are removed"
    assert reader.ids() == {RUN}


def test_the_state_comes_only_when_it_is_asked_for(trainer: Artifacts, reader: Artifacts, tmp_path: Path) -> None:
    base = trainer.publish(RUN, train(tmp_path, 1), None, {})
    reader.fetch(RUN, with_state=True)
    trainer.publish(RUN, train(tmp_path, 2), base, {})
    reader.fetch(RUN, with_state=False)
    files = RunFiles(tmp_path / "reader" / RUN)
    assert files.best.read_bytes() == b"weights 2"
    assert not files.state.exists(), "the older one does not belong to these weights"
    reader.fetch(RUN, with_state=True)
    assert files.state.read_bytes() == b"state 2"


def test_a_kill_before_the_list_leaves_the_older_state(
    trainer: Artifacts, reader: Artifacts, tmp_path: Path, bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = trainer.publish(RUN, train(tmp_path, 1), None, {})
    with monkeypatch.context() as patch:
        patch.setattr(RemoteFiles, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            trainer.publish(RUN, train(tmp_path, 2), base, {})
    reader.fetch(RUN, with_state=True)
    assert RunFiles(tmp_path / "reader" / RUN).state.read_bytes() == b"state 1"
    trainer.publish(RUN, train(tmp_path, 3), base, {})
    assert len(list((bucket / RUN).iterdir())) == len({file["sha256"] for file in published(bucket)["files"]}) + 1
    reader.fetch(RUN, with_state=True)
    assert contents(tmp_path / "reader" / RUN) == contents(tmp_path / "trainer" / RUN)


def test_a_state_that_is_replaced_while_it_is_read_is_read_again(
    trainer: Artifacts, reader: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, chunks = trainer.publish(RUN, train(tmp_path, 1), None, {}), RemoteFiles.chunks

    def after_the_next_epoch(remote: RemoteFiles, path: str) -> Iterator[bytes]:
        monkeypatch.setattr(RemoteFiles, "chunks", chunks)
        trainer.publish(RUN, train(tmp_path, 2), base, {})
        return chunks(remote, path)

    monkeypatch.setattr(RemoteFiles, "chunks", after_the_next_epoch)
    reader.fetch(RUN, with_state=True)
    assert contents(tmp_path / "reader" / RUN) == contents(tmp_path / "trainer" / RUN)


def test_a_folder_that_is_further_than_what_is_published_stays(trainer: Artifacts, tmp_path: Path) -> None:
    trainer.publish(RUN, train(tmp_path, 1), None, {})
    ahead = {name: file.read_bytes() for name, file in train(tmp_path, 2).items()}
    trainer.fetch(RUN, with_state=True, say=pytest.fail)
    assert contents(tmp_path / "trainer" / RUN) == ahead


def test_the_machine_that_went_on_with_a_run_is_the_newer_one(
    trainer: Artifacts, reader: Artifacts, tmp_path: Path
) -> None:
    base = trainer.publish(RUN, train(tmp_path, 1), None, {})
    reader.fetch(RUN, with_state=True)
    train(tmp_path, 2)
    RunFiles(tmp_path / "trainer" / RUN).previous_state.write_bytes(b"state 1")
    reader.publish(RUN, train(tmp_path, 2, "reader") | train(tmp_path, 3, "reader"), base, {})
    trainer.fetch(RUN, with_state=True)
    assert contents(tmp_path / "trainer" / RUN) == contents(tmp_path / "reader" / RUN)
    assert not RunFiles(tmp_path / "trainer" / RUN).previous_state.exists()


def test_a_worker_that_lost_its_run_publishes_no_more(
    trainer: Artifacts, reader: Artifacts, tmp_path: Path, bucket: Path
) -> None:
    base = trainer.publish(RUN, train(tmp_path, 1), None, {})
    reader.fetch(RUN, with_state=True)
    reader.publish(RUN, train(tmp_path, 2, "reader"), base, {})
    now = published(bucket)
    with pytest.raises(SupersededError, match=f"Another machine has published run {RUN} since"):
        trainer.publish(RUN, train(tmp_path, 3), base, {})
    assert published(bucket) == now


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../runs.sqlite"},
        {"name": "/etc/passwd"},
        {"name": "epochs/../../x.safetensors"},
        {"name": "epochs/٠٠٠٣.safetensors"},
        {"name": "notes.txt"},
        {"name": "best.safetensors\n"},
        {"name": "state.pt"},
        {"size": -1},
        {"size": "many"},
        {"sha256": "../" * 20 + "etc"},
        {"link": "state.pt"},
    ],
    ids=str,
)
def test_a_hostile_list_brings_nothing(
    change: dict[str, Any], trainer: Artifacts, reader: Artifacts, tmp_path: Path, bucket: Path
) -> None:
    trainer.publish(RUN, train(tmp_path, 1), None, {})
    before = contents(train(tmp_path, 0, "reader")["spec.json"].parent)
    document = published(bucket)
    assert document["files"][0]["name"] != "state.pt"
    document["files"][0] |= change
    (bucket / RUN / "published.json").write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="is damaged, or names other files than a run has; the local files stay"):
        reader.fetch(RUN, with_state=True)
    assert contents(tmp_path / "reader" / RUN) == before


@pytest.mark.parametrize("content", [b"", b"weights 2", b"weights 1 and more", None])
def test_a_damaged_file_leaves_the_local_ones(
    content: bytes | None, trainer: Artifacts, reader: Artifacts, tmp_path: Path, bucket: Path
) -> None:
    base = trainer.publish(RUN, train(tmp_path, 0), None, {})
    reader.fetch(RUN, with_state=True)
    before = contents(tmp_path / "reader" / RUN)
    trainer.publish(RUN, train(tmp_path, 1), base, {})
    damaged = next(file for file in (bucket / RUN).iterdir() if file.read_bytes() == b"weights 1")
    damaged.unlink() if content is None else damaged.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"the local files stay as they were. Publish it again .* publish {RUN}"):
        reader.fetch(RUN, with_state=True)
    assert contents(tmp_path / "reader" / RUN) == before
    assert not list((tmp_path / "reader").rglob("*.part"))


def test_what_is_removed_is_gone_and_nothing_else(trainer: Artifacts, reader: Artifacts, tmp_path: Path) -> None:
    trainer.publish(RUN, train(tmp_path, 1), None, {})
    run_folder(tmp_path / "trainer", "ab12").mkdir()
    trainer.publish("ab12", train(tmp_path, 1), None, {})
    trainer.remove(RUN)
    trainer.remove(RUN)
    assert not reader.fetch(RUN, with_state=True)
    assert reader.fetch("ab12", with_state=True)


def test_a_disk_that_is_away_is_not_made_anew(trainer: Artifacts, tmp_path: Path, bucket: Path) -> None:
    bucket.rmdir()
    for attempt in (lambda: trainer.publish(RUN, train(tmp_path, 1), None, {}), trainer.check_writable):
        with pytest.raises(ResourceError, match=r"cannot be written \(there is no such bucket or folder\); check"):
            attempt()
    assert not bucket.exists()


@pytest.mark.parametrize("url", ["ftp://lab:hunter2@127.0.0.1:1/runs", "nonsense://lab:hunter2@host/runs"])
def test_a_password_is_never_shown(url: str, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"(ftp|nonsense)://(127|host)") as caught:
        Artifacts(url, tmp_path)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)


def test_nothing_is_loaded_where_nothing_is_published() -> None:
    code = "import deit_core.runs.worker, dashboard.state, sys; assert 'fsspec' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)
