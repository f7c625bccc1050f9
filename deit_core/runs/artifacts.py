"""The folders of runs at a URL, for machines that share no folder: publish, fetch, remove.

At URL/ID/ lies each file under its hash, and `published.json`, the list of what belongs to the newest state. The list
is written last, and what it does not name is removed after that, so whoever reads finds the older state or the newer
one, whole. Knows the folders of runs; nothing of training, the store or when to publish (see publisher.py).
"""

import hashlib
import logging
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from deit_core.errors import CheckpointError, ResourceError, RunError
from deit_core.files import write_atomically
from deit_core.layout import RunFiles, folder_id_file, run_folder
from deit_core.runs.published_list import (
    Key,
    PublishedFile,
    PublishedList,
    describe_file,
    is_same,
    parsed,
    read_list,
)
from deit_core.runs.remote_files import RemoteFiles
from deit_core.runs.rows import is_run_id
from deit_core.runs.store import new_id
from deit_core.settings import Settings

PATIENCE_S, RETRY_S = 60.0, 5.0  # of whoever trains
_LIST = "published.json"
_LONGEST_LIST = 10_000_000  # bytes; an epoch that is kept takes about 130
_MOST_CHANGES = 5  # of the list while its files are fetched

log = logging.getLogger("deit_core.worker")

Say = Callable[[str], object]


class SupersededError(RunError):
    """Another machine has published the run meanwhile, so this one does not train it any more."""


def artifacts_of(settings: Settings) -> "Artifacts | None":
    """Where runs are published; None where they are not. Raises: ResourceError where the URL means nothing."""
    return Artifacts(settings.artifacts_url, settings.runs_dir) if settings.artifacts_url else None


def bring(
    settings: Settings,
    run_ids: Iterable[str],
    *,
    with_state: bool = False,
    patience_s: float = 0.0,
    say: Say = log.info,
) -> None:
    """Bring the local folders of runs to what is published, where they are older or missing.

    Args:
        run_ids: other names are left out, such as paths of checkpoints and runs that ship with the program.
        with_state: also the state that a resume needs, the largest file.
        patience_s: for how long to try again where the URL cannot be read.
    Raises: ResourceError where it cannot; CheckpointError where what is published is damaged. The local files stay as
        they were then.
    """
    artifacts = artifacts_of(settings)
    deadline = time.monotonic() + patience_s
    for run_id in filter(is_run_id, run_ids if artifacts else ()):
        assert artifacts is not None
        while True:
            try:
                artifacts.fetch(run_id, with_state=with_state, say=say)
                break
            except ResourceError as error:
                if time.monotonic() >= deadline:
                    raise
                log.warning("trying again: %s", error)
                time.sleep(RETRY_S)


