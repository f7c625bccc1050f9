"""Which files and folders of this machine a spec may name.

Its owner may name any. On a server that others can reach, a spec may come from anybody: it may name what is in the data
folder and in the runs folder, and a refusal does not tell what else there is. Opens no file.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from deit_core.errors import DataError, SpecError
from deit_core.files import is_there
from deit_core.presets import WEIGHTS
from deit_core.settings import Settings
from deit_core.spec import AnySpec, DataSpec, RunSpec, members


def check_paths(spec: AnySpec | DataSpec, settings: Settings, *, others_can_reach: bool) -> None:
    """Refuse a spec with a path that this server does not read for whoever sends it.

    Args: others_can_reach: whether anybody but the machine's owner may have made the spec.
    Raises: DataError for a `data.path`, SpecError for a teacher or an `initial_checkpoint`, that is not in the data or
        runs folder, whether it exists or not.
    """
    if not others_can_reach:
        return
    roots = [os.path.realpath(root) for root in (settings.data_dir, settings.runs_dir)]
    for data in [spec] if isinstance(spec, DataSpec) else [run.data for run in members(spec)]:
        if data.source == "folder" and not _is_below(data.path, settings.data_dir, roots):
            raise DataError(
                f"data.path {data.path!r} is not in the data folder of this dashboard, which reads nothing else for "
                "its visitors; upload the images as a zip, or choose a folder that is there."
            )
    if isinstance(spec, DataSpec):
        return
    names = {run.name for run in members(spec)} | WEIGHTS.keys()
    for field, name in (reference for run in members(spec) for reference in _references(run)):
        home = next((home for home in (settings.runs_dir, Path()) if is_there(home / name)), None)
        if name not in names and (home is None or not _is_below(name, home, roots)):
            raise SpecError(
                f"{field} {name!r} is neither a run nor a file in the data or runs folder of this dashboard, which "
                "reads nothing else for its visitors; choose a finished run, or ask its operator to put the file there."
            )


def _references(run: RunSpec) -> Iterator[tuple[str, str]]:
    """The runs or files that a run needs, by field."""
    if run.distillation is not None:
        yield "distillation.teacher", run.distillation.teacher
    if run.initial_checkpoint:
        yield "initial_checkpoint", run.initial_checkpoint


def _is_below(path: str, home: Path, roots: list[str]) -> bool:
    """Whether a path from `home` on, with its links followed, leads into one of the folders. It need not exist."""
    if path.startswith("~"):
        return False
    try:
        real = os.path.realpath(home / path)
        return any(os.path.commonpath([real, root]) == root for root in roots)
    except ValueError:  # no path has these characters, or it is on another drive
        return False
