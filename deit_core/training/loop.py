"""The training loop: a spec in, events out. It neither prints nor stores metrics, and knows no queue and no page.

All randomness is counter-based, from (seed, epoch) for order and views and (seed, step) for dropout, so the step
alone says where a run is, and a resumed run is the run that was never stopped.
"""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from deit_core.data import TrainBatches, load_data
from deit_core.data.reading import Tell, silently
from deit_core.data.splits import memory_for_images
from deit_core.errors import ResourceError, RunError
from deit_core.events import CheckpointSaved, EpochDone, Event, RunFailed, RunFinished, RunStarted, StepDone
from deit_core.machine import describe_machine
from deit_core.models import (
    ModelCard,
    VisionTransformer,
    build_model,
    find_checkpoint,
    find_teacher,
    hash_checkpoint,
    initialise,
    input_statistics,
    library_versions,
    load_checkpoint,
    load_teacher,
    teacher_model,
)
from deit_core.randomness import Purpose, counter_seed
from deit_core.settings import Settings
from deit_core.spec import RunSpec
from deit_core.training.checkpoint import Progress, RunFolder
from deit_core.training.device import Plan, choose_device, name_gpu, place, plain_plan
from deit_core.training.evaluation import evaluate
from deit_core.training.fusion import evaluate_trained_fusion
from deit_core.training.measures import Group
from deit_core.training.memory import fitting_batch_size, is_out_of_memory, out_of_memory, release
from deit_core.training.probe import choose_plan
from deit_core.training.step import TrainStep
from deit_core.training.teacher_check import check_teacher
from deit_core.training.teacher_logits import TeacherLogits


def train(
    spec: RunSpec,
    *,
    run_dir: Path | str,
    data_dir: Path | str = "data",
    resume: bool = False,
    device: str | None = None,
    num_threads: int | None = None,
    group_s: float = 0.5,
    logits_gb: float = Settings.logits_gb,
    images_gb: float | None = None,
    tell: Tell = silently,
    teacher_hash: str = "",
) -> Generator[Event, None, None]:
    """Train one run and yield what happens.

    Closing the iterator stops the run between two steps: its state is saved first, and `resume=True` goes on from
    there. A loss, or a teacher's logit, that is not finite ends the run with RunFailed; the last good checkpoint stays.

    Args:
        run_dir: where spec, weights and state go. A teacher named by id is looked for beside this folder.
        data_dir: where data sets are looked for and downloaded to.
        device: overrides "auto" in the spec ("cuda:1").
        num_threads: CPU threads where the spec does not say, else torch's own choice; a resumed run keeps those it
            began with.
        group_s: steps are reported in groups of about this many seconds; 0 reports each.
        logits_gb: disk space, in units of 10^9 bytes, for the tables of teachers' logits, which lie beside this folder.
        tell: hears how far the reading of many images is, before the first event; what it raises ends the run there.
        teacher_hash: that of the teacher (see `ModelCard`) from which another run learned, of which this one is a
            repetition; empty where there is none.
        images_gb: a folder whose images take more memory is read again and again; None is a quarter of what there is.
    Raises: DeitError where data, teacher or folder do not fit the spec, or memory or disk do not suffice; the last
        good checkpoint stays then, too.
    """
    try:
        session = _Session(
            spec, Path(run_dir), Path(data_dir), resume, device, num_threads, images_gb, tell, teacher_hash
        )
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            "There was not enough memory for the data and the model; choose a smaller data.img_size or model, or "
            "another machine."
        ) from error
    try:
        yield from session.events(group_s, logits_gb)
    except GeneratorExit:
        if session.has_unsaved_steps and session.has_finite_weights():
            session.save_state()
        raise
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        release(error)
        raise out_of_memory(session.batches.batch_size, fitting_batch_size(session.step, session.batches)) from error
    finally:
        session.close()


class _NotFiniteError(Exception):
    """The loss of `step`, or what the teacher says there, is not a finite number."""

    def __init__(self, step: int, *, is_teachers: bool = False) -> None:
        super().__init__(step)
        self.step, self.is_teachers = step, is_teachers


