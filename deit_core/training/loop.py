"""The training loop: a spec in, events out. It neither prints nor stores metrics, and knows no queue and no page.

All randomness is counter-based, from (seed, epoch) for order and views and (seed, step) for dropout. So the step
alone gives the state of the random numbers, and a resumed run equals a run that was never stopped.
"""

import math
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deit_core.data.sources.progress import OnProgress, no_progress
from deit_core.errors import LostRankError, ResourceError
from deit_core.events import EpochDone, Event, RunFailed, RunFinished, RunStarted, StepDone
from deit_core.machine import torchrun
from deit_core.machine.own_limit import limit_in_words
from deit_core.metrics import (
    BEST_EPOCH_BY,
    IMAGES_PER_S,
    LR,
    TEACHER_HIT_RATE,
    TRAIN_AGREEMENT,
    VAL_ACCURACY,
    VAL_LOSS,
    is_better,
)
from deit_core.models import VisionTransformer, load_checkpoint
from deit_core.settings import Settings
from deit_core.spec import RunSpec
from deit_core.training.device import choose_device, place
from deit_core.training.late_fusion import evaluate_trained_fusion
from deit_core.training.leader import NUM_RESTARTS, Leader, backend_for, check_devices
from deit_core.training.measures import Group
from deit_core.training.meeting import Task
from deit_core.training.memory import fitting_batch_size, is_out_of_memory, out_of_memory, release
from deit_core.training.rank_processes import LocalProcesses, RankProcesses
from deit_core.training.ranks import Ranks
from deit_core.training.session import Session


