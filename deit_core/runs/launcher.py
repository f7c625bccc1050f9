"""Starts runs: turns a spec into queued rows, and lets an engine start enough workers to train them.

Knows the store and the folders of runs; nothing of torch, or of how an engine starts workers.
"""

import os
import shutil
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from deit_core.errors import FullStoreError, RunError, SpecError
from deit_core.files import is_there
from deit_core.layout import RunFiles, run_folder
from deit_core.memory import check_granted
from deit_core.plain_text import harmless
from deit_core.presets import WEIGHTS
from deit_core.runs import queue
from deit_core.runs.artifacts import artifacts_of
from deit_core.runs.engines import Engine
from deit_core.runs.engines.local import TAKES, LocalEngine
from deit_core.runs.rows import is_run_id
from deit_core.runs.schema import MAX_KEY
from deit_core.runs.store import Store, new_id
from deit_core.settings import Settings
from deit_core.spec import MAX_TRAININGS, AnySpec, ExperimentSpec, RunSpec, trainings
from deit_core.text.quoting import quoted

MAX_RUNS = 100  # of one submit; a sweep asks for many on purpose, and has a limit of its own


class LocalLauncher:
    """Submits, stops, resumes and deletes runs, and keeps workers running. Safe to share between threads.

    Args: engine: who starts workers; by default processes of this machine.
    """

    def __init__(self, store: Store, settings: Settings, engine: Engine | None = None) -> None:
        self.store, self.settings = store, settings
        self.engine = engine or LocalEngine(store, settings)
        self._undeleted: set[str] = set()  # runs whose files are gone, and whose rows could not be deleted yet
        self._lock = threading.Lock()

    def submit(self, spec: AnySpec, *, key: str | None = None) -> list[str]:
        """Queue a run or an experiment and make sure that a worker trains it. Returns the ids of its runs.

        Args: key: a name for this submission; a second one with the same key returns the runs of the first.
        Raises: ResourceError as `check_here` does; SpecError as `enqueue` does.
        """
        check_here(spec, self.settings)
        run_ids = enqueue(self.store, spec, key=key)
        self.engine.try_again()
        self.ensure_workers()
        return run_ids

    def ensure_workers(self) -> None:
        """Mark the runs of dead workers as interrupted, and start as many workers as the queue needs.

        Cheap: call it at every poll.
        """
        with self._lock:
            self._look()
            self.engine.ensure_workers()

    def warm(self) -> None:
        """Make the start of the next run quicker, where the engine can. Cheap."""
        with self._lock:
            self._look()
            self.engine.warm()

    @property
    def trouble(self) -> str:
        """A message if workers cannot work, else empty."""
        return self.engine.trouble

    def stop(self, run_id: str) -> None:
        """Stop a run after its step, or take it out of the queue."""
        queue.reap(self.store)
        self.store.stop(run_id)

    def resume(self, run_id: str) -> None:
        """Queue a stopped, interrupted or failed run again; it continues from its last saved state."""
        queue.reap(self.store)
        self.store.resume(run_id)
        self.engine.try_again()
        self.ensure_workers()

    def delete(self, run_id: str) -> None:
        """Delete a run, what is published of it, and the folder with its checkpoints; if that is a link, only the link.

        On a full disk the files go first, which makes room, and the run's row as soon as it can.

        Args: run_id: its id, or its number where its row cannot be read.
        Raises: RunError if it runs, another run needs it, or its folder cannot be removed; then it stays.
            ResourceError if what is published cannot be removed; then it stays too. FullStoreError if only its files
            could be deleted.
        """
        self.engine.try_again()  # it may make the room that workers need
        queue.reap(self.store)
        try:
            self.store.delete(run_id, self._remove_files)
        except FullStoreError:
            self._remove_files(self.store.deletable(run_id))
            self._undeleted.add(run_id)
            self._finish_deleting()
        if run_id in self._undeleted:
            raise FullStoreError(
                "The files of this run are deleted, but the disk with the store is still full, so the run stays in the "
                "list; delete others as well, then this one again."
            )

    def _remove_files(self, run_id: str) -> None:
        if is_run_id(run_id):  # else it may name any folder
            if (artifacts := artifacts_of(self.settings)) is not None:
                artifacts.remove(run_id)
            _remove(run_folder(self.settings.runs_dir, run_id))

    def _finish_deleting(self) -> None:
        """Delete the rows of runs whose files are gone, as far as the store can be written."""
        for run_id in list(self._undeleted):
            try:
                self.store.delete(run_id)
            except FullStoreError:
                return
            except RunError:  # another process was first, or has resumed it
                pass
            self._undeleted.discard(run_id)

    def _look(self) -> None:
        """Find dead workers, and finish what a full disk had kept."""
        queue.reap(self.store, self.engine.ended)
        self._finish_deleting()


def check_here(spec: AnySpec, settings: Settings) -> None:
    """Check the memory of this machine for the runs that it may train. Other machines judge when they train one.

    Raises: ResourceError where such a run needs more than it grants.
    """
    if settings.num_workers:
        check_granted(spec, settings.runs_dir, only=lambda run: run.compute.engine in TAKES.engines)


