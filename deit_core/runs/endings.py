"""Why a run has ended, in sentences that say what to do. Knows errors; does not know what a worker does with them."""

import socket

from deit_core.layout import run_folder
from deit_core.refusals import user_error
from deit_core.runs.records import Run
from deit_core.settings import Settings


def kept_here(run: Run, settings: Settings, trouble: str) -> str:
    """Where the files of a run are that could not be published. Args: trouble: why, a sentence."""
    where = f"{socket.gethostname()}, in {run_folder(settings.runs_dir, run.id)}"
    todo = f"`python -m deit_core publish {run.id}` there publishes them"
    return f"Its files are only on {where}: {trouble} When this is fixed, {todo}."


def describe(error: Exception) -> str:
    """The reason why a run ended, in a sentence that says what to do."""
    if (mistake := user_error(error)) is not None:
        return str(mistake)
    if isinstance(error, MemoryError):  # an error in a training step names the batch size that fits
        return (
            "Out of memory: there was not enough for this run. End other programs, then resume: it continues from the "
            "last saved state."
        )
    first_line = (str(error).splitlines() or [""])[0]
    return f"This run failed because of a bug in DeiT Lab ({type(error).__name__}: {first_line}); the log has more."
