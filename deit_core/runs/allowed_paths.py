"""Which files and folders of this machine a spec may name, and what of them others may see.

Its owner may name any. On a server that others can reach, a spec may come from anybody: it may name what is in the data
folder and in the runs folder, and a refusal does not tell what else there is. Opens no file.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from deit_core.errors import DataError, SpecError
from deit_core.files import is_there
from deit_core.layout import DEMO_FOLDER, is_demo_id
from deit_core.presets import WEIGHTS
from deit_core.settings import Settings
from deit_core.spec import AnySpec, DataSpec, ExperimentSpec, RunSpec, members, run_without_places, swept


def check_paths(spec: AnySpec | DataSpec, settings: Settings, *, others_can_reach: bool) -> None:
    """Refuse a spec with a path that this server does not read for whoever sends it.

    Args: others_can_reach: whether anybody but the machine's owner may have made the spec, or may use it.
    Raises: DataError for a `data.path`, SpecError for a teacher or an `initial_checkpoint`, that is not in the data or
        runs folder, whether it exists or not, or where a link leads out of these folders.
    """
    if not others_can_reach:
        return
    if not isinstance(spec, DataSpec):
        spec = swept(spec)
    for data in [spec] if isinstance(spec, DataSpec) else [run.data for run in members(spec)]:
        if data.source == "folder" and leads_out(settings.data_dir, data.path, settings):
            raise DataError(
                f"data.path {data.path!r} is not in the data folder of this dashboard, or a link in it leads out. "
                "The dashboard reads nothing else for its visitors; upload the images as a zip, or choose a folder "
                "that is there."
            )
    if isinstance(spec, DataSpec):
        return
    siblings = {run.name for run in spec.runs} if isinstance(spec, ExperimentSpec) else set()
    for field, name in (reference for run in members(spec) for reference in _references(run)):
        home = next((home for home in (settings.runs_dir, Path()) if is_there(home / name)), None)
        if name in siblings or _is_published(name) or is_demo_id(name):
            continue
        if home is None or leads_out(home, name, settings):
            raise SpecError(
                f"{field} {name!r} is neither a run nor a file in the data or runs folder of this dashboard, which "
                "reads nothing else for its visitors; choose a finished run, or ask its operator to put the file there."
            )


def leads_out(home: Path, path: str, settings: Settings) -> bool:
    """Whether a path from `home` on, or a link in the folder that it names, leads out of the data and runs folders.

    It need not exist.
    """
    if path.startswith("~"):
        return True
    roots = [os.path.realpath(root) for root in (settings.data_dir, settings.runs_dir, DEMO_FOLDER)]
    try:
        return any(not _is_below(place, roots) for place in _places(os.path.realpath(home / path)))
    except ValueError:  # no path has these characters, or it is on another drive
        return True


def seen_by_visitors(run: RunSpec, settings: Settings) -> RunSpec:
    """The spec without what it says of this machine. Paths in the data folder begin there; others are names."""
    path = os.path.realpath(settings.data_dir / run.data.path)
    root = os.path.realpath(settings.data_dir)
    if run.data.source == "folder" and _is_below(path, [root]):
        run = run.with_changes(data=run.data.with_changes(path=os.path.relpath(path, root)))
    return run_without_places(run)


def _references(run: RunSpec) -> Iterator[tuple[str, str]]:
    """The runs or files that a run needs, by field."""
    if run.distillation is not None:
        yield "distillation.teacher", run.distillation.teacher
    if run.initial_checkpoint:
        yield "initial_checkpoint", run.initial_checkpoint


def _is_published(name: str) -> bool:
    """Whether it is one of the files that presets name, in the folder that the server was started in."""
    return any(name in (file, os.path.realpath(file)) for file in WEIGHTS)


def _is_below(real: str, roots: list[str]) -> bool:
    return any(os.path.commonpath([real, root]) == root for root in roots)


def _places(top: str) -> Iterator[str]:
    """The path without links, and those of everything that links in its folders lead to."""
    waiting, seen = [top], set()
    while waiting:
        if (place := waiting.pop()) in seen:
            continue
        seen.add(place)
        yield place
        with suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                if entry.is_symlink():
                    waiting.append(os.path.realpath(entry.path))
                elif entry.is_dir():
                    waiting.append(entry.path)