def submit(store: Store, spec: AnySpec, settings: Settings | None = None) -> list[str]:
    """Queue a run or an experiment and make sure that a detached worker trains it.

    Args: settings: where runs and data are; by default from the environment.
    Returns: the ids of the runs, in the experiment's order.
    """
    return LocalLauncher(store, settings or Settings.from_env()).submit(spec)


def enqueue(store: Store, spec: AnySpec, *, reserved_for: str | None = None, key: str | None = None) -> list[str]:
    """Queue a run, or all trainings of an experiment, without starting a worker.

    Inside an experiment the name of a teacher, or of the run that another starts from, becomes that run's id, which is
    also the name of its folder.

    Raises: SpecError when such a run is neither one of the store nor a checkpoint on this machine, or the spec asks for
        too many runs; RunError for a key that a store cannot keep.
    """
    if key is not None and not (len(key) <= MAX_KEY and key.isprintable()):
        raise RunError(f"A key has up to {MAX_KEY} letters, digits and signs, on one line; choose a shorter one.")
    specs, needs = resolve(store, spec)
    experiment = spec if isinstance(spec, ExperimentSpec) else None
    return store.add(specs, needs, experiment=experiment, reserved_for=reserved_for, key=key)


def resolve(store: Store, spec: AnySpec) -> tuple[dict[str, RunSpec], dict[str, Sequence[str]]]:
    """The runs that `enqueue` would write into the store: id -> spec, and id -> ids of the runs that it needs.

    Raises: SpecError as `enqueue` does.
    """
    runs = trainings(spec)
    is_sweep = isinstance(spec, ExperimentSpec) and spec.sweep is not None
    limit = MAX_TRAININGS if is_sweep else MAX_RUNS
    if len(runs) > limit:
        remedy = "try fewer values" if is_sweep else "divide it into several experiments"
        raise SpecError(
            f"This experiment asks for {len(runs):,} runs, and {limit:,} can be submitted at once; lower its seeds, or "
            f"{remedy}."
        )
    ids = {run.name: new_id() for run in runs}
    siblings = ids if isinstance(spec, ExperimentSpec) else {}
    known = {run.id for run in store.runs(filter(is_run_id, _references(runs)))} | set(ids.values())
    specs: dict[str, RunSpec] = {}
    needs: dict[str, Sequence[str]] = {}
    for run in runs:
        run_id = ids[run.name]
        if run.distillation is not None:
            teacher = _located(run.distillation.teacher, siblings, known)
            teacher = teacher or _refuse(spec, run, "teacher", run.distillation.teacher, "distillation.teacher")
            run = run.with_changes(distillation=run.distillation.with_changes(teacher=teacher))
        if run.initial_checkpoint:
            start = _located(run.initial_checkpoint, siblings, known)
            start = start or _refuse(spec, run, "initial_checkpoint", run.initial_checkpoint, "initial_checkpoint")
            run = run.with_changes(initial_checkpoint=start)
        if needed := sorted(_references([run]) & known):
            needs[run_id] = needed
        specs[run_id] = run
    return specs, needs


def _references(runs: Sequence[RunSpec]) -> set[str]:
    """The names of teachers, and of runs that others start from."""
    teachers = {run.distillation.teacher for run in runs if run.distillation is not None}
    return teachers | {run.initial_checkpoint for run in runs}


def _located(name: str, siblings: Mapping[str, str], known: Collection[str]) -> str | None:
    """The id of a run, the absolute path of a checkpoint, or None where neither exists."""
    name = siblings.get(name, name)
    if name in known:
        return name
    if is_there(Path(name)):
        return os.path.realpath(name)  # a worker may have another working folder
    return None


def _refuse(spec: AnySpec, run: RunSpec, what: str, name: str, field: str) -> NoReturn:
    """Refuse a missing run or checkpoint, and say what to do."""
    if name in WEIGHTS:
        remedy = f"{WEIGHTS[name].format(folder=Path.cwd())}, and start again."
    else:
        remedy = f"set {field} to the id of a run (`python -m deit_core runs` lists them) or to the path of a file"
        remedy += "." if isinstance(spec, ExperimentSpec) else ", or start the whole experiment that contains it."
    whose = f"The {what} {quoted(name)} of {run.name!r}"
    raise SpecError(f"{whose} is neither a run nor the path of a checkpoint; {remedy}")


def _remove(folder: Path) -> None:
    try:
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        else:
            folder.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            f"{error.filename or folder} cannot be removed ({error.strerror}), so the run stays, though some of its "
            "files may be gone. Fix this, for example with chmod u+w on its parent folder, then delete the run again."
        ) from error


def log_tail(runs_dir: Path, run_id: str, num_lines: int = 40) -> str:
    """The last lines of a run's log; empty before its first."""
    try:
        with RunFiles(run_folder(runs_dir, run_id)).log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 200 * num_lines))
            return "\n".join(map(harmless, file.read().decode(errors="replace").splitlines()[-num_lines:]))
    except FileNotFoundError:
        return ""
