"""Checks the store: whether it can be read and written, is whole, and agrees with the folders of the runs."""

import os

from deit_core.doctor.finding import Finding
from deit_core.errors import DeitError
from deit_core.runs.checkup import check_store
from deit_core.settings import Settings


def store(settings: Settings) -> list[Finding]:
    """One finding where all is well, else one for each problem."""
    try:
        facts = check_store(settings)
    except DeitError as error:
        return [Finding("store", False, str(error))]
    if facts.problems:
        return [Finding("store", False, problem) for problem in facts.problems]
    if facts.file and not facts.file.exists():
        return [Finding("store", True, f"There is no store yet; the first run creates {facts.name}.")]
    if facts.file and not os.access(facts.file, os.W_OK):
        todo = "give permission, for example with chmod u+rw"
        return [Finding("store", False, f"The store {facts.name} cannot be written; {todo}.")]
    return [Finding("store", True, f"The store {facts.name} is whole: {facts.num_runs:,} runs.")]
