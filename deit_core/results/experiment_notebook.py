"""An experiment as a Jupyter notebook that trains it again with `deit_core` and puts both results side by side.

Knows specs, results and the notebook format (version 4.5); starts nothing. Loads no torch.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from deit_core import presets
from deit_core.errors import RunError
from deit_core.files import write_atomically
from deit_core.metrics import TEST_ACCURACY
from deit_core.results.markdown import plain
from deit_core.runs import RunReader, Status
from deit_core.spec import ExperimentSpec, without_places
from deit_core.text.quoting import quoted

Cell = tuple[Literal["markdown", "code"], str]

_SEEDS = """
Each run is trained in its own folder, where a student finds its teacher by name. On the same kind of processor, with
the same versions and number of threads, the numbers are the same to the last bit; elsewhere they differ a little.
"""

_TRAIN = """
from deit_core import load_data, train_with_bar, Viewer
from deit_core.spec import trainings

results = {}
for run in trainings(spec):
    folder = f"{FOLDER}/{run.name}"
    results[run.name] = train_with_bar(run, run_dir=folder, data_dir="data", num_threads=THREADS).metrics
"""

_COMPARE = """
print(f"{'run':30}  here    there")
for name, metrics in results.items():
    there = f"{expected[name]:.4f}" if name in expected else "-"
    print(f"{name:30}  {metrics['test_accuracy']:.4f}  {there}")
"""

_LOOK = """
transformers = [run for run in spec.runs if run.model.family == "vit"]
run = transformers[-1]
viewer = Viewer.load(f"{FOLDER}/{run.name}")
pictures = load_data(run.data, "data").test.images[:6].numpy()
viewer.rollout(pictures)
"""


def write_notebook(store: RunReader, name: str, out: Path) -> None:
    """Write the notebook of an experiment. Args: name: as of `notebook_of`.

    Raises: RunError where there is none; ResourceError where the disk is full.
    """
    write_atomically(out, notebook_of(store, name).encode())


def notebook_of(store: RunReader, name: str) -> str:
    """The text of an experiment's notebook file.

    Args: name: of an experiment in the store, the newest of this name, or the beginning of its id; else of a preset.
    Raises: RunError where there is neither.
    """
    found = [one for one in store.experiments() if (one.name == name or one.id.startswith(name)) and one.spec]
    if found:
        experiment = found[-1]
        assert experiment.spec is not None
        own = [run for run in store.runs() if run.experiment_id == experiment.id and run.status == Status.COMPLETED]
        expected = {run.name: run.results[TEST_ACCURACY] for run in own if TEST_ACCURACY in run.results}
        spec = experiment.spec
    elif name in presets.names() and isinstance(preset := presets.get(name), ExperimentSpec):
        spec, expected = preset, dict(preset.expectation.accuracy) if preset.expectation else {}
    else:
        raise RunError(f"There is no experiment and no preset of experiments {quoted(name)}; see `runs` and `presets`.")
    return notebook(list(cells(spec, expected)))


def cells(spec: ExperimentSpec, expected: Mapping[str, float]) -> Iterator[Cell]:
    """The cells of an experiment's notebook. Args: expected: test accuracy by the name of a run, where it is known."""
    document = without_places(spec).model_dump_json(indent=1, exclude={"expectation"})
    yield "markdown", f"# {plain(spec.name)}\n\n{plain(spec.description)}\n\nMade by DeiT Lab. {_SEEDS.strip()}"
    yield (
        "code",
        f"from deit_core.spec import load_spec\n\nFOLDER, THREADS = 'notebook-runs', 1\n"
        f"spec = load_spec(r'''\n{document}\n''')",
    )
    yield "code", _TRAIN.strip()
    yield "markdown", "## The same numbers?"
    yield "code", f"expected = {json.dumps(dict(expected), indent=1)}\n{_COMPARE.strip()}"
    if any(run.model.family == "vit" for run in spec.runs):
        yield "markdown", "## What the last transformer looks at\n\nA rollout of its attention, over six test images."
        yield "code", _LOOK.strip()


def notebook(cells: Sequence[Cell]) -> str:
    """The text of a notebook file with these cells, none of which has run."""
    document: dict[str, Any] = {
        "cells": [_cell(number, *cell) for number, cell in enumerate(cells)],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1) + "\n"


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    code: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    source = text.splitlines(keepends=True)
    return {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source} | code
