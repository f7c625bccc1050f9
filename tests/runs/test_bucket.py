"""Folders of runs in a bucket, of a server that speaks as S3 does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deit_core.doctor import examine
from deit_core.errors import CheckpointError, ResourceError
from deit_core.layout import RunFiles, run_folder
from deit_core.runs.artifacts import Artifacts

pytest.importorskip("s3fs", reason="pip install -r requirements-cluster.txt")
RUN, SECRET = "ab12cd34", "a-secret-that-nobody-prints"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = pytest.importorskip("moto.server", reason="pip install -r requirements-dev.txt")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the server, which has a bucket."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "lab")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    client = s3fs.S3FileSystem()
    if not client.exists("lab"):
        client.mkdir("lab")
    yield client
    client.rm("lab", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


def saved(runs_dir: Path, state: bytes) -> dict[str, Path]:
    files = RunFiles(run_folder(runs_dir, RUN))
    files.epoch(1).parent.mkdir(parents=True, exist_ok=True)
    for file in (files.best, files.last, files.epoch(1)):
        file.write_bytes(b"weights of epoch 1")
    files.state.write_bytes(state)
    files.log.write_bytes(b"")
    return files.to_publish()


def test_a_run_goes_through_a_bucket(bucket: Any, tmp_path: Path) -> None:
    trainer, reader = (Artifacts("s3://lab/runs/of 2026", tmp_path / name) for name in ("trainer", "reader"))
    assert trainer.list_of(RUN) is None
    assert trainer.ids() == set()
    base = trainer.publish(RUN, saved(tmp_path / "trainer", b"state 1" * 10**6), None, known := {})
    reader.fetch(RUN, with_state=True)
    trainer.publish(RUN, source := saved(tmp_path / "trainer", b"state 2"), base, known)
    assert len(bucket.ls(f"lab/runs/of 2026/{RUN}", refresh=True)) == 4, "state, weights, log and list"
    reader.fetch(RUN, with_state=True)
    theirs = RunFiles(run_folder(tmp_path / "reader", RUN)).to_publish()
    assert {name: file.read_bytes() for name, file in theirs.items()} == {
        name: file.read_bytes() for name, file in source.items()
    }
    assert reader.ids() == {RUN}
    reader.remove(RUN)
    assert not trainer.fetch(RUN, with_state=True)
    assert bucket.find("lab", refresh=True) == []


def test_a_damaged_object_is_a_sentence(bucket: Any, tmp_path: Path) -> None:
    trainer, reader = (Artifacts("s3://lab", tmp_path / name) for name in ("trainer", "reader"))
    trainer.publish(RUN, saved(tmp_path / "trainer", b"state"), None, {})
    for path in bucket.ls(f"lab/{RUN}", detail=False, refresh=True):
        if not path.endswith(".json"):
            bucket.pipe_file(path, b"x")
    with pytest.raises(CheckpointError, match=f"of run {RUN} at s3://lab is not what was published"):
        reader.fetch(RUN, with_state=True)


@pytest.mark.parametrize("trouble", ["no such bucket", "no server", "no credentials"])
def test_a_bucket_that_cannot_be_written_is_a_sentence_without_secrets(
    trouble: str, bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "s3://lab"
    if trouble == "no such bucket":
        url, why = "s3://of-nobody", "there is no such bucket or folder"
    elif trouble == "no server":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        why = "EndpointConnectionError"
    else:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        why = "NoCredentialsError"
    type(bucket).clear_instance_cache()
    artifacts = Artifacts(url, tmp_path / "trainer")
    with pytest.raises(ResourceError, match=rf"{url} in DEIT_ARTIFACTS cannot be (read|written) \({why}") as caught:
        artifacts.publish(RUN, saved(tmp_path / "trainer", b"state"), None, {})
    assert SECRET not in str(caught.value)
    monkeypatch.setenv("DEIT_ARTIFACTS", url)
    (found,) = (one for one in examine(runs_dir=tmp_path) if one.subject == "published runs")
    assert not found.is_well
    assert why in found.sentence


def test_the_doctor_tries_the_bucket(bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_ARTIFACTS", "s3://lab/runs")
    (found,) = (one for one in examine(runs_dir=tmp_path) if one.subject == "published runs")
    assert found.is_well, found.sentence
    assert found.sentence == "Runs can be published at s3://lab/runs."
    assert bucket.find("lab", refresh=True) == [], "it leaves nothing"
