"""The objects of one session of a run: built from its spec, or restored from the saved state.

Knows data, model, teacher, optimiser and folder; nothing of how the steps and epochs follow one another.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from deit_core.analysis.mistakes import missed, rare_classes
from deit_core.catalog.pixel_versions import NEWEST_PIXELS
from deit_core.data import TrainBatches, eval_batch_size, eval_batches, load_data
from deit_core.data.batches import Batch
from deit_core.data.device_batches import DeviceBatches, PlannedBatch
from deit_core.data.sources.progress import OnProgress, no_progress
from deit_core.data.splits import memory_for_images
from deit_core.data.supply import Resident
from deit_core.errors import RunError
from deit_core.events import CheckpointSaved, EpochDone
from deit_core.layout import plans_folder, teacher_logits_folder
from deit_core.machine.description import describe_machine
from deit_core.memory import check_free
from deit_core.models import (
    ModelCard,
    build_model,
    find_checkpoint,
    hash_checkpoint,
    initialise,
    input_statistics,
    library_versions,
)
from deit_core.randomness import Purpose, counter_seed
from deit_core.run_files.curve_file import CurveEvent
from deit_core.run_files.prediction_file import PredictionFacts
from deit_core.run_files.view_file import ViewFacts
from deit_core.spec import RunSpec, replace
from deit_core.training.checkpoint import Progress, RunFolder
from deit_core.training.device import (
    Plan,
    choose_device,
    device_of_rank,
    learns_norms,
    name_gpu,
    place,
    plain_plan,
    with_shared_norms,
)
from deit_core.training.evaluation import evaluate
from deit_core.training.head_measures import HeadMeasures
from deit_core.training.measures import Sums
from deit_core.training.outputs import Keeper, Reader
from deit_core.training.probe import choose_plan
from deit_core.training.ranks import ALONE, Order, Ranks
from deit_core.training.recorded_step import is_recorded, make_stepper
from deit_core.training.step import TrainStep
from deit_core.training.teacher_logits import TeacherLogits
from deit_core.training.teacher_of_run import judge, teacher_of
from deit_core.training.training_views import EPOCH, look_at_views


class Session:
    """One session of a run: from its start or a saved state to its end or the next stop.

    Args: as `train` takes them; ranks: who share the batches of this session. All but rank 0 resume what it has saved.
    Raises: DeitError where data, teacher or folder do not fit the spec.
    """

    def __init__(
        self,
        spec: RunSpec,
        *,
        run_dir: Path,
        runs_dir: Path,
        data_dir: Path,
        resume: bool,
        device: str | None,
        num_threads: int | None = None,
        images_gb: float | None,
        on_progress: OnProgress = no_progress,
        teacher_hash: str = "",
        ranks: Ranks = ALONE,
    ) -> None:
        self.ranks = ranks
        self.spec, self.folder, self.runs_dir = spec, RunFolder(run_dir), runs_dir
        self.folder.start(spec, resume=resume)
        self.device = device_of_rank(choose_device(spec.compute, device), ranks)
        if threads := spec.compute.num_threads or num_threads:
            torch.set_num_threads(threads)
        check_free(spec, runs_dir, on_gpu=self.device.type == "cuda")
        memory_bytes = memory_for_images(self.device) if images_gb is None else images_gb * 1e9
        self.is_new = not (resume and self.folder.can_resume)
        version = NEWEST_PIXELS if self.is_new else self.folder.pixel_version()
        keeps_unlabelled = spec.distillation is not None
        self.data = load_data(
            spec.data, data_dir, memory_bytes, on_progress, version, keeps_unlabelled=keeps_unlabelled
        )
        self.versions = library_versions(*(["timm"] if spec.model.family == "timm" else []))
        self.machine = describe_machine() | name_gpu(self.device)
        self.statistics = input_statistics(spec.model, self.data.mean, self.data.std)
        self.mean, self.std = (torch.tensor(value, device=self.device).view(-1, 1, 1) for value in self.statistics)
        self.batches = TrainBatches(
            self.data.train, spec.optim.batch_size, spec.augment, spec.seed, self.device, version
        )
        self.batches.members = None if ranks.is_alone else ranks.members(self.batches.batch_size)
        torch.manual_seed(counter_seed(spec.seed, 0, Purpose.INITIALISATION))
        model = build_model(spec, in_chans=self.data.in_chans, num_classes=len(self.data.classes))
        self.progress = Progress(
            num_threads=torch.get_num_threads(), data_hash=self.data.content_hash, pixel_version=version
        )
        self.notes: list[str] = []
        if self.is_new and self.folder.state.exists:
            self.notes.append("The first saved state is damaged, and there was none after it: the run begins again.")
        if self.is_new:
            self._initialise(model)
        num_parts = spec.compute.gradient_accumulation_steps
        if num_parts > 1 and learns_norms(model):
            self.notes.append(f"Its batch norm takes the statistics of each of the {num_parts} parts of a batch.")
        self.model = place(model if ranks.is_alone else with_shared_norms(model, self.device), self.device)
        self.teacher: TeacherLogits | None = None
        if spec.distillation is not None:
            about = spec, spec.distillation, self.data, runs_dir
            self.teacher = teacher_of(*about, self.device)
            if self.is_new:
                self.progress.teacher_hash = self.teacher.hash
                self.notes += judge(self.teacher, *about, teacher_hash)
        made = replace(spec, {"optim.batch_size": self.batches.batch_size})  # which lr_scaling follows
        self.step = TrainStep(made, self.model, self.teacher, self.normalize, self.batches.steps_per_epoch, ranks)
        if not self.is_new:
            self._load_state()
        self.sums = Sums(self.progress.sums)
        self.has_unsaved_steps = False
        self._unsaved_curve: list[CurveEvent] = []

    @property
    def total_steps(self) -> int:
        return self.spec.optim.epochs * self.batches.steps_per_epoch

    def start(self) -> None:
        """Choose the plan of a new run, and save its first state: from now on a folder without state has lost it."""
        if self.is_new:
            self._choose_plan()
        self.prepare()
        self._started_at = time.monotonic() - self.progress.elapsed_s
        if self.is_new:
            self.save_state()

    def prepare(self) -> None:
        """Make ready to make steps by the plan."""
        self._planned = self._plan_batches()
        self._make_step = make_stepper(self.step, self.sums, self.total_steps, self._planned)

    def meet(self) -> None:
        """Wait until all ranks are here; the clock of the session begins then."""
        self.ranks.meet()
        self.notes.append(f"{self.ranks.world} devices share each batch of {self.batches.batch_size} images.")
        self._started_at = time.monotonic() - self.progress.elapsed_s

    def go_alone(self) -> None:
        """Do without the other ranks from now on."""
        self.ranks = self.step.ranks = ALONE
        self.batches.members = None

    def epoch(self) -> Iterator[Batch | PlannedBatch]:
        """The remaining batches of the epoch."""
        epoch, batches = self.progress.epoch, self._planned or self.batches
        return batches.epoch(epoch, first_step=self.progress.step - epoch * self.batches.steps_per_epoch)

    def make_step(self, batch: Batch | PlannedBatch) -> None:
        """Make the next step of the run, with all ranks."""
        self.ranks.tell(Order.STEP)
        self._make_step(batch, self.progress.step)
        self.progress.step += 1

    def _plan_batches(self) -> DeviceBatches | None:
        """Where steps are recorded, batches of images in memory are made in the recording, and the teacher is asked in
        it, unless the run is to store its logits of every view.
        """
        can_be = isinstance(self.batches.supply, Resident) and self.batches.version == NEWEST_PIXELS
        stores = self.spec.distillation is not None and self.spec.distillation.stored_views == "all"
        return DeviceBatches(self.batches) if is_recorded(self.step) and can_be and not stores else None

    def _choose_plan(self) -> None:
        batch = next(self.batches.epoch(0))
        home = plans_folder(self.runs_dir)
        plan = choose_plan(self.step, batch.pixels, batch.labels, home, self.total_steps)
        self.step.follow(plan)
        self.progress.plan = asdict(plan)

    def _initialise(self, model: nn.Module) -> None:
        self.notes += initialise(model, self.spec, self.data.classes, self.runs_dir, self.data.drawn_from)
        if self.spec.initial_checkpoint:
            self.progress.initial_hash = hash_checkpoint(find_checkpoint(self.spec.initial_checkpoint, self.runs_dir))

    def open_teacher_logits(self, cap_gb: float) -> str:
        """Open the table of teacher logits; returns a sentence on it. Threads must be set before: tables depend on
        them.
        """
        if self.teacher is None:
            return ""
        if self._planned is not None:
            return "The teacher computes its logits at every step, as a part of the recorded step."
        return self.teacher.open_table(
            teacher_logits_folder(self.runs_dir), self.spec, self.data, cap_gb, self.batches.version
        )

    def _load_state(self) -> None:
        self.progress = self.folder.load_state(self.model, self.step.optimizer, self.device, self.step.average)
        if not self.folder.state.is_newest:
            self.notes.append(
                "The newest saved state is damaged or missing, so the run continues from the one before it, after step "
                f"{self.progress.step}."
            )
        if self.progress.data_hash != self.data.content_hash:
            raise RunError(
                f"{self.spec.data.source} is not the data that this run started with; restore the files, or start a "
                "new run."
            )
        if self.teacher is not None and self.progress.teacher_hash not in ("", self.teacher.hash):
            assert self.spec.distillation is not None
            raise RunError(
                f"The teacher {self.spec.distillation.teacher} has changed since this run started; restore it, or "
                "start a new run."
            )
        self.folder.check_weights(self.progress, has_ema=self.spec.optim.ema == "separate")
        torch.set_num_threads(self.progress.num_threads)  # another number would round differently, as would a plan
        self.step.follow(Plan(**self.progress.plan) if self.progress.plan else plain_plan(self.spec.compute))

    def models(self) -> tuple[nn.Module, nn.Module | None]:
        """The weights that are evaluated and saved after an epoch, and the EMA weights if they are separate."""
        average = self.step.average
        if average is None:
            return self.model, None
        return (average, None) if self.spec.optim.ema == "replace" else (self.model, average)

    def score(
        self,
        model: nn.Module,
        part: Literal["val", "test"],
        *,
        suffix: str = "",
        flip: bool = False,
        readers: Sequence[Reader] = (),
    ) -> dict[str, float]:
        """Evaluate a model on validation or test images; see `evaluate`."""
        split = self.data.val if part == "val" else self.data.test
        return evaluate(
            model, split, self.normalize, self.device, part, suffix=suffix, flip=flip, readers=readers, ranks=self.ranks
        )

    def score_epoch(self) -> dict[str, float]:
        """Evaluate the weights of an epoch on validation images, with what their heads and tokens tell about
        distillation; all ranks share the images.
        """
        self.ranks.tell(Order.SCORE)
        (model, ema), measures = self.models(), HeadMeasures(self._teacher_decides)
        metrics = self.score(model, "val", readers=[measures]) | measures.means(self.ranks)
        return metrics if ema is None else metrics | self.score(ema, "val", suffix="_ema")

    @cached_property
    def _teacher_decides(self) -> Tensor | None:
        """The teacher's logits (N, K) for this rank's validation images as they are."""
        if self.teacher is None:
            return None
        val = self.data.val
        batches = eval_batches(val.part(self.ranks.part(len(val))), self.device, eval_batch_size(self.device))
        return torch.cat([self.teacher(pixels) for pixels, _ in batches])

    def score_best(self, best: nn.Module) -> tuple[dict[str, float], str]:
        """Evaluate the best epoch's weights on test, and keep what they answer there and on validation images.

        Returns: the metrics, and a sentence on classes that are hardly ever answered, or empty.
        """
        num_images = len(self.data.test) + len(self.data.val)
        test, val = Keeper(num_images), Keeper(num_images)
        metrics = self.score(best, "test", readers=[test])
        self.score(best, "val", readers=[val])
        data, epoch = self.data, self.progress.best_epoch
        facts = PredictionFacts(data.classes, data.content_hash, epoch, test.logits_alone, data.native_size)
        self.folder.save_predictions(test.predictions, val.predictions, facts)
        decided = test.predictions.logits.argmax(1)
        rare = rare_classes(test.predictions.labels, decided, len(self.data.classes))
        return metrics, f"It {missed(rare, self.data.classes)}." if rare else ""

    def keep_views(self) -> None:
        """Keep what the teacher says of the first training views."""
        if self.teacher is not None:
            views = look_at_views(self.batches, self.teacher)
            self.folder.save_views(views, ViewFacts(self.data.classes, EPOCH))

    def note(self, event: CurveEvent) -> None:
        """Keep an event for the run's curve; it is written with the next save."""
        self._unsaved_curve.append(event)

    def save_curve(self) -> None:
        """Write what was noted."""
        self.folder.add_to_curve(*self._unsaved_curve)
        self._unsaved_curve.clear()

    def save_epoch(self, done: EpochDone) -> CheckpointSaved:
        """Write the weights after an epoch, its metrics, and then the state that goes on from there.

        A kill in between leaves the state before the epoch, which is then trained and written once more.
        """
        progress, (model, ema) = self.progress, self.models()
        card = ModelCard(
            spec=self.spec,
            classes=self.data.classes,
            in_chans=self.data.in_chans,
            mean=self.statistics[0],
            std=self.statistics[1],
            data_hash=self.data.content_hash,
            pixel_version=self.data.pixel_version,
            teacher_hash=progress.teacher_hash,
            initial_hash=progress.initial_hash,
            epoch=progress.epoch,
            step=progress.step,
            metrics=done.metrics,
            precision=self.step.plan.precision,
            versions=self.versions,
            machine=self.machine,
        )
        self.folder.save_epoch(model, card, is_best=done.is_best, ema=ema)
        self.note(done)
        return self.save_state()

    def save_state(self) -> CheckpointSaved:
        """Write the curve so far, then the state that the next session resumes from."""
        self.progress.elapsed_s, self.progress.sums = self.elapsed_s(), self.sums.of_epoch()
        self.save_curve()
        self.folder.save_state(self.model, self.step.optimizer, self.progress, self.step.average)
        if self.teacher is not None:
            self.teacher.flush()
        self.has_unsaved_steps = False
        return CheckpointSaved(self.progress.step, self.progress.epoch, str(self.folder.path))

    def close(self) -> None:
        """Release files and locks for other processes."""
        if self.teacher is not None:
            self.teacher.close()

    def has_finite_weights(self) -> bool:
        return all(bool(parameter.isfinite().all()) for parameter in self.model.parameters())

    def normalize(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) / self.std

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_at
