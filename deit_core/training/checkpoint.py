"""A run's folder: its spec, its weights as safetensors, and the state that an exact resume needs.

deit_core.layout says which files there are. Every file is written whole or not at all. The state holds the weights
again, with their EMA, the optimiser, step, sums and best epoch, so that it is consistent in itself whenever the process
is killed; from it a run resumes bit for bit on a CPU.
"""

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from deit_core.catalog.pixel_versions import FIRST_PIXELS, PixelVersion
from deit_core.errors import RunError, SpecError
from deit_core.files import remove_leftovers, write_atomically
from deit_core.layout import RunFiles
from deit_core.models import ModelCard, save_weights
from deit_core.run_files.curve_file import CurveEvent, append
from deit_core.run_files.prediction_file import PredictionFacts, Predictions, write_predictions
from deit_core.run_files.view_file import TrainingViews, ViewFacts, write_views
from deit_core.spec import AnySpec, RunSpec, load_spec
from deit_core.training.optim import Optimizer
from deit_core.training.state_file import StateFile

log = logging.getLogger("deit_core.worker")

_KEPT_PER_EPOCH_BYTES = 8 * 2**20


@dataclass
class Progress:
    """The progress of a run: all that changes during training, except weights and optimiser.

    `step` and `epoch` count finished ones, over the whole run; `sums` are the metrics of the current epoch so far;
    `elapsed_s` is training time over all sessions, `plan` the fields of the Plan of all of them. The hashes are of the
    data, teacher and `initial_checkpoint` at the start of the run, empty where it has none. `pixel_version` is the one
    that its images and views are made by; states before it existed have the first.
    """

    step: int = 0
    epoch: int = 0
    elapsed_s: float = 0.0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_loss: float = float("inf")
    num_threads: int = 0
    data_hash: str = ""
    teacher_hash: str = ""
    initial_hash: str = ""
    pixel_version: PixelVersion = FIRST_PIXELS
    plan: dict[str, Any] = field(default_factory=dict)
    sums: dict[str, Tensor] = field(default_factory=dict)