def train(
    spec: RunSpec,
    *,
    run_dir: Path | str,
    runs_dir: Path | str | None = None,
    data_dir: Path | str = "data",
    resume: bool = False,
    device: str | None = None,
    num_threads: int | None = None,
    group_s: float = 0.5,
    logits_gb: float = Settings.logits_gb,
    images_gb: float | None = None,
    on_progress: OnProgress = no_progress,
    teacher_hash: str = "",
    processes: RankProcesses | None = None,
) -> Generator[Event, None, None]:
    """Train one run and yield its events.

    Closing the iterator stops the run between two steps: its state is saved first, and `resume=True` continues from
    there. A loss, or a teacher's logit, that is not finite ends the run with RunFailed; the last good checkpoint stays.

    Args:
        run_dir: where spec, weights and state go.
        runs_dir: where a teacher or `initial_checkpoint` named by a run's id is searched, and where runs keep shared
            files (see `deit_core.layout`); by default the parent folder of `run_dir`.
        data_dir: where data sets are searched and downloaded to.
        device: overrides "auto" in the spec ("cuda:1").
        num_threads: CPU threads if the spec does not say, by default torch's own choice; a resumed run keeps its first
            number.
        group_s: steps are reported in groups of about this many seconds; 0 reports each.
        logits_gb: disk space, in units of 10^9 bytes, for the tables of teachers' logits in `runs_dir`.
        on_progress: called with the progress of reading many images, before the first event. What it raises ends the
            run there.
        teacher_hash: the teacher's hash (see `ModelCard`) in another run that this one repeats with another seed; empty
            if there is none.
        processes: of the other ranks, where the run has several devices; by default processes of this machine, or those
            of torchrun.
        images_gb: a folder whose images need more memory is read in every epoch; None is a quarter of the memory.
    Raises: DeitError where data, teacher or folder do not fit the spec, or memory or disk are too small; the last good
        checkpoint stays then, too.
    """
    world = spec.compute.devices
    options: dict[str, Any] = {
        "run_dir": Path(run_dir),
        "runs_dir": Path(run_dir).parent if runs_dir is None else Path(runs_dir),
        "data_dir": Path(data_dir),
        "device": device,
        "images_gb": images_gb,
        "on_progress": on_progress,
        "teacher_hash": teacher_hash,
    }
    if world == 1:
        options["num_threads"] = num_threads
        yield from session_events(spec, options, None, group_s, logits_gb, resume=resume)
        return
    if processes is None:
        check_devices(spec.compute, choose_device(spec.compute, device))
        processes = None if torchrun.is_by_torchrun() else LocalProcesses()
    options |= {"num_threads": max(1, (num_threads or torch.get_num_threads()) // world), "ranks": Ranks(0, world)}
    lost = ""
    for restarts_left in reversed(range(NUM_RESTARTS + 1)):
        try:
            yield from session_events(
                spec, options, Leader(world, processes), group_s, logits_gb, resume=resume, note=lost
            )
            return
        except LostRankError as error:
            if not restarts_left or processes is None or not processes.can_start_again:  # as torchrun does, if it is to
                raise LostRankError(f"{error} Resume goes on from the last saved state.") from None
            lost, resume = f"{error} All were started again, from the last saved state.", True


def session_events(
    spec: RunSpec,
    options: dict[str, Any],
    leader: Leader | None,
    group_s: float,
    logits_gb: float,
    *,
    resume: bool,
    note: str = "",
) -> Generator[Event, None, None]:
    """The events of one session. Args: leader: of the other ranks, if there are any; note: what it begins with."""
    try:
        session = Session(spec, resume=resume, **options)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            f"Out of memory: there was not enough for the data and the model{limit_in_words()}; choose a smaller "
            "data.img_size or model, or another machine."
        ) from error
    try:
        session.start()
        if leader is not None:
            leader.gather(_task(options, logits_gb, session.device))
            session.meet()
        session.notes += [note] if note else []
        yield from _events(session, leader, group_s, logits_gb)
    except LostRankError:
        assert leader is not None
        raise leader.reason() from None
    except GeneratorExit:
        if session.has_unsaved_steps and session.has_finite_weights():
            session.save_state()
        raise
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        release(error)
        _go_alone(session, leader)
        num_images, num_parts = session.batches.batch_size, session.step.num_parts
        raise out_of_memory(num_images, num_parts, fitting_batch_size(session.step, session.batches)) from error
    finally:
        session.close()
        if leader is not None:
            leader.close()


def _go_alone(session: Session, leader: Leader | None) -> None:
    """Part from the other ranks. They end with that, so from here on nobody may take one for lost."""
    session.go_alone()
    if leader is not None:
        leader.close()


def _task(options: dict[str, Any], logits_gb: float, device: torch.device) -> Task:
    """What the other ranks are told of a session with these options."""
    run_dir, runs_dir, data_dir = (str(options[name]) for name in ("run_dir", "runs_dir", "data_dir"))
    return Task(run_dir, runs_dir, data_dir, options["device"], options["images_gb"], logits_gb, backend_for(device))


class _NotFiniteError(Exception):
    """The loss of `step`, or a logit of the teacher, is not a finite number."""

    def __init__(self, step: int, *, is_teachers: bool = False) -> None:
        super().__init__(step)
        self.step, self.is_teachers = step, is_teachers


def _events(session: Session, leader: Leader | None, group_s: float, logits_gb: float) -> Iterator[Event]:
    batches, data = session.batches, session.data
    started = RunStarted(
        num_params=sum(p.numel() for p in session.model.parameters()),
        num_train=len(data.train),
        num_val=len(data.val),
        num_test=len(data.test),
        steps_per_epoch=batches.steps_per_epoch,
        total_steps=session.total_steps,
        first_step=session.progress.step,
        device=str(session.device),
        num_threads=torch.get_num_threads(),
        plan=str(session.step.plan),
        teacher_logits=session.open_teacher_logits(logits_gb),
        streamed=not isinstance(data.train.images, Tensor),
        first_epoch=session.progress.epoch,
        notes=(*data.notes, *session.notes),
    )
    session.note(started)
    yield started
    try:
        while session.progress.epoch < session.spec.optim.epochs:
            yield from _train_epoch(session, group_s)
            yield from _end_epoch(session)
    except _NotFiniteError as error:
        session.has_unsaved_steps = False  # they are not finite
        yield RunFailed(session.progress.step, _sentence(session, error))
    else:
        _go_alone(session, leader)
        yield _finish(session)


def _train_epoch(session: Session, group_s: float) -> Iterator[Event]:
    """The remaining steps of the epoch."""
    steps, progress = session.batches.steps_per_epoch, session.progress
    group, saved_at = Group(progress.step), time.monotonic()
    session.model.train()
    for batch in session.epoch():
        session.make_step(batch)
        group.num_steps += 1
        if group.age_s < group_s and progress.step % steps:
            continue
        sums, bad = session.sums.take_group()
        if bad is not None:
            is_teachers = not math.isfinite(sums.get(TRAIN_AGREEMENT, 0.0))
            raise _NotFiniteError(group.first_step + bad, is_teachers=is_teachers)
        session.has_unsaved_steps = True
        metrics = {name: total / group.num_steps for name, total in sums.items()} | {
            LR: session.step.learning_rate(progress.step - 1),
            IMAGES_PER_S: group.num_steps * session.batches.batch_size / group.age_s,
        }
        if session.teacher is not None and (hit_rate := session.teacher.take_hit_rate()) is not None:
            metrics[TEACHER_HIT_RATE] = hit_rate
        done = StepDone(progress.step, progress.epoch + 1, session.elapsed_s(), metrics)
        session.note(done)
        yield done
        if time.monotonic() - saved_at > session.spec.compute.checkpoint_interval_s:
            if not session.has_finite_weights():  # a finite loss can still lead to weights that are not finite
                raise _NotFiniteError(progress.step)
            yield session.save_state()
            saved_at = time.monotonic()
        group = Group(progress.step)


def _end_epoch(session: Session) -> Iterator[Event]:
    """Validate, keep the weights if they are the best so far, save."""
    progress = session.progress
    metrics = {name: total.item() / session.batches.steps_per_epoch for name, total in session.sums.of_epoch().items()}
    metrics |= session.score_epoch()
    if not math.isfinite(metrics[VAL_LOSS]):
        raise _NotFiniteError(progress.step)
    progress.epoch += 1
    session.sums.start_epoch()
    best = {VAL_ACCURACY: progress.best_accuracy, VAL_LOSS: progress.best_loss}
    is_best = is_better(metrics, best, BEST_EPOCH_BY)
    if is_best:
        progress.best_epoch = progress.epoch
        progress.best_accuracy, progress.best_loss = metrics[VAL_ACCURACY], metrics[VAL_LOSS]
    done = EpochDone(progress.step, progress.epoch, session.elapsed_s(), metrics, is_best)
    saved = session.save_epoch(done)
    yield done
    yield saved


def _finish(session: Session) -> RunFinished:
    """Evaluate the best epoch's weights on test: the only use of the test images, by this process alone."""
    best = place(load_checkpoint(session.folder.path), session.device)
    metrics, note = session.score_best(best)
    session.keep_views()
    if session.spec.optim.ema == "separate":
        average = place(load_checkpoint(session.folder.files.best_ema), session.device)
        metrics |= session.score(average, "test", suffix="_ema")
    if session.spec.augment.test_flip:
        metrics |= session.score(best, "test", suffix="_flip", flip=True)
    if session.spec.distillation is not None and session.spec.distillation.trained_fusion:
        assert isinstance(best, VisionTransformer)
        metrics |= evaluate_trained_fusion(
            best, session.data.train.labelled(), session.data.test, session.normalize, session.device, "test"
        )
    finished = RunFinished(session.progress.step, session.progress.best_epoch, session.elapsed_s(), metrics, note)
    session.note(finished)
    session.save_curve()
    session.folder.state.forget_previous()
    return finished


def _sentence(session: Session, error: _NotFiniteError) -> str:
    step, steps = error.step, session.batches.steps_per_epoch
    epoch = (step - 1) // steps + 1
    kept = (
        f"The last good checkpoint, after epoch {session.progress.epoch}, is kept."
        if session.progress.epoch
        else "No epoch had ended, so there is no checkpoint."
    )
    if error.is_teachers:
        assert session.spec.distillation is not None
        return (
            f"The teacher {session.spec.distillation.teacher} had logits that are not finite numbers at step {step} "
            f"(epoch {epoch}). {kept} Start again with another teacher."
        )
    return (
        f"The loss was no longer a finite number at step {step} (epoch {epoch}, learning rate "
        f"{session.step.learning_rate(step - 1):.3g}). {kept} "
        "Start again with a smaller optim.lr or a longer optim.warmup_epochs."
    )
