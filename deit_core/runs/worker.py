"""The worker: claims runs, trains them, and writes their events into the store. `python -m deit_core.runs.worker`

It registers before torch is loaded, so that no second worker is started meanwhile.
"""

import atexit
import contextlib
import faulthandler
import gc
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from deit_core.errors import DeitError, LostRankError, RunError, StoreError
from deit_core.events import EpochDone, Event, Reading, RunFailed, RunFinished, RunStarted, StepDone
from deit_core.layout import RunFiles, run_folder
from deit_core.machine.limits import num_cores
from deit_core.machine.own_limit import limited_memory
from deit_core.machine.threads import spin_briefly
from deit_core.refusals import user_error
from deit_core.runs import queue
from deit_core.runs.artifacts import PATIENCE_S, bring
from deit_core.runs.early_stopping import EarlyStopping
from deit_core.runs.endings import describe, kept_here
from deit_core.runs.engines.local import SPARE_VARIABLE, TAKES, WORKER_ID_VARIABLE
from deit_core.runs.launcher import LocalLauncher
from deit_core.runs.publisher import Publisher
from deit_core.runs.reconcile import correction
from deit_core.runs.recorder import Recorder
from deit_core.runs.records import Run, RunUpdate, Status
from deit_core.runs.run_log import Log, all_output, log, records
from deit_core.runs.siblings import shared_teacher_hash
from deit_core.runs.spare import stand_by
from deit_core.runs.store import GivenUpError, Store, open_store
from deit_core.runs.writer import patiently
from deit_core.settings import Settings
from deit_core.sinks import Sinks
from deit_core.spec import SEARCH_TAG

if TYPE_CHECKING:
    from deit_core.training.rank_processes import RankProcesses

Watcher = Callable[[Run, Event], None]


class Mode(Enum):
    """For whom a worker works.

    In the background it takes any run that is ready, and one that it has to leave is interrupted; in a cluster that one
    is queued again. In the foreground it takes the runs that a command has reserved for it, and stops them when the
    command has to end.
    """

    BACKGROUND = auto()
    CLUSTER = auto()
    FOREGROUND = auto()


