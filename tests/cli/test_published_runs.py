"""Commands on runs that another machine has trained: their files come from where they are published."""

from pathlib import Path

import pytest
from program import Program

from deit_core.layout import RunFiles, run_folder
from deit_core.runs import Status, open_store
from deit_core.settings import Settings


@pytest.fixture
def elsewhere(deit: Program, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runs folder of another machine, which has published its run; returns the bucket."""
    (tmp_path / "bucket").mkdir()
    monkeypatch.setenv("DEIT_STORE", Settings.from_env().store_url)
    monkeypatch.setenv("DEIT_ARTIFACTS", f"file://{tmp_path / 'bucket'}")
    files = RunFiles(run_folder(tmp_path / "runs", run_id))
    files.spec.write_text("{}")
    files.state.write_bytes(b"the state")
    assert deit("publish", run_id).code == 0
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / "here"))
    return tmp_path / "bucket"


@pytest.mark.parametrize("command", ["show", "export", "report", "rollout"])
def test_a_command_fetches_the_files_that_it_reads(
    command: str, deit: Program, run_id: str, elsewhere: Path, tmp_path: Path
) -> None:
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "picture.png")
    words = {
        "show": ["1", "--json"],
        "export": ["1", "--format", "safetensors", "--out", str(tmp_path / "it.safetensors")],
        "report": ["--out", str(tmp_path / "results.md")],
        "rollout": ["1", str(tmp_path / "picture.png"), "--out", str(tmp_path / "pictures")],
    }
    done = deit(command, *words[command])
    assert done.code == 0, done.last_line
    assert f"Fetching run {run_id}, 0." in done.stderr.decode()
    assert "Fetching" not in done.stdout.decode()
    files = RunFiles(run_folder(tmp_path / "here", run_id))
    assert files.best.exists()
    assert not files.state.exists(), "nobody resumes it here"
    assert "Fetching" not in deit(command, *words[command]).stderr.decode()


def test_show_says_what_the_store_knows_where_nothing_can_be_fetched(
    deit: Program, run_id: str, elsewhere: Path, tmp_path: Path
) -> None:
    (elsewhere / run_id / "published.json").write_text("damaged")
    done = deit("show", "1", "--json")
    assert done.code == 0
    assert run_id in done.stdout.decode()
    assert "is damaged, or names other files than a run has" in done.last_line
    export = deit("export", "1", "--format", "pt")
    assert export.code == 2
    assert f"`python -m deit_core publish {run_id}`" in export.last_line


def test_a_copy_is_published_with_the_state_that_it_lacks(deit: Program, run_id: str, elsewhere: Path) -> None:
    assert deit("show", "1").code == 0
    assert deit("publish", "1").stdout.decode() == f"{run_id} Первый ☃ is published.\n"
    assert '"state.pt"' in (elsewhere / run_id / "published.json").read_text()


def test_a_run_that_is_trained_is_not_published_by_hand(deit: Program, run_id: str, elsewhere: Path) -> None:
    open_store(Settings.from_env().store_url).set_status(run_id, Status.QUEUED)
    done = deit("publish", "1")
    assert done.code == 2
    assert "is queued, and is published while it is trained" in done.last_line


def test_a_copy_of_a_run_that_was_deleted_elsewhere_is_named(
    deit: Program, run_id: str, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "gone" not in deit("store", "check").stdout.decode(), "it is published, and so not gone"
    assert deit("show", "1").code == 0
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / "runs"))
    assert deit("delete", "1", "--yes").code == 0
    assert list(elsewhere.iterdir()) == []
    monkeypatch.setenv("DEIT_RUNS_DIR", str(tmp_path / "here"))
    said = deit("store", "check")
    assert f"such as {run_id}; remove them to free the disk" in said.stdout.decode() + said.stderr.decode()


def test_a_url_that_is_none_is_a_sentence(deit: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEIT_ARTIFACTS", "lab:hunter2@host")
    done = deit("runs")
    assert done.code == 2
    assert "DEIT_ARTIFACTS is a URL such as file:///mnt/share/runs" in done.last_line
    assert "hunter2" not in done.last_line
