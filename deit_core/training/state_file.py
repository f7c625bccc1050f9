"""The state of a run on disk: with a hash behind it, and with the state before it until the run has finished.

Knows files and bytes; nothing of what a state holds.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator

from deit_core.errors import CheckpointError
from deit_core.files import write_atomically
from deit_core.layout import RunFiles

_MARK = b"\nsha256 "
_TRAILER_BYTES = len(_MARK) + 64  # torch finds the end of its own content, so older versions read the file too


class StateFile:
    """Writes and reads `state.pt`; the file before it is kept for the case that the newest is damaged."""

    def __init__(self, files: RunFiles) -> None:
        self._files = files
        self.is_newest = False  # what was written or read here is the newest file

    @property
    def exists(self) -> bool:
        return self._files.state.exists() or self._files.previous_state.exists()

    @property
    def is_lost(self) -> bool:
        """There is one state, and it is damaged."""
        return not self._files.previous_state.exists() and _verified(self._files.state.read_bytes()) is None

    def write(self, content: io.BytesIO) -> None:
        """Write the newest state; a good one becomes the previous one, a damaged one is replaced.

        The hash is put behind the content in the same buffer, since a copy would be as large as the model again.
        """
        trailer = _MARK + hashlib.sha256(content.getbuffer()).hexdigest().encode()
        content.seek(0, io.SEEK_END)
        content.write(trailer)
        previous = self._files.previous_state if self.is_newest else None
        write_atomically(self._files.state, content.getbuffer(), makes_folder=False, previous=previous)
        self.is_newest = True

    def contents(self) -> Iterator[bytes]:
        """The newest state, then the previous one, each if it is there and is what was written.

        Ask for the next only where one cannot be used.
        Raises: CheckpointError after the last.
        """
        found = [file for file in (self._files.state, self._files.previous_state) if file.exists()]
        for file in found:
            if (content := _verified(file.read_bytes())) is not None:
                self.is_newest = file == self._files.state
                yield content
        self.is_newest = False
        names = " and ".join(file.name for file in found)
        raise CheckpointError(
            f"{self._files.folder}: {names} {'are' if len(found) > 1 else 'is'} damaged, so the run cannot continue; "
            "restore the folder from a backup, or start a new run. Nothing in it was changed."
        )

    def forget_previous(self) -> None:
        """Remove the previous state if the newest is what was written."""
        if self._files.previous_state.exists() and _verified(self._files.state.read_bytes()) is not None:
            self._files.previous_state.unlink()


def _verified(content: bytes) -> bytes | None:
    """The content without its hash; None where it is damaged. Older versions wrote a whole zip without hash."""
    body, mark = content[:-_TRAILER_BYTES], content[-_TRAILER_BYTES:]
    if not mark.startswith(_MARK):
        return content if zipfile.is_zipfile(io.BytesIO(content)) else None
    return body if hashlib.sha256(body).hexdigest().encode() == mark.removeprefix(_MARK) else None
