"""`--out` may be anything: a device or a pipe is written to, and only a file is ever replaced."""

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from image_files import encode
from PIL import Image
from program import Program

from deit_core.errors import DeitError
from deit_core.files import write_atomically
from deit_core.refusals import user_error

CONTENT = b"# Results\n" * 100_000  # more than a pipe holds


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def pipe(folder: Path, cleanup: ExitStack) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def unix_socket(folder: Path, cleanup: ExitStack) -> Path:
    bound = cleanup.enter_context(socket.socket(socket.AF_UNIX))
    cleanup.enter_context(pytest.MonkeyPatch.context()).chdir(folder)  # the names of sockets are short
    bound.bind("socket")
    return folder / "socket"


def a_folder(folder: Path, cleanup: ExitStack) -> Path:
    (folder / "folder").mkdir()
    return folder / "folder"


def null(folder: Path, cleanup: ExitStack) -> Path:
    (folder / "null").symlink_to("/dev/null")
    return folder / "null"


def terminal(folder: Path, cleanup: ExitStack) -> Path:
    for descriptor in (ends := os.openpty()):
        cleanup.callback(os.close, descriptor)
    return Path(os.ttyname(ends[1]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (pipe, "No program reads from"),
        (unix_socket, "is a socket or a disk"),
        (a_folder, "since it is a folder"),
        (null, ""),
    ],
)
@pytest.mark.parametrize("leads", ["itself", "link"])
def test_what_is_no_file_stays_what_it_is(
    make: Callable[[Path, ExitStack], Path], words: str, leads: str, tmp_path: Path, cleanup: ExitStack
) -> None:
    out = make(tmp_path, cleanup)
    if leads == "link":
        (tmp_path / "link").symlink_to(out)
        out = tmp_path / "link"
    before, is_link = stat.S_IFMT(out.stat().st_mode), out.is_symlink()
    refused = ""
    try:
        write_atomically(out, CONTENT)
    except (OSError, DeitError) as error:
        refused = str(user_error(error))
    assert words in refused
    assert bool(words) == bool(refused)
    assert (stat.S_IFMT(out.stat().st_mode), out.is_symlink()) == (before, is_link)
    assert not list(tmp_path.rglob("*.part"))


def test_a_pipe_gets_the_whole_content(tmp_path: Path, cleanup: ExitStack) -> None:
    out, read = pipe(tmp_path, cleanup), []
    reader = os.open(out, os.O_RDWR)  # also as a writer, so that it waits for the other one

    def listen() -> None:
        with os.fdopen(reader, "rb") as file:
            read.append(file.read(len(CONTENT)))

    thread = threading.Thread(target=listen)
    thread.start()
    write_atomically(out, CONTENT)
    thread.join(timeout=10)
    assert read == [CONTENT]


def test_a_terminal_is_written_to(tmp_path: Path, cleanup: ExitStack) -> None:
    out = terminal(tmp_path, cleanup)
    write_atomically(out, b"# Results")
    assert stat.S_ISCHR(out.stat().st_mode)


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "results.md")
    for content in (b"first", b"second"):
        write_atomically(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "results.md").read_bytes() == content


def test_a_link_into_a_folder_that_is_gone_makes_none(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "unplugged" / "results.md")
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "link", CONTENT)
    assert not (tmp_path / "unplugged").exists()


@pytest.mark.parametrize(
    "words", [("export", "RUN", "--format", file_format) for file_format in ("pt", "safetensors", "card")]
)
def test_a_command_writes_to_a_device(
    words: tuple[str, ...], deit: Program, run_id: str, tmp_path: Path, cleanup: ExitStack
) -> None:
    out = null(tmp_path, cleanup)
    done = deit(*(run_id if word == "RUN" else word for word in words), "--out", str(out))
    assert (done.code, out.readlink()) == (0, Path("/dev/null")), done.stderr


@pytest.mark.parametrize("words", ["export RUN --format pt --experiment", "rollout RUN a.png", "report"])
def test_what_is_more_than_one_file_cannot_be_a_device(
    words: str, deit: Program, run_id: str, tmp_path: Path, cleanup: ExitStack
) -> None:
    (tmp_path / "a.png").write_bytes(encode(Image.new("L", (8, 8)), "PNG"))
    out = null(tmp_path, cleanup)
    done = deit(*words.replace("RUN", run_id).split(), "--out", str(out))
    assert (done.code, out.readlink()) == (2, Path("/dev/null"))
    assert b"Traceback" not in done.stderr
