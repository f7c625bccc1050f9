"""Writes experiments as demo runs, for a copy of the program that shows them before anything is trained.

The folder has `demo.json`, the experiments and when their runs trained; `example.json`, a test image of the first and
what its three models make of it; the first test images of a data set that others may not have,
`<data set>.safetensors`; and the folders of the runs, `demo-<experiment>-<run>`, without what only a resume needs.
"""

import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from deit_core.data import open_source, write_demo_images
from deit_core.errors import RunError
from deit_core.events import RunStarted
from deit_core.files import write_atomically
from deit_core.layout import DEMO_EXAMPLE, DEMO_LIST, RunFiles, run_folder
from deit_core.models import load_checkpoint, read_card, save_weights
from deit_core.results.demo_example import make_example
from deit_core.results.model_card import role
from deit_core.run_files import curve_file
from deit_core.run_files.curve_file import CurveEvent
from deit_core.run_files.prediction_file import Predictions, read_predictions, write_predictions
from deit_core.runs import Run, Store
from deit_core.runs.demo_runs import EXPERIMENTS, DemoExperiment
from deit_core.runs.predictor import check_completed
from deit_core.spec import RunSpec, run_without_places, without_places
from deit_core.text.quoting import quoted

_NUM_FILM_EPOCHS = 10  # of each transformer of the first experiment; more would be most of the folder


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
    for place, (experiment, runs) in enumerate(chosen):
        ids = {run.id: _id(experiment.spec.name, run.name) for run in runs}
        for run in runs:
            folder = out / ids[run.id]
            folder.mkdir(parents=True)
            original = RunFiles(run_folder(runs_dir, run.id))
            _write_run(original, RunFiles(folder), _renamed(run.spec, ids), has_film=place == 0)
            folders.append(folder)
        experiment.runs = {ids[run.id]: (run.started_at or 0.0, run.finished_at or 0.0) for run in runs}
        write_demo_images(out, runs[0].spec.data.source, data_dir)
    _write_example(chosen[0][1], folders, data_dir, out)
    write_atomically(out / DEMO_LIST, EXPERIMENTS.dump_json([entry for entry, _ in chosen], indent=1) + b"\n")
    return folders


def _write_example(runs: Sequence[Run], folders: Sequence[Path], data_dir: Path, out: Path) -> None:
    by_role = {role(run.spec): RunFiles(folder) for run, folder in zip(runs, folders, strict=False)}
    if {"teacher", "ViT", "DeiT"} <= by_role.keys():
        source = open_source(runs[0].spec.data, data_dir)
        example = make_example(source, by_role["teacher"], by_role["ViT"], by_role["DeiT"])
        write_atomically(out / DEMO_EXAMPLE, example.model_dump_json().encode())


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


def _write_run(run: RunFiles, demo: RunFiles, spec: RunSpec, *, has_film: bool) -> None:
    """Args: has_film: keep some epochs of a transformer, evenly apart, in half precision."""
    write_atomically(demo.spec, spec.model_dump_json(indent=2).encode())
    curve_file.append(demo.curve, *map(_without_places, curve_file.counting(curve_file.read(run.curve))))
    _write_weights(run.best, demo.best, spec)
    step = math.ceil(spec.optim.epochs / _NUM_FILM_EPOCHS)
    for epoch, file in run.epochs().items() if has_film and spec.model.family == "vit" else ():
        if epoch % step == 0:
            demo.epoch(epoch).parent.mkdir(exist_ok=True)
            _write_weights(file, demo.epoch(epoch), spec, is_half=True)
    kept = read_predictions(run.predictions)
    if run.views.exists():
        shutil.copyfile(run.views, demo.views)
    write_predictions(demo.predictions, _without_embeddings(kept.test), _without_embeddings(kept.val), kept.facts)


def _without_places(event: CurveEvent) -> CurveEvent:
    """What a session says at its start may name files of this machine."""
    return replace(event, teacher_logits="", notes=()) if isinstance(event, RunStarted) else event


def _write_weights(file: Path, demo: Path, spec: RunSpec, *, is_half: bool = False) -> None:
    model = load_checkpoint(file)
    save_weights(demo, model.half() if is_half else model, read_card(file).model_copy(update={"spec": spec}))


def _without_embeddings(part: Predictions) -> Predictions:
    """No page shows them."""
    return replace(part, embedding_class=None, embedding_distillation=None)
