"""Curves from the event files of TensorBoard, which many programs write. TensorBoard's own reader reads them.

Its names are free, so a line is taken for one of our metrics by the words in its name. Knows no store.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, get_args

from deit_core.errors import DataError
from deit_core.metrics import LR, METRICS, TRAIN_ACCURACY, TRAIN_LOSS, VAL_ACCURACY, VAL_LOSS
from deit_core.plain_text import harmless
from deit_core.runs.records import PointKind
from deit_core.text.quoting import quoted

MAX_BYTES = 500_000_000  # of all files
MAX_POINTS = 10_000  # of a line; of more, TensorBoard's reader draws so many by lot
_MAX_FILES, _MAX_FOLDERS = 1000, 20
_LONGEST_TAG = 200


class FoundPoint(NamedTuple):
    step: int
    elapsed_s: float
    value: float


class FoundLine(NamedTuple):
    """`tag` is the name that it has in the files."""

    kind: PointKind
    metric: str
    tag: str
    points: Sequence[FoundPoint]


class FoundCurve(NamedTuple):
    """What one folder of event files holds; `left_out` are the tags that are none of our metrics."""

    name: str
    lines: Sequence[FoundLine]
    left_out: Sequence[str]


def read_curves(folder: Path, name: str = "") -> list[FoundCurve]:
    """The curves of a folder, one for each folder in it that has event files. What is damaged is read up to there.

    Args: name: what to call them; by default as the folder.
    Raises: DataError where there is none, they are too large or too many, or TensorBoard is not installed.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}; give the folder that `tensorboard --logdir` would show.")
    files = list(islice((file for file in folder.rglob("*tfevents*") if file.is_file()), _MAX_FILES + 1))
    if not files:
        raise DataError(f"{folder} has no event files (their names contain tfevents); give the folder of a training.")
    num_bytes, folders = sum(file.stat().st_size for file in files), sorted({file.parent for file in files})
    if len(files) > _MAX_FILES or len(folders) > _MAX_FOLDERS:
        raise DataError(
            f"{folder} has the event files of more than {_MAX_FOLDERS} trainings, or more than {_MAX_FILES:,} of them; "
            "give the folder of one."
        )
    if num_bytes > MAX_BYTES:
        raise DataError(
            f"The event files in {folder} have {num_bytes:,} bytes, of which up to {MAX_BYTES:,} are read; give the "
            "folder of one training, or write numbers less often."
        )
    name = name or folder.resolve().name
    found = [_read(one, name if one == folder else f"{name}/{one.relative_to(folder).as_posix()}") for one in folders]
    curves = [curve for curve in found if curve.lines]
    if not curves:
        tags = [tag for curve in found for tag in curve.left_out]
        if not tags:
            raise DataError(f"The event files in {folder} have no numbers that can be read: they are empty or damaged.")
        raise DataError(
            f"The event files in {folder} have {', '.join(map(quoted, tags[:5]))}, and nothing that is called a loss, "
            "an accuracy or a learning rate of training or validation."
        )
    return curves


def metric_of(tag: str) -> tuple[PointKind, str] | None:
    """The metric that a tag is taken for; None where it is none, and of test images."""
    for kind in get_args(PointKind):
        if (name := tag.removeprefix(f"{kind}/")) != tag and name in METRICS:
            return kind, name  # as DEIT_LOG_TO writes them
    words = set(re.findall("[a-z0-9]+", tag.lower().replace("_", " ")))
    if "test" in words:
        return None
    if "lr" in words or {"learning", "rate"} <= words:
        return "step", LR
    is_val = not words.isdisjoint({"val", "valid", "validation", "eval", "dev"})
    if not words.isdisjoint({"acc", "accuracy", "acc1", "top1"}):
        return ("epoch", VAL_ACCURACY) if is_val else ("step", TRAIN_ACCURACY)
    if "loss" in words:
        return ("epoch", VAL_LOSS) if is_val else ("step", TRAIN_LOSS)
    return None


def _read(folder: Path, name: str) -> FoundCurve:
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ModuleNotFoundError as error:
        raise DataError(f"{error}; install it with `python -m pip install tensorboard`.") from error
    guidance = {"scalars": MAX_POINTS, "tensors": MAX_POINTS, "images": 1, "audio": 1, "histograms": 1}
    events = EventAccumulator(str(folder), size_guidance=guidance).Reload()
    lines: dict[str, FoundLine] = {}
    left_out: list[str] = []
    for tag, scalars in _scalars(events):
        meant = metric_of(f"{folder.name}/{tag}" if folder.name in ("train", "validation") else tag)
        points = [] if meant is None else _points(scalars, meant[1])
        if meant is None or not points:
            left_out.append(tag[:_LONGEST_TAG])
        elif meant[1] not in lines or len(points) > len(lines[meant[1]].points):
            lines[meant[1]] = FoundLine(*meant, harmless(tag)[:_LONGEST_TAG], points)
    return FoundCurve(name, list(lines.values()), left_out)


def _scalars(events: Any) -> Iterator[tuple[str, list[tuple[float, int, float]]]]:
    """Of each line of numbers its tag and (time, step, value), as PyTorch and as TensorFlow 2 write them."""
    from tensorboard.util.tensor_util import make_ndarray

    tags = events.Tags()
    for tag in tags["scalars"]:
        yield tag, [(one.wall_time, one.step, one.value) for one in events.Scalars(tag)]
    for tag in tags["tensors"]:
        if events.SummaryMetadata(tag).plugin_data.plugin_name == "scalars":
            values = events.Tensors(tag)
            yield tag, [(one.wall_time, one.step, float(make_ndarray(one.tensor_proto).sum())) for one in values]


def _points(scalars: Iterable[tuple[float, int, float]], metric: str) -> list[FoundPoint]:
    """Those that are numbers, by step. A share above 1 is a percentage."""
    kept = sorted((step, time, value) for time, step, value in scalars if math.isfinite(value) and math.isfinite(time))
    is_percent = METRICS[metric].unit == "share" and any(value > 1 for _, _, value in kept)
    began = min((time for _, time, _ in kept), default=0.0)
    return [FoundPoint(step, time - began, value / 100 if is_percent else value) for step, time, value in kept]
