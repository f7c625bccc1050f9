"""The status of a run in words: its place in the queue, the run it waits for, and what the user can do.

Plain text, run names included: a page escapes it. The same words on pages and in the terminal.
"""

from collections.abc import Sequence

from deit_core.metrics import TEST_ACCURACY
from deit_core.runs.queue import waiting_for
from deit_core.runs.records import Run, Status
from deit_core.wording import duration

_WORKERS = {
    "any": "a worker is free",
    "local": "a worker of a single machine is free (DEIT_WORKERS, or `work`), because compute.engine is local",
    "ray": "a worker of a Ray cluster is free (`cluster up`), because compute.engine is ray",
    "slurm": "a worker of Slurm is free (`slurm`), because compute.engine is slurm",
}
_ENDS = {Status.STOPPED: "was stopped", Status.INTERRUPTED: "was interrupted", Status.FAILED: "failed"}


def label(run: Run) -> str:
    """The name of a run in lists: its number makes it unique, or its experiment, of a demo run."""
    return f"{run.experiment_name} {run.name} (demo)" if run.is_demo else f"{run.number} {run.name}"


def word(run: Run, runs: Sequence[Run]) -> str:
    """The status in a word or two. A queued run that waits for its teacher is not simply queued."""
    if run.status == Status.RUNNING and run.stop_requested:
        return "stopping"
    if run.status != Status.QUEUED:
        return run.status.value
    waits = waiting_for(run, runs)
    if any(other.status.can_resume for other in waits):
        return "blocked"
    return "waiting" if waits else "queued"


def explain(run: Run, runs: Sequence[Run]) -> str:
    """One or two sentences on the status of the run, and what to do if the user has to act."""
    match run.status:
        case Status.QUEUED:
            return _explain_queued(run, runs)
        case Status.RUNNING:
            return _explain_running(run)
        case Status.COMPLETED:
            accuracy = run.results.get(TEST_ACCURACY)
            score = "" if accuracy is None else f"Test accuracy {accuracy:.1%}."
            return " ".join(filter(None, (score, run.message)))
        case _:
            return run.message


def is_live(run: Run, runs: Sequence[Run]) -> bool:
    """Whether the run trains, or will train without any action by the user."""
    return run.status.is_active and word(run, runs) != "blocked"


def _explain_queued(run: Run, runs: Sequence[Run]) -> str:
    waits = waiting_for(run, runs)
    for other in waits:
        if other.status.can_resume:
            return (
                f"It waits for {_role(other, run)}, run {label(other)}, which {_ENDS[other.status]}. "
                "Resume that run; this one starts by itself when that run is completed."
            )
    if waits:
        first = waits[0]
        return f"It starts when {_role(first, run)}, run {label(first)}, is completed; that run is {first.status}."
    can_resume = {other.id for other in runs if other.status.can_resume}
    ahead = sum(
        other.status == Status.QUEUED and other.number < run.number and can_resume.isdisjoint(other.needs)
        for other in runs
    )
    if run.message:
        return run.message
    if not ahead:
        return f"Next in the queue: it starts as soon as {_WORKERS[run.spec.compute.engine]}."
    return f"Place {ahead + 1:,} in the queue."


def _role(other: Run, run: Run) -> str:
    is_teacher = run.spec.distillation is not None and run.spec.distillation.teacher == other.id
    return "its teacher" if is_teacher else "the run that it starts from"


def _explain_running(run: Run) -> str:
    if run.stop_requested:
        return "It stops after this step and saves its state." if run.step else "It stops as soon as possible."
    if run.message or not run.total_steps:
        return run.message or "Loading the data and the model."
    epoch = min(run.epoch + 1, run.spec.optim.epochs)
    left = "" if run.time_left_s is None else f", about {duration(run.time_left_s)} left"
    return f"Epoch {epoch} of {run.spec.optim.epochs}{left}."
