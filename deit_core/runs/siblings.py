"""What the other runs of an experiment learned from: repetitions with other seeds are to have the same teacher.

Knows the store and run folders; loads torch when it is asked.
"""

from contextlib import suppress
from pathlib import Path

from deit_core.errors import CheckpointError
from deit_core.runs.launcher import run_folder
from deit_core.runs.records import Run
from deit_core.runs.store import Store


def shared_teacher_hash(store: Store, run: Run, runs_dir: Path) -> str:
    """The hash of the teacher that another run of the same experiment has learned from under the same name.

    Empty where none has, or none has ended an epoch yet.
    """
    from deit_core.models import read_card

    asked = run.spec.distillation
    if asked is None or run.experiment_id is None:
        return ""
    for other in reversed(store.runs()):  # the oldest first
        theirs = other.spec.distillation
        if other.id == run.id or other.experiment_id != run.experiment_id or theirs is None:
            continue
        if (theirs.teacher, theirs.teacher_num_heads) == (asked.teacher, asked.teacher_num_heads):
            with suppress(CheckpointError):
                if found := read_card(run_folder(runs_dir, other.id)).teacher_hash:
                    return found
    return ""
