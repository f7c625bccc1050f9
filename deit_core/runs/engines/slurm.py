"""Workers as jobs of Slurm, which this machine submits; Slurm starts them when it has room.

Jobs need the store on a server, and the runs folder under the same path as here: submitit keeps what a job is to do,
and what it says, in files there. Knows submitit and the queue; nothing of Slurm's own commands.
"""

import logging
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deit_core.errors import RunError, SpecError
from deit_core.layout import slurm_folder
from deit_core.runs import queue
from deit_core.runs.engines.tasks import MOST_WAITING, End, TaskEngine
from deit_core.runs.store import Store
from deit_core.runs.wants import Takes
from deit_core.runs.worker import Worker
from deit_core.settings import Settings

_DEFAULTS = {"job_name": "deit", "time": 60, "cpus_per_task": 1}
_NOT_OURS = {"nodes", "ntasks_per_node", "array_parallelism"}  # a job is one worker
_WAITS = f"{queue.WAITS}jobs of Slurm"
_NO_JOB = f"{_WAITS} with its compute.device: the jobs of `slurm` have no such device."
_ONE_NODE = f"{_WAITS} on several machines: a job of `slurm` has only one; set compute.nodes to 1."


class SlurmEngine(TaskEngine[Takes, Any]):
    """Submits a job for each run that is ready. All jobs are alike.

    Args:
        parameters: as submitit's `SlurmExecutor.update_parameters` takes them: partition, account, time in minutes, ...
        cluster: "slurm", or "local" for processes of this machine in place of jobs.
    Raises: RunError where submitit or Slurm is missing; SpecError for a parameter that submitit does not know.
    """

    def __init__(
        self, store: Store, settings: Settings, parameters: Mapping[str, Any] = {}, *, cluster: str = "slurm"
    ) -> None:
        super().__init__(store, settings)
        asked: dict[str, Any] = _DEFAULTS | dict(parameters)
        self._executor = _executor(slurm_folder(settings.runs_dir), asked, cluster)
        self._num_threads = int(asked["cpus_per_task"])
        has_gpu = any(asked.get(name) for name in ("gpus_per_node", "gpus_per_task")) or "gpu" in str(asked.get("gres"))
        self._devices = ("auto", "cuda", "cpu") if has_gpu else ("auto", "cpu")

    def leave(self) -> None:
        super().leave()
        queue.tell_waiting(self.store, _WAITS, {})

    def _wanted(self) -> Mapping[Takes, int]:
        ready = queue.ready_by_wants(self.store, "slurm")
        told = {wants: _NO_JOB for wants in ready if wants.device not in self._devices}
        told |= {wants: _ONE_NODE for wants in ready if wants.num_nodes > 1}
        queue.tell_waiting(self.store, _WAITS, told)
        num_ready = sum(number for wants, number in ready.items() if wants not in told)
        return {Takes("slurm", self._devices): min(num_ready, MOST_WAITING)}

    def _submit(self, kind: Takes, worker_id: str) -> Any:
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            return self._executor.submit(work_in_job, self.settings, worker_id, kind, self._num_threads)
        except (FailedJobError, FailedSubmissionError) as error:
            raise RunError(f"Slurm refuses the job: {_last_line(str(error))}") from None

    def _end_of(self, handle: Any) -> End | None:
        if not handle.done():
            return None
        has_result = handle.paths.result_pickle.exists()
        if has_result and handle.exception() is None:
            _forget_files(handle)
            return End()
        return End(is_cut_off=True, error=f"Workers cannot start; {handle.paths.stderr} says why.")

    def _cancel(self, handle: Any) -> None:
        handle.cancel(check=False)
        _forget_files(handle)


def work_in_job(settings: Settings, worker_id: str, takes: Takes, num_threads: int) -> None:
    """The job: train what is ready until nothing is, or until its time is over."""
    import submitit

    from deit_core.runs.cluster_worker import train_ready

    def end_when_told(worker: Worker) -> None:
        for number in (signal.SIGUSR2, signal.SIGTERM):  # before the time is over, and when it is cancelled
            signal.signal(number, lambda *_: worker.end())

    node_id = f"job {submitit.JobEnvironment().job_id}"
    train_ready(settings, worker_id, node_id=node_id, takes=takes, num_threads=num_threads, on_begin=end_when_told)


def _executor(folder: Path, parameters: Mapping[str, Any], cluster: str) -> Any:
    try:
        import submitit
    except ImportError:
        raise RunError("submitit is not installed; run `python -m pip install -r requirements-cluster.txt`.") from None
    logging.getLogger("submitit").setLevel(logging.ERROR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what a job is given has the password of the store
    try:
        executor = submitit.AutoExecutor(folder, cluster)
    except RuntimeError:
        raise RunError(
            "This machine has no Slurm: `srun` is not in its PATH. Start this on a login node of a cluster."
        ) from None
    known = submitit.SlurmExecutor._valid_parameters() - _NOT_OURS
    if unknown := sorted(set(parameters) - known):
        raise SpecError(f"A job of Slurm has no parameter {unknown[0]} here; choose from {', '.join(sorted(known))}.")
    if not isinstance(parameters["cpus_per_task"], int):
        raise SpecError("cpus_per_task is the number of cores that each job gets; give a whole number.")
    additional = parameters.get("additional_parameters", {})
    if not isinstance(additional, dict):
        raise SpecError('additional_parameters has names and values; give them as {"constraint": "a100"}.')
    ruled = {"no-requeue": True} | additional  # our queue does that
    values = {f"slurm_{name}": value for name, value in {**parameters, "additional_parameters": ruled}.items()}
    executor.update_parameters(timeout_min=60, **values)  # the first is for local jobs alone
    return executor


def _last_line(said: str) -> str:
    return (said.strip().splitlines() or ["it said nothing."])[-1]


def _forget_files(job: Any) -> None:
    """Delete what submitit has written for a job of which nobody needs to know more."""
    for file in job.paths.folder.glob(f"{job.job_id}_*"):
        file.unlink(missing_ok=True)
    for link in job.paths.folder.glob(".submission_file_*.sh"):
        if not link.exists():  # what it led to is gone
            link.unlink(missing_ok=True)