class _StoppedError(Exception):
    """A run stops before its end, with the status that it then has."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status


class Worker:
    """Trains runs one after the other, as this process.

    Args:
        slot: its place among the workers of its machine, which is also its GPU where there are several.
        log: opens the log of a run, given its path.
        num_threads: how many threads it computes with; None for its share of the cores.
        on_claim: called when it has taken a run: the run before may have made several ready.
        watch: called with each event of each run, for a progress bar.
        spare_of: the process that started it as a spare; it loads torch and waits for its first run.
        processes: of the other ranks of its runs, where a cluster starts them; it ends with the loss of one.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        worker_id: str,
        slot: int | None,
        *,
        mode: Mode = Mode.FOREGROUND,
        log: Log = records,
        num_threads: int | None = None,
        on_claim: Callable[[], object] = lambda: None,
        watch: Watcher | None = None,
        spare_of: int | None = None,
        processes: "RankProcesses | None" = None,
    ) -> None:
        self.store, self.settings = store, settings
        self.worker_id, self.slot, self.mode = worker_id, slot, mode
        self.watch, self.spare_of, self._processes = watch, spare_of, processes
        self._cut_off = "Its worker was cut off"
        self._log, self._num_threads, self._on_claim = log, num_threads, on_claim
        self._ending = threading.Event()  # the process is to end
        self._stopping = threading.Event()  # the run is to stop
        self._has_stepped = False  # in this session of the run
        self._is_given_up = False  # counted as dead, perhaps after a long sleep: another worker may have the run
        self._run: Run | None = None
        self.mistake: DeitError | None = None  # the first error that ended a run and that the user can fix

    def work(self) -> None:
        """Claim and train until no run is ready, or until `end` is called."""
        done = threading.Event()
        beat = threading.Thread(target=self._beat, args=(done,), daemon=True)
        beat.start()
        try:
            if self.spare_of is not None:
                stand_by(self.store, self.spare_of, self._ending.is_set)
            while not self._ending.is_set() and self.store.is_there:
                run = queue.claim(self.store, self.worker_id, reserved_only=self.mode is Mode.FOREGROUND)
                if run is not None:
                    self._on_claim()
                    self.train(run)
                elif self.mode is Mode.FOREGROUND or queue.retire(self.store, self.worker_id):
                    return
        finally:
            done.set()
            beat.join()
            if self.store.is_there:
                queue.leave(self.store, self.worker_id, self._cut_off)

    def end(self) -> None:
        """Stop the run after its step, save it, and take no other. Safe to call from a signal handler."""
        self._ending.set()

    def train(self, run: Run) -> None:
        """Train one claimed run until it ends; its final status is in the store afterwards."""
        self._stopping.clear()
        self._run, self._has_stepped = run, False
        publisher = Publisher(self.settings, run.id, lambda: self._is_given_up)
        try:
            self._bring(run)
            _check_folder(run, run_folder(self.settings.runs_dir, run.id))  # before its log would create it again
            with self._log(RunFiles(run_folder(self.settings.runs_dir, run.id)).log):
                log.info("run %s %r", run.id, run.name)
                try:
                    with limited_memory():
                        status, message, update = self._follow(run, publisher)
                except Exception as error:
                    log.exception("failed")
                    traceback.clear_frames(error.__traceback__)  # `mistake` must not keep a model in memory
                    status, message, update = self._failed(error)
                log.info("%s %s", status, message)
        except (OSError, DeitError) as error:  # there is no folder, or not even its log can be written
            status, message, update = self._failed(error)
        if trouble := publisher.finish():
            message = f"{message} {kept_here(run, self.settings, trouble)}".lstrip()
        self._run = None
        if status is Status.RUNNING:
            return  # `leave` queues it again
        if not patiently(lambda: self.store.runs([run.id])):  # no store is there, or another
            self.mistake = RunError(self.store.database.gone())
        else:
            with contextlib.suppress(GivenUpError):  # it counted as dead, and the run is not its own any more
                patiently(lambda: self.store.set_status(run.id, status, message, update, worker_id=self.worker_id))

    def _failed(self, error: Exception) -> tuple[Status, str, RunUpdate]:
        self.mistake = self.mistake or user_error(error)
        if not isinstance(error, LostRankError):
            return Status.FAILED, describe(error), RunUpdate()
        if self._processes is None:
            return Status.INTERRUPTED, describe(error), RunUpdate()
        self._cut_off = describe(error).partition(". ")[0]
        self._ending.set()
        return Status.RUNNING, describe(error), RunUpdate()

    def _follow(self, run: Run, publisher: Publisher) -> tuple[Status, str, RunUpdate]:
        """Train and record events until the run ends; returns its status, the reason, and its last columns."""
        spin_briefly()
        from deit_core.training import train

        folder, rule = run_folder(self.settings.runs_dir, run.id), EarlyStopping(self.store, run)
        with (
            contextlib.closing(Recorder(self.store, run)) as recorder,
            contextlib.closing(self._sinks(run, recorder)) as sinks,
        ):

            def note(event: Event) -> None:
                self._has_stepped |= isinstance(event, StepDone)
                if isinstance(event, RunStarted):
                    recorder.correct(correction(self.store, run, folder, event))
                recorder.record(event)
                sinks.take(event)
                if (trouble := publisher.take(event)) is not None:
                    recorder.warn(trouble)
                if self.watch is not None:
                    self.watch(run, event)

            def on_progress(reading: Reading) -> None:
                self._check_stopped("resume reads the images again.")
                note(reading)

            events = train(
                run.spec,
                run_dir=folder,
                runs_dir=self.settings.runs_dir,
                data_dir=self.settings.data_dir,
                resume=True,
                device=self._device(),
                num_threads=self._num_threads or self._share_of_cores(),
                logits_gb=self.settings.logits_gb,
                on_progress=on_progress,
                teacher_hash=shared_teacher_hash(self.store, run, self.settings.runs_dir),
                processes=self._processes,
            )
            with contextlib.closing(events):
                try:
                    for event in events:
                        note(event)
                        if isinstance(event, RunFailed):
                            return Status.FAILED, event.reason, RunUpdate()
                        if isinstance(event, EpochDone) and (why := rule.reason(event.epoch, recorder.results)):
                            return Status.STOPPED, why, RunUpdate()
                        if isinstance(event, RunFinished):
                            return Status.COMPLETED, event.note, RunUpdate(results=recorder.results)
                        self._check_stopped("resume continues from here.")
                except _StoppedError as stopped:
                    return stopped.status, str(stopped), RunUpdate()
                except GivenUpError as error:
                    with contextlib.suppress(GivenUpError):
                        events.throw(error)  # closing it would save a state over that of the next worker
                    raise
        raise AssertionError("a training ends with RunFinished or RunFailed")

    def _bring(self, run: Run) -> None:
        """What other machines have published: this run as far as it is, its teacher, and the run that it starts from.

        Raises: ResourceError or CheckpointError where it cannot be fetched.
        """
        teacher = run.spec.distillation.teacher if run.spec.distillation else ""
        bring(self.settings, [teacher, run.spec.initial_checkpoint], patience_s=PATIENCE_S)
        if run.step:
            bring(self.settings, [run.id], with_state=True, patience_s=PATIENCE_S)

    def _sinks(self, run: Run, recorder: Recorder) -> Sinks:
        return Sinks(
            self.settings.log_to,
            self.settings.runs_dir,
            id=run.id,
            name=run.name,
            experiment=run.experiment_name or "",
            spec=run.spec.model_dump_json(indent=2),
            say=recorder.note,
            with_test=SEARCH_TAG not in run.spec.tags,
        )

    def _check_stopped(self, resume: str) -> None:
        """Check whether the run goes on.

        Raises: _StoppedError where the run or the process has to stop, `resume` says what a resume does; GivenUpError
            where the run is not this worker's any more.
        """
        if self._is_given_up:
            raise GivenUpError("This worker had given no sign of life for too long, and its run was taken from it.")
        if self._stopping.is_set():
            raise _StoppedError(Status.STOPPED, f"Stopped; {resume}")
        if not self._ending.is_set():
            return
        match self.mode:
            case Mode.CLUSTER if self._has_stepped:
                why = "The time of its worker was over; another worker continues it from here."
                raise _StoppedError(Status.QUEUED, why)
            case Mode.CLUSTER:
                why = "The time of its worker was over before its first step; give workers more time, then resume."
                raise _StoppedError(Status.INTERRUPTED, why)
            case Mode.BACKGROUND:
                raise _StoppedError(Status.INTERRUPTED, f"Its worker was ended; {resume}")
            case Mode.FOREGROUND:
                raise _StoppedError(Status.STOPPED, f"Stopped in the terminal; {resume}")

    def _device(self) -> str | None:
        """With several GPUs each slot has its own; None leaves the choice to the run."""
        import torch

        count = torch.cuda.device_count()
        return f"cuda:{(self.slot or 0) % count}" if count else None

    def _share_of_cores(self) -> int:
        meant = self.settings.num_workers if self.mode is Mode.BACKGROUND else 1
        sharing = max(len(queue.workers_here(self.store)), meant)
        return max(1, num_cores() // sharing)

    def _beat(self, done: threading.Event) -> None:
        """In a separate thread: write heartbeats, and check whether the run has to stop."""
        while not done.wait(queue.HEARTBEAT_S / 4):
            run = self._run
            try:
                if not queue.heartbeat(self.store, self.worker_id):
                    self._is_given_up = True
                    self._ending.set()
                elif run is not None and any(row.stop_requested for row in self.store.runs([run.id])):
                    self._stopping.set()
            except RunError:
                self._ending.set()  # the store is gone, and the folder of the run most likely with it
            except StoreError as error:
                log.warning("the store does not answer: %s", error)


def _check_folder(run: Run, folder: Path) -> None:
    """Raises: RunError where a started run has lost its folder."""
    if run.step > 0 and not RunFiles(folder).spec.exists():
        raise RunError(
            f"The folder of this run, {folder}, does not exist; put it back, or resume the run with its first runs "
            "folder (--runs-dir or DEIT_RUNS_DIR)."
        )


def main() -> None:
    faulthandler.enable()
    atexit.register(gc.freeze)  # without it Python looks through all of torch again before it ends
    logging.basicConfig(level=logging.INFO, handlers=[logging.NullHandler()])
    settings = Settings.from_env()
    store = open_store(settings.store_url)
    entry = queue.register(store, settings.num_workers, os.environ.get(WORKER_ID_VARIABLE), takes=TAKES)
    if entry is None:
        return
    starter = os.environ.get(SPARE_VARIABLE)
    worker = Worker(
        store,
        settings,
        *entry,
        mode=Mode.BACKGROUND,
        log=all_output,
        on_claim=LocalLauncher(store, settings).ensure_workers,
        spare_of=int(starter) if starter else None,
    )
    signal.signal(signal.SIGTERM, lambda *_: worker.end())
    try:
        worker.work()
    except StoreError as error:  # its run is then seen to have lost its worker
        sys.exit(f"This worker ends: {error}")


if __name__ == "__main__":
    main()