class RunFolder:
    """Reads and writes one run's folder."""

    def __init__(self, path: Path) -> None:
        self.path, self.files = path, RunFiles(path)
        self.state = StateFile(self.files)

    def start(self, spec: RunSpec, *, resume: bool) -> None:
        """Create the folder for a new run, or check that a resumed one is of the same spec.

        Raises: RunError when the folder contains another run, this run without `resume`, or weights without the
            files that they continue from; existing files stay unchanged.
        """
        file = self.files.spec
        is_there = file.exists()
        if is_there:
            if _read_spec(file) != spec:
                raise RunError(f"{self.path} contains a run with another spec; choose another folder.")
            if self.state.exists and not resume:
                raise RunError(f"{self.path} contains this run already; resume it, or choose another folder.")
        if any(self._weights()) and not (is_there and self.state.exists):
            lost = self.files.state.name if is_there else file.name
            raise RunError(
                f"{self.path} contains weights of a run, but {lost} is missing, so the run cannot continue; "
                f"put {lost} back, or start a new run. The weights do not change."
            )
        if not is_there:
            write_atomically(file, spec.model_dump_json(indent=2).encode())
        for folder in (self.path, self.files.epoch(1).parent):
            remove_leftovers(folder)

    @property
    def can_resume(self) -> bool:
        """There is a state to continue from. Where nothing was saved after the first state, a damaged one is none:
        the run begins again, and nothing is lost.
        """
        if not self.state.exists:
            return False
        return any(self._weights()) or not self.state.is_lost

    def _weights(self) -> Iterator[Path]:
        yield from (file for file in (self.files.last, self.files.best, self.files.best_ema) if file.exists())
        yield from self.files.epochs().values()

    def check_weights(self, progress: Progress, *, has_ema: bool) -> None:
        """Check that the weights exist that a run has written by now and will be evaluated with.

        Raises: RunError where they are missing.
        """
        written = (self.files.best, self.files.best_ema) if has_ema else (self.files.best,)
        if progress.best_epoch and (lost := [file for file in written if not file.exists()]):
            raise RunError(
                f"{lost[0]}, the weights of epoch {progress.best_epoch}, is missing; put it back, or start a new run."
            )

    def save_epoch(self, model: nn.Module, card: ModelCard, *, is_best: bool, ema: nn.Module | None = None) -> None:
        """Write the weights after an epoch as last, as best if they are, and under the epoch's number if small.

        Args: ema: the EMA weights, written when the epoch is the best.
        Raises: RunError where the folder is gone.
        """
        files = {self.files.last: model}
        if is_best:
            files |= {self.files.best_ema: ema} if ema is not None else {}
            files |= {self.files.best: model}
        if sum(t.numel() * t.element_size() for t in model.state_dict().values()) <= _KEPT_PER_EPOCH_BYTES:
            files[self.files.epoch(card.epoch)] = model
        with self._where_it_was():
            for file, weights in files.items():
                if file.parent != self.path:
                    file.parent.mkdir(exist_ok=True)
                save_weights(file, weights, card, makes_folder=False)

    def save_predictions(self, test: Predictions, val: Predictions, facts: PredictionFacts) -> None:
        """Write what the best epoch answers for each image. Raises: RunError where the folder is gone."""
        with self._where_it_was():
            write_predictions(self.files.predictions, test, val, facts, makes_folder=False)

    def save_views(self, views: TrainingViews, facts: ViewFacts) -> None:
        """Write what the teacher says of training views. Raises: RunError where the folder is gone."""
        with self._where_it_was():
            write_views(self.files.views, views, facts, makes_folder=False)

    def add_to_curve(self, *events: CurveEvent) -> None:
        """Add events to the curve. Raises: RunError where the folder is gone."""
        with self._where_it_was():
            append(self.files.curve, *events)

    def save_state(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        progress: Progress,
        ema: nn.Module | None = None,
    ) -> None:
        """Write the state that the next session resumes from. Raises: RunError where the folder is gone."""
        buffer = io.BytesIO()
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": asdict(progress)}
        if ema is not None:
            state["ema"] = ema.state_dict()
        torch.save(state, buffer)
        with self._where_it_was():
            self.state.write(buffer)

    def teacher_hash(self) -> str:
        """The hash of the teacher at the start of the run; empty where its state has none, or does not exist."""
        return str(self._saved_progress().get("teacher_hash", ""))

    def pixel_version(self) -> PixelVersion:
        """The pixel version of the run; the first where its state has none, or does not exist."""
        version: PixelVersion = self._saved_progress().get("pixel_version", FIRST_PIXELS)
        return version

    def _saved_progress(self) -> Mapping[str, Any]:
        """The fields of `Progress` in the saved state; none where it does not exist."""
        for file in (self.files.state, self.files.previous_state):
            try:
                state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
                progress: Mapping[str, Any] = state["progress"]
                return progress
            except Exception:  # a damaged pickle can raise anything; a resume reports it
                continue
        return {}

    @contextmanager
    def _where_it_was(self) -> Iterator[None]:
        """Write into the existing folder: one that was moved is not created again, or it could not be put back."""
        try:
            self.files.spec.stat()
            yield
        except FileNotFoundError:
            raise RunError(
                f"The folder of this run, {self.path}, is gone: it was moved or removed while the run trained. Put it "
                "back, then resume: the run continues from the last saved state."
            ) from None

    def load_state(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        device: torch.device,
        ema: nn.Module | None = None,
    ) -> Progress:
        """Load the saved state into model, optimiser and EMA weights; if it is damaged, the state before it.

        Raises: CheckpointError when both are damaged or of another model; OSError when they cannot be read.
        """
        for content in self.state.contents():
            try:
                state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
                model.load_state_dict(state["model"])
                if ema is not None:
                    ema.load_state_dict(state["ema"])
                optimizer.load_state_dict(state["optimizer"])
                progress = Progress(**state["progress"])
            except (MemoryError, torch.OutOfMemoryError):
                raise
            except Exception:  # a damaged pickle of an older version, without hash, can raise anything
                log.warning("a state of %s cannot be loaded", self.path, exc_info=True)
                continue
            progress.sums = {name: total.to(device) for name, total in progress.sums.items()}
            return progress
        raise AssertionError("contents() raises after the last")


def _read_spec(file: Path) -> AnySpec:
    try:
        return load_spec(file.read_bytes())
    except SpecError as error:
        raise RunError(
            f"{file} is damaged ({error}); restore it from a backup, or start a new run. Nothing in the folder was "
            "changed."
        ) from error
