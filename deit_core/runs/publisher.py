"""Publishes one run while it trains: in a thread, so that training never waits for a network.

After a saved epoch the files of that moment are linked, and published from the links. What fails is a sentence, and is
tried again after the next epoch. Knows the folder and where it is published; nothing of training or the store.
"""

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from deit_core.errors import CheckpointError, DeitError, RunError
from deit_core.events import CheckpointSaved, Event, RunStarted
from deit_core.layout import RunFiles, run_folder
from deit_core.refusals import refusal, user_error
from deit_core.runs.artifacts import PATIENCE_S, RETRY_S, Artifacts, SupersededError, artifacts_of
from deit_core.runs.published_list import Key
from deit_core.settings import Settings

REST = 10  # times as long as the last publication took: at most a tenth of the time goes to it


class Publisher:
    """Publishes a run that this process trains, where DEIT_ARTIFACTS says so.

    Args: is_given_up: whether another worker may have the run by now; then nothing more is published.
    """

    def __init__(self, settings: Settings, run_id: str, is_given_up: Callable[[], bool] = lambda: False) -> None:
        self._settings, self._run_id, self._is_given_up = settings, run_id, is_given_up
        self._files = RunFiles(run_folder(settings.runs_dir, run_id))
        self._artifacts: Artifacts | None = None
        self._base: bytes | None = None
        self._known: dict[Key, str] = {}
        self._is_superseded = False
        self._thread: threading.Thread | None = None
        self._rests_until = 0.0
        self._trouble = self._told = ""

    def take(self, event: Event) -> str | None:
        """Publish what is saved by now, if the time for it has come.

        Returns: what keeps the run from being published, where that has changed: empty where nothing does any more.
        """
        is_busy = self._thread is not None and self._thread.is_alive()
        if isinstance(event, RunStarted | CheckpointSaved) and not is_busy and time.monotonic() >= self._rests_until:
            self._begin()
        if self._trouble == self._told:
            return None
        self._told = self._trouble
        return self._told

    def finish(self) -> str:
        """Publish the run as it ended, and return then. Returns: what has kept it from that; else empty."""
        if not self._settings.artifacts_url or not self._files.spec.exists():
            return ""
        if self._thread is not None:
            self._thread.join()
        deadline = time.monotonic() + PATIENCE_S
        while not self._is_over:
            if links := self._link():
                self._publish(links)
            if not self._trouble or time.monotonic() >= deadline:
                break
            time.sleep(RETRY_S)
        return self._trouble

    @property
    def _is_over(self) -> bool:
        return self._is_superseded or self._is_given_up()

    def _begin(self) -> None:
        if self._settings.artifacts_url and not self._is_over and (links := self._link()):
            self._thread = threading.Thread(target=self._publish, args=(links,), name="publisher", daemon=True)
            self._thread.start()

    def _link(self) -> dict[str, Path]:
        """The files as they are now, by their names; none where they cannot be linked."""
        try:
            return _links(self._files)
        except OSError as error:
            self._trouble = f"The files of this run cannot be published: {refusal(error, verb='written')}"
            return {}

    def _publish(self, links: dict[str, Path]) -> None:
        began = time.monotonic()
        try:
            if self._artifacts is None:
                self._artifacts = artifacts_of(self._settings)
                assert self._artifacts is not None
                self._base = self._artifacts.list_of(self._run_id)
            self._base = self._artifacts.publish(self._run_id, links, self._base, self._known)
            self._trouble = ""
        except SupersededError as error:
            self._is_superseded, self._trouble = True, str(error)
        except (DeitError, OSError) as error:
            self._trouble = str(user_error(error) or error)
        finally:
            shutil.rmtree(self._files.publishing, ignore_errors=True)
            ended = time.monotonic()
            self._rests_until = ended + REST * (ended - began)


def publish_again(settings: Settings, run_id: str) -> None:
    """Publish the folder that this machine has of a run which nobody trains now, every file of it.

    Raises: RunError where it has none, or nothing is to be published; DeitError where that fails.
    """
    artifacts, files = artifacts_of(settings), RunFiles(run_folder(settings.runs_dir, run_id))
    if artifacts is None:
        raise RunError("DEIT_ARTIFACTS is not set, so runs are not published; set it to a URL (docs/scaling.md).")
    with suppress(CheckpointError):  # what is published is damaged, which this mends
        artifacts.fetch(run_id, with_state=True)
    if not files.spec.exists():
        raise RunError(
            f"This machine has no folder {files.folder} with the files of the run; publish it from the machine that "
            "trained it."
        )
    try:
        artifacts.publish(run_id, _links(files), artifacts.list_of(run_id), {}, keeps_old=False)
    finally:
        shutil.rmtree(files.publishing, ignore_errors=True)


def _links(files: RunFiles) -> dict[str, Path]:
    """The files as they are now: what is replaced as a whole is linked, what grows is copied."""
    shutil.rmtree(files.publishing, ignore_errors=True)
    links = {}
    for name, file in files.to_publish().items():
        links[name] = files.publishing / name
        links[name].parent.mkdir(parents=True, exist_ok=True)
        if file in (files.curve, files.log):
            shutil.copyfile(file, links[name])
        else:
            links[name].hardlink_to(file)
    return links