class _Session:
    """One session of a run: from its start or a saved state to its end or the next stop."""

    def __init__(
        self,
        spec: RunSpec,
        run_dir: Path,
        data_dir: Path,
        resume: bool,
        device: str | None,
        num_threads: int | None,
        images_gb: float | None,
        tell: Tell,
        teacher_hash: str,
    ) -> None:
        self.spec, self.folder = spec, RunFolder(run_dir)
        self.folder.start(spec, resume=resume)
        self.device = choose_device(spec.compute, device)
        if threads := spec.compute.num_threads or num_threads:
            torch.set_num_threads(threads)
        memory_bytes = memory_for_images(self.device) if images_gb is None else images_gb * 1e9
        self.data = load_data(spec.data, data_dir, memory_bytes, tell)
        self.versions = library_versions()
        self.machine = describe_machine() | name_gpu(self.device)
        self.statistics = input_statistics(spec.model, self.data.mean, self.data.std)
        self.mean, self.std = (torch.tensor(value, device=self.device).view(-1, 1, 1) for value in self.statistics)
        self.batches = TrainBatches(self.data.train, spec.optim.batch_size, spec.augment, spec.seed, self.device)
        torch.manual_seed(counter_seed(spec.seed, 0, Purpose.INITIALISATION))
        model = build_model(spec, in_chans=self.data.in_chans, num_classes=len(self.data.classes))
        self.progress = Progress(num_threads=torch.get_num_threads(), data_hash=self.data.content_hash)
        self.notes: list[str] = []
        self._is_new = not (resume and self.folder.files.state.exists())
        if self._is_new:
            self._initialise(model)
        self.model = place(model, self.device)
        self.teacher = self._load_teacher(teacher_hash)
        optim = spec.optim.model_copy(update={"batch_size": self.batches.batch_size})  # which lr_scaling follows
        made = spec.model_copy(update={"optim": optim})
        self.step = TrainStep(made, self.model, self.teacher, self._normalize, self.batches.steps_per_epoch)
        if not self._is_new:
            self._load_state()
        self.has_unsaved_steps = False

    @property
    def total_steps(self) -> int:
        return self.spec.optim.epochs * self.batches.steps_per_epoch

    def _choose_plan(self) -> None:
        batch = next(self.batches.epoch(0))
        home = self.folder.path.parent / "plans"
        plan = choose_plan(self.step, batch.pixels, batch.labels, home, self.total_steps)
        self.step.follow(plan)
        self.progress.plan = asdict(plan)

    def _initialise(self, model: nn.Module) -> None:
        runs_dir = self.folder.path.parent
        self.notes += initialise(model, self.spec, self.data.classes, runs_dir, self.data.drawn_from)
        if self.spec.initial_checkpoint:
            self.progress.initial_hash = hash_checkpoint(find_checkpoint(self.spec.initial_checkpoint, runs_dir))

    def _load_teacher(self, expected_hash: str) -> TeacherLogits | None:
        asked = self.spec.distillation
        if asked is None:
            return None
        path = find_teacher(asked.teacher, self.folder.path.parent)
        teacher = load_teacher(
            path, self.data.classes, self.spec.data, self.data.drawn_from, num_heads=asked.teacher_num_heads
        )
        all_views = asked.stored_views == "all"
        logits = TeacherLogits(
            teacher, teacher_model(path, teacher), self.device, asked.stored_logits, all_views=all_views
        )
        if self._is_new:
            self.progress.teacher_hash = logits.hash
            if expected_hash not in ("", logits.hash):
                raise RunError(
                    f"The teacher {asked.teacher} has changed since another run of this experiment learned from it; "
                    "restore it, or submit the whole experiment again."
                )
            self.notes += teacher.notes
            if not teacher.knows_classes:
                self.notes.append(check_teacher(logits, self.data, asked))
        return logits

    def _open_teacher_logits(self, cap_gb: float) -> str:
        """Let the teacher remember from now on; a sentence about it. Threads must be settled: tables depend on them."""
        if self.teacher is None:
            return ""
        return self.teacher.open_table(self.folder.path.parent / "teacher-logits", self.spec, self.data, cap_gb)

    def _load_state(self) -> None:
        self.progress = self.folder.load_state(self.model, self.step.optimizer, self.device, self.step.average)
        if self.progress.data_hash != self.data.content_hash:
            raise RunError(
                f"{self.spec.data.source} is not the data this run began with; restore the files, or start a new run."
            )
        if self.teacher is not None and self.progress.teacher_hash not in ("", self.teacher.hash):
            assert self.spec.distillation is not None
            raise RunError(
                f"The teacher {self.spec.distillation.teacher} has changed since this run began; restore it, or start "
                "a new run."
            )
        self.folder.check_weights(self.progress, has_ema=self.spec.optim.ema == "beside")
        torch.set_num_threads(self.progress.num_threads)  # another number would round differently, as would a plan
        self.step.follow(Plan(**self.progress.plan) if self.progress.plan else plain_plan(self.spec.compute))

    def events(self, group_s: float, logits_gb: float) -> Iterator[Event]:
        if self._is_new:
            self._choose_plan()
        self._started_at = time.monotonic() - self.progress.elapsed_s
        if self._is_new:
            self.save_state()  # from now on a folder without it has lost it
        yield RunStarted(
            num_params=sum(p.numel() for p in self.model.parameters()),
            num_train=len(self.data.train),
            num_val=len(self.data.val),
            num_test=len(self.data.test),
            steps_per_epoch=self.batches.steps_per_epoch,
            total_steps=self.total_steps,
            first_step=self.progress.step,
            device=str(self.device),
            num_threads=torch.get_num_threads(),
            plan=str(self.step.plan),
            teacher_logits=self._open_teacher_logits(logits_gb),
            streamed=not isinstance(self.data.train.images, Tensor),
            notes=(*self.data.notes, *self.notes),
        )
        try:
            while self.progress.epoch < self.spec.optim.epochs:
                yield from self._train_epoch(group_s)
                yield from self._end_epoch()
        except _NotFiniteError as error:
            self.has_unsaved_steps = False  # they are spoilt
            yield RunFailed(self.progress.step, self._not_finite_sentence(error))
        else:
            yield self._finish()

    def _train_epoch(self, group_s: float) -> Iterator[Event]:
        """The steps that are left of the epoch."""
        steps, progress = self.batches.steps_per_epoch, self.progress
        group, saved_at = Group(progress.step), time.monotonic()
        self.model.train()
        for batch in self.batches.epoch(progress.epoch, first_step=progress.step - progress.epoch * steps):
            group.add(self.step(batch.pixels, batch.labels, progress.step, batch.rows, batch.mix))
            progress.step += 1
            if group.age_s < group_s and progress.step % steps:
                continue
            if (bad := group.first_bad_step()) is not None:
                raise _NotFiniteError(bad, is_teachers=group.has_bad_teacher())
            group.add_to(progress.sums)
            self.has_unsaved_steps = True
            metrics = group.means() | {
                "lr": self.step.learning_rate(progress.step - 1),
                "images_per_s": group.num_steps * self.batches.batch_size / group.age_s,
            }
            if self.teacher is not None and (hit_rate := self.teacher.take_hit_rate()) is not None:
                metrics["teacher_hit_rate"] = hit_rate
            yield StepDone(progress.step, progress.epoch + 1, self._elapsed_s(), metrics)
            if time.monotonic() - saved_at > self.spec.compute.checkpoint_interval_s:
                if not self.has_finite_weights():  # a finite loss may still have made a step too far
                    raise _NotFiniteError(progress.step)
                yield self.save_state()
                saved_at = time.monotonic()
            group = Group(progress.step)

    def _end_epoch(self) -> Iterator[Event]:
        """Validate, keep the weights if they are the best so far, save."""
        progress = self.progress
        metrics = {name: total.item() / self.batches.steps_per_epoch for name, total in progress.sums.items()}
        judged, beside = self._judged()
        metrics |= evaluate(judged, self.data.val, self._normalize, self.device, "val")
        if beside is not None:
            metrics |= evaluate(beside, self.data.val, self._normalize, self.device, "val", suffix="_ema")
        if not math.isfinite(metrics["val_loss"]):
            raise _NotFiniteError(progress.step)
        progress.epoch, progress.sums = progress.epoch + 1, {}
        is_best = (metrics["val_accuracy"], -metrics["val_loss"]) > (progress.best_accuracy, -progress.best_loss)
        if is_best:
            progress.best_epoch = progress.epoch
            progress.best_accuracy, progress.best_loss = metrics["val_accuracy"], metrics["val_loss"]
        card = ModelCard(
            spec=self.spec,
            classes=self.data.classes,
            in_chans=self.data.in_chans,
            mean=self.statistics[0],
            std=self.statistics[1],
            data_hash=self.data.content_hash,
            teacher_hash=progress.teacher_hash,
            initial_hash=progress.initial_hash,
            epoch=progress.epoch,
            step=progress.step,
            metrics=metrics,
            precision=self.step.plan.precision,
            versions=self.versions,
            machine=self.machine,
        )
        self.folder.save_epoch(judged, card, is_best=is_best, beside=beside)
        saved = self.save_state()
        yield EpochDone(progress.step, progress.epoch, self._elapsed_s(), metrics, is_best)
        yield saved

    def _judged(self) -> tuple[nn.Module, nn.Module | None]:
        """The weights that an epoch is judged by and leaves behind, and the moving average where it stands beside."""
        average = self.step.average
        if average is None:
            return self.model, None
        return (average, None) if self.spec.optim.ema == "instead" else (self.model, average)

    def _finish(self) -> RunFinished:
        """Score the best epoch's weights on test: the only time that test is looked at."""
        best = place(load_checkpoint(self.folder.path), self.device)
        metrics = evaluate(best, self.data.test, self._normalize, self.device, "test")
        if self.spec.optim.ema == "beside":
            average = place(load_checkpoint(self.folder.files.best_ema), self.device)
            metrics |= evaluate(average, self.data.test, self._normalize, self.device, "test", suffix="_ema")
        if self.spec.augment.test_flip:
            metrics |= evaluate(best, self.data.test, self._normalize, self.device, "test", suffix="_flip", flip=True)
        if self.spec.distillation is not None and self.spec.distillation.trained_fusion:
            assert isinstance(best, VisionTransformer)
            metrics |= evaluate_trained_fusion(
                best, self.data.train, self.data.test, self._normalize, self.device, "test"
            )
        return RunFinished(self.progress.step, self.progress.best_epoch, self._elapsed_s(), metrics)

    def save_state(self) -> CheckpointSaved:
        """Write the state that the next session resumes from."""
        self.progress.elapsed_s = self._elapsed_s()
        self.folder.save_state(self.model, self.step.optimizer, self.progress, self.step.average)
        if self.teacher is not None:
            self.teacher.flush()
        self.has_unsaved_steps = False
        return CheckpointSaved(self.progress.step, self.progress.epoch, str(self.folder.path))

    def close(self) -> None:
        """Let go of what others may want."""
        if self.teacher is not None:
            self.teacher.close()

    def has_finite_weights(self) -> bool:
        return all(bool(parameter.isfinite().all()) for parameter in self.model.parameters())

    def _normalize(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) / self.std

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started_at

    def _not_finite_sentence(self, error: _NotFiniteError) -> str:
        step, steps = error.step, self.batches.steps_per_epoch
        epoch = (step - 1) // steps + 1
        kept = (
            f"The last good checkpoint, after epoch {self.progress.epoch}, is kept."
            if self.progress.epoch
            else "No epoch had ended, so there is no checkpoint."
        )
        if error.is_teachers:
            assert self.spec.distillation is not None
            return (
                f"The teacher {self.spec.distillation.teacher} gave logits that are not finite numbers at step {step} "
                f"(epoch {epoch}). {kept} Start again with another teacher."
            )
        return (
            f"The loss was no longer a finite number at step {step} (epoch {epoch}, learning rate "
            f"{self.step.learning_rate(step - 1):.3g}). {kept} "
            "Start again with a smaller optim.lr or a longer optim.warmup_epochs."
        )
