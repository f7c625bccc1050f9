"""The teacher of the other runs of an experiment: repetitions with other seeds must have the same teacher.

Knows the store and run folders; loads torch when it is called.
"""

from pathlib import Path

from deit_core.layout import run_folder
from deit_core.runs.records import Run
from deit_core.runs.store import Store


def shared_teacher_hash(store: Store, run: Run, runs_dir: Path) -> str:
    """The hash of the teacher with the same name that another run of the experiment started with; else empty."""
    from deit_core.training.checkpoint import RunFolder

    distillation = run.spec.distillation
    if distillation is None or run.experiment_id is None:
        return ""
    for other in reversed(store.runs()):  # the oldest first
        theirs = other.spec.distillation
        if theirs is None or other.id == run.id or other.experiment_id != run.experiment_id:
            continue
        same = (theirs.teacher, theirs.teacher_num_heads) == (distillation.teacher, distillation.teacher_num_heads)
        if same and (teacher_hash := RunFolder(run_folder(runs_dir, other.id)).teacher_hash()):
            return teacher_hash
    return ""
