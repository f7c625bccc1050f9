"""The notebook of an experiment: it runs as it is written, and gives the numbers that it was written with."""

import json
from pathlib import Path
from typing import Any

import pytest

from deit_core.errors import RunError
from deit_core.results.experiment_notebook import cells, notebook, write_notebook
from deit_core.runs.demo_runs import DemoRuns, demo_runs
from deit_core.spec import ExperimentSpec, replace

ROOT = Path(__file__).parents[2]


def run_cells(document: dict[str, Any]) -> dict[str, Any]:
    """Run all cells of code one after the other, and return what they leave."""
    names: dict[str, Any] = {}
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    return names


def test_it_trains_the_experiment_again_with_the_same_numbers(
    tiny_trio: ExperimentSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = notebook(list(cells(replace(tiny_trio, {"optim.epochs": 1}), {"vit": 0.5})))
    names = run_cells(json.loads(text))
    said = capsys.readouterr().out
    assert list(names["results"]) == ["teacher", "vit", "deit"]
    assert f"{names['results']['vit']['test_accuracy']:.4f}  0.5000" in said
    assert names["viewer"].rollout(names["pictures"]).map.shape[0] == 6


def test_an_experiment_is_found_by_name_with_its_results(tmp_path: Path) -> None:
    write_notebook(demo_runs(), "digits-quick", tmp_path / "it.ipynb")
    text = (tmp_path / "it.ipynb").read_text()
    for run in demo_runs().runs():
        if run.experiment_name == "digits-quick":
            assert str(run.results["test_accuracy"]) in text


def test_a_preset_needs_no_runs(tmp_path: Path) -> None:
    write_notebook(DemoRuns(tmp_path), "table-3", tmp_path / "it.ipynb")
    assert '\\"name\\": \\"table-3\\"' in (tmp_path / "it.ipynb").read_text()


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no experiment and no preset"):
        write_notebook(DemoRuns(tmp_path), "table-99", tmp_path / "it.ipynb")


def test_the_mini_project_runs_as_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """But for changes that make its models smaller."""
    monkeypatch.chdir(tmp_path)
    printed = (ROOT / "docs" / "miniproject.ipynb").read_text()
    changes = r"\"optim.epochs\": 1, \"model.patch_size\": 4, \"model.width\": 8"
    names = run_cells(json.loads(printed.replace(r"\"optim.epochs\": 2", changes)))
    assert names["CHANGES"]["model.width"] == 8
    assert set(names["results"]) == {"teacher", "vit", "deit"}
    assert names["matrix"].sum() == len(names["labels"])
    assert (tmp_path / "aggregations.png").stat().st_size > 1000
    assert "refused" in capsys.readouterr().out
