"""Files at a URL, on a shared disk or in a bucket, through fsspec; whatever fails is a sentence without a password.

Knows file systems and their errors; nothing of runs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from deit_core.errors import DeitError, ResourceError
from deit_core.files import write_atomically
from deit_core.plain_text import harmless
from deit_core.settings import url_without_user
from deit_core.text.quoting import shortened

_CHUNK = 2**20


class RemoteFiles:
    """The files below a URL, by their paths in there. `name` is the URL as messages may show it.

    Raises: ResourceError where the URL means nothing; each method where it cannot be read or written, and
        FileNotFoundError where the file that it reads is not there.
    """

    def __init__(self, url: str) -> None:
        import fsspec
        from fsspec.implementations.local import LocalFileSystem

        self.name, self._secret = url_without_user(url), urlsplit(url).password or ""
        try:
            self._fs, self._root = fsspec.url_to_fs(url)
        except ImportError:
            what = "needs a package that is not installed; run `python -m pip install -r requirements-cluster.txt`"
            raise ResourceError(f"{self.name} in DEIT_ARTIFACTS {what}, or choose another URL.") from None
        except Exception as error:  # each file system has errors of its own
            raise self._refusal("used", error) from None
        self._is_disk = isinstance(self._fs, LocalFileSystem)

    def read(self, path: str, most: int) -> bytes:
        """The content of a file; of a larger one the first `most` bytes."""
        with self._reading():
            content: bytes = self._fs.cat_file(self._at(path), end=most)
        return content

    def chunks(self, path: str) -> Iterator[bytes]:
        """The content of a file, piece by piece."""
        with self._reading(), self._fs.open(self._at(path), "rb") as source:
            while chunk := source.read(_CHUNK):
                yield chunk

    def names(self, folder: str = "") -> list[str]:
        """The names in a folder; none where it is not there."""
        try:
            with self._reading():
                self._fs.invalidate_cache()
                return [Path(path).name for path in self._fs.ls(self._at(folder), detail=False)]
        except FileNotFoundError:
            return []

    def make_folder(self, name: str) -> None:
        """On a disk; a bucket needs none. Not the folder of the URL: where that is missing, its disk may be away."""
        if self._is_disk:
            with self._writing():
                Path(self._at(name)).mkdir(exist_ok=True)

    def put(self, file: Path, path: str) -> None:
        """Copy a file there. A kill may leave a part of it."""
        with self._writing():
            self._fs.put_file(os.fspath(file), self._at(path))

    def write(self, path: str, content: bytes) -> None:
        """Write a small file: whoever reads it finds the old content or the new, whole."""
        with self._writing():
            if self._is_disk:
                write_atomically(Path(self._at(path)), content, makes_folder=False)
            else:
                self._fs.pipe_file(self._at(path), content)  # a bucket takes a file whole

    def remove(self, *paths: str) -> None:
        """Remove files, or folders with all that is in them; what is not there is left out."""
        with self._writing():
            if self._is_disk:
                Path(self._root).stat()  # where it is away, nothing can be removed
            self._fs.invalidate_cache()
            for path in map(self._at, paths):
                if self._fs.exists(path):
                    self._fs.rm(path, recursive=True)

    def _at(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}".rstrip("/")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (DeitError, FileNotFoundError):
            raise
        except Exception as error:
            raise self._refusal("read", error) from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise self._refusal("written", error) from None

    def _refusal(self, verb: str, error: Exception) -> ResourceError:
        match error:
            case FileNotFoundError():
                why = "there is no such bucket or folder"
            case PermissionError():
                why = "the credentials of this machine do not allow it"
            case _:
                why = ": ".join(filter(None, (type(error).__name__, *str(error).splitlines()[:1])))
        why = why.replace(self._secret, "***") if self._secret else why
        return ResourceError(
            f"{self.name} in DEIT_ARTIFACTS cannot be {verb} ({shortened(harmless(why), 200)}); check the URL, the "
            "network and the credentials (`python -m deit_core doctor` tries them)."
        )
