"""Writes experiments as demo runs: small folders, for a copy of the program that shows them before anything is trained.

demo.json                     the experiments, and when their runs trained
<data set>.safetensors        the first test images of a data set that others may not have
demo-<experiment>-<run>/      the folder of a run, without what only a resume needs
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from deit_core.data import write_demo_images
from deit_core.errors import RunError
from deit_core.events import RunStarted
from deit_core.files import write_atomically
from deit_core.layout import DEMO_LIST, RunFiles, run_folder
from deit_core.models import load_checkpoint, read_card, save_weights
from deit_core.run_files import curve_file
from deit_core.run_files.curve_file import CurveEvent
from deit_core.run_files.prediction_file import Predictions, read_predictions, write_predictions
from deit_core.runs import Run, Store
from deit_core.runs.demo_runs import EXPERIMENTS, DemoExperiment
from deit_core.runs.predictor import check_completed
from deit_core.spec import RunSpec, run_without_places, without_places
from deit_core.text.quoting import quoted

_MOST_EMBEDDINGS = 5000  # images; of more, embeddings would be the largest part of all
_LARGEST_EPOCH_BYTES = 2**19


def write_demo(store: Store, runs_dir: Path, data_dir: Path, names: Sequence[str], out: Path) -> list[Path]:
    """Write experiments into a folder of demo runs, in place of those that are there.

    Args:
        names: names of experiments, in the order in which they are shown; of several of one name the newest is taken.
        out: the folder. The program shows the one at `layout.DEMO_FOLDER`.
    Returns: the folders of the runs.
    Raises: RunError for an experiment that is not there or not completed, and for a folder with other contents;
        DataError where the images are not on this machine.
    """
    if out.exists() and any(out.iterdir()) and not (out / DEMO_LIST).exists():
        raise RunError(f"{out} holds other files than demo runs; choose another folder.")
    chosen = [_experiment(store, name) for name in names]
    shutil.rmtree(out, ignore_errors=True)
    folders: list[Path] = []
    for experiment, runs in chosen:
        ids = {run.id: _id(experiment.spec.name, run.name) for run in runs}
        for run in runs:
            folder = out / ids[run.id]
            folder.mkdir(parents=True)
            _write_run(RunFiles(run_folder(runs_dir, run.id)), RunFiles(folder), _renamed(run.spec, ids))
            folders.append(folder)
        experiment.runs = {ids[run.id]: (run.started_at or 0.0, run.finished_at or 0.0) for run in runs}
        write_demo_images(out, runs[0].spec.data.source, data_dir)
    write_atomically(out / DEMO_LIST, EXPERIMENTS.dump_json([entry for entry, _ in chosen], indent=1) + b"\n")
    return folders


def _experiment(store: Store, name: str) -> tuple[DemoExperiment, list[Run]]:
    """The newest experiment of this name, and its runs in the order in which they were submitted."""
    found = [one for one in store.experiments() if one.name == name and one.spec is not None]
    if not found or found[-1].spec is None:
        raise RunError(f"There is no experiment {quoted(name)}; `python -m deit_core runs` lists them.")
    runs = [run for run in reversed(store.runs()) if run.experiment_id == found[-1].id]
    for run in runs:
        check_completed(run)
    spec = without_places(found[-1].spec)
    return DemoExperiment.model_validate({"spec": spec, "created_at": found[-1].created_at, "runs": {}}), runs


def _id(experiment: str, run: str) -> str:
    return re.sub("[^a-z0-9]+", "-", f"demo-{experiment}-{run}".lower()).rstrip("-")


def _renamed(spec: RunSpec, ids: Mapping[str, str]) -> RunSpec:
    """The spec as others may see it, with the teacher's new id."""
    spec = run_without_places(spec)
    if spec.distillation is None:
        return spec
    teacher = ids.get(spec.distillation.teacher, spec.distillation.teacher)
    return spec.with_changes(distillation=spec.distillation.with_changes(teacher=teacher))


def _write_run(run: RunFiles, demo: RunFiles, spec: RunSpec) -> None:
    write_atomically(demo.spec, spec.model_dump_json(indent=2).encode())
    curve_file.append(demo.curve, *map(_without_places, curve_file.counting(curve_file.read(run.curve))))
    _write_weights(run.best, demo.best, spec)
    for epoch, file in run.epochs().items():
        if epoch % 2 == 0 and spec.model.family == "vit" and file.stat().st_size <= _LARGEST_EPOCH_BYTES:
            demo.epoch(epoch).parent.mkdir(exist_ok=True)
            _write_weights(file, demo.epoch(epoch), spec, is_half=True)
    kept = read_predictions(run.predictions)
    write_predictions(demo.predictions, _small(kept.test), _small(kept.val), kept.facts)


def _without_places(event: CurveEvent) -> CurveEvent:
    """What a session says at its start may name files of this machine."""
    return replace(event, teacher_logits="", notes=()) if isinstance(event, RunStarted) else event


def _write_weights(file: Path, demo: Path, spec: RunSpec, *, is_half: bool = False) -> None:
    model = load_checkpoint(file)
    save_weights(demo, model.half() if is_half else model, read_card(file).model_copy(update={"spec": spec}))


def _small(part: Predictions) -> Predictions:
    if len(part) <= _MOST_EMBEDDINGS:
        return part
    return replace(part, embedding_class=None, embedding_distillation=None)