class Artifacts:
    """Publishes folders of runs at a URL, and fetches them into `runs_dir`.

    Raises: ResourceError where the URL means nothing; each method where it cannot be read or written.
    """

    def __init__(self, url: str, runs_dir: Path) -> None:
        self._remote, self._runs_dir = RemoteFiles(url), runs_dir
        self.name = self._remote.name

    def list_of(self, run_id: str) -> bytes | None:
        """The list of what is published of a run, as it is there; None for nothing."""
        try:
            return self._remote.read(f"{run_id}/{_LIST}", _LONGEST_LIST)
        except FileNotFoundError:
            return None

    def ids(self) -> set[str]:
        """The runs of which something is published."""
        return set(filter(is_run_id, self._remote.names()))

    def fetch(self, run_id: str, *, with_state: bool, say: Say = log.info) -> bool:
        """Bring the local folder to what is published, if that is newer. Returns: whether anything is published.

        Raises: CheckpointError where what is published is damaged; the local files stay as they were.
        """
        where = f"run {run_id} at {self.name}/{run_id}"
        for _ in range(_MOST_CHANGES):
            content = self.list_of(run_id)
            if content is None:
                return False
            if (theirs := parsed(content)) is None:
                raise _damage(f"The list of {where} is damaged, or names other files than a run has", run_id)
            try:
                self._bring(run_id, theirs, with_state, say)
                return True
            except FileNotFoundError:  # a newer state may have taken its place meanwhile
                if self.list_of(run_id) == content:
                    break
        raise _damage(f"A file of {where} is missing", run_id)

    def publish(
        self,
        run_id: str,
        source: Mapping[str, Path],
        base: bytes | None,
        known: dict[Key, str],
        *,
        keeps_old: bool = True,
    ) -> bytes:
        """Publish files, by the names that they have in the run's folder, where `base` is the list until now.

        Args:
            known: hashes of files that were published before; is added to.
            keeps_old: do not write again what `base` names.
        Returns: the new list.
        Raises: SupersededError where another list than `base` is there by now.
        """
        files = tuple(describe_file(name, file, known) for name, file in source.items())
        kept = RunFiles(run_folder(self._runs_dir, run_id)).published
        before = parsed(base)
        version = 1 + max((one.version for one in (before, read_list(kept)) if one), default=0)
        mine = PublishedList(version=version, folder_id=self._folder_id(), host=socket.gethostname(), files=files)
        content = mine.as_bytes()
        write_atomically(kept, content, makes_folder=False)  # first: no page here fetches an older state over this one
        there = {file.sha256 for file in before.files} if before and keeps_old else set()
        self._remote.make_folder(run_id)
        for file in files:
            if file.sha256 not in there:
                self._remote.put(source[file.name], f"{run_id}/{file.sha256}")
                there.add(file.sha256)
        if self.list_of(run_id) != base:
            raise SupersededError(
                f"Another machine has published run {run_id} since then, so this machine stops publishing it."
            )
        self._remote.write(f"{run_id}/{_LIST}", content)
        named = {_LIST, *(file.sha256 for file in files)}
        others = [name for name in self._remote.names(run_id) if name not in named]  # also what a kill has left
        self._remote.remove(*(f"{run_id}/{name}" for name in others))
        return content

    def remove(self, run_id: str) -> None:
        """Remove what is published of a run, its list first."""
        self._remote.remove(f"{run_id}/{_LIST}", run_id)

    def check_writable(self) -> None:
        """Write a small file and remove it."""
        name = f"check-{new_id()}"
        self._remote.write(name, b"DeiT Lab")
        self._remote.remove(name)

    def _bring(self, run_id: str, theirs: PublishedList, with_state: bool, say: Say) -> None:
        files = RunFiles(run_folder(self._runs_dir, run_id))
        wanted = {file.name: file for file in theirs.files if with_state or file.name != files.state.name}
        is_newer = theirs.is_newer_than(read_list(files.published), self._folder_id())
        lacking = [
            file
            for name, file in wanted.items()
            if not (is_same(files.folder / name, file) if is_newer else (files.folder / name).is_file())
        ]
        if lacking:
            size = sum({file.sha256: file.size for file in lacking}.values())
            say(f"Fetching run {run_id}, {size / 1e6:,.1f} MB.")
        files.epoch(1).parent.mkdir(parents=True, exist_ok=True)
        temporary: dict[Path, Path] = {}
        try:
            mine = f"{os.getpid()}-{threading.get_ident()}"
            first: dict[str, Path] = {}  # by hash: the last weights may be the best ones too
            for file in lacking:
                target = files.folder / file.name
                path = temporary[target] = target.with_name(f".{target.name}.{mine}.part")
                if file.sha256 in first:
                    shutil.copyfile(first[file.sha256], path)
                else:
                    self._download(run_id, file, path)
                    first[file.sha256] = path
            if is_newer:
                files.published.unlink(missing_ok=True)  # until all is in its place
                for name in files.to_publish().keys() - wanted.keys():
                    (files.folder / name).unlink()
                files.previous_state.unlink(missing_ok=True)
            for target, path in temporary.items():
                path.replace(target)
        finally:
            for path in temporary.values():
                path.unlink(missing_ok=True)
        if is_newer:
            write_atomically(files.published, theirs.as_bytes())

    def _download(self, run_id: str, file: PublishedFile, path: Path) -> None:
        """Raises: FileNotFoundError where it is not there; CheckpointError where it is not what the list says."""
        digest, size = hashlib.sha256(), 0
        with path.open("wb") as target:
            for chunk in self._remote.chunks(f"{run_id}/{file.sha256}"):
                size += len(chunk)
                if size > file.size:
                    break
                digest.update(chunk)
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        if size != file.size or digest.hexdigest() != file.sha256:
            raise _damage(f"{file.name} of run {run_id} at {self.name} is not what was published", run_id)

    def _folder_id(self) -> str:
        """The name of this runs folder among those of all machines."""
        file = folder_id_file(self._runs_dir)
        if not file.exists():
            with suppress(FileExistsError):  # another process was first
                write_atomically(file, new_id().encode(), replace=False)
        return file.read_text()


def _damage(what: str, run_id: str) -> CheckpointError:
    return CheckpointError(
        f"{what}; the local files stay as they were. Publish it again from the machine that trained it "
        f"(`python -m deit_core publish {run_id}`), or delete the run."
    )
