"""The comparison in a terminal and as JSON, of runs that are trained here, and of names that mean to do harm."""

import json
from pathlib import Path

import pytest
from program import Program

from deit_core.runs import open_store
from deit_core.runs.foreground import train_here
from deit_core.settings import Settings
from deit_core.spec import ExperimentSpec, replace


@pytest.fixture
def ids(deit: Program, tiny_trio: ExperimentSpec) -> dict[str, str]:
    """A teacher, a ViT with the name of a formula and of markup, and a DeiT; trained for an epoch."""
    teacher, vit, student = replace(tiny_trio, {"optim.epochs": 1}).runs
    settings = Settings.from_env()
    store = open_store(settings.store_url)
    for spec in (tiny_trio.with_changes(runs=(teacher, student)), replace(vit, {"name": "=1+1 [red]"})):
        _, mistake = train_here(store, settings, spec, lambda *_: None)
        assert mistake is None
    ids = {run.name: run.id for run in store.runs()}
    store.close()
    return ids


def test_two_runs_are_compared_in_words_and_in_json(
    deit: Program, ids: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    vit, student = ids["=1+1 [red]"], ids["deit"]
    done = deit("compare", vit, student, "--json")
    assert done.code == 0, done.stderr
    document = json.loads(done.stdout)
    runs = {run["id"]: run["results"] for run in json.loads(deit("runs", "--json").stdout)}
    assert [one["run"]["id"] for one in document["models"]] == [ids["teacher"], vit, student]
    for one in document["models"]:
        assert one["accuracy"] == pytest.approx(runs[one["run"]["id"]]["test_accuracy"], abs=1e-12)
    done = deit("compare", vit, student)
    assert done.code == 0, done.stderr
    text = done.stdout.decode()
    assert text.startswith(document["verdict"]["sentences"][0])
    for words in ("=1+1 [red]", "Right in each class", "deit, distillation", "What teacher passed on"):
        assert words in text
    file = tmp_path / "runs" / vit / "predictions.safetensors"
    file.unlink()
    done = deit("compare", vit, student)
    assert (done.code, done.stdout) == (2, b"")
    assert done.last_line.endswith(f"`python -m deit_core predict {vit}` makes them.")
    done = deit("predict", vit)
    assert done.stdout.decode().strip() == str(file)
    assert json.loads(deit("compare", vit, student, "--json").stdout) == document
