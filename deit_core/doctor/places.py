"""Checks what this machine grants: memory, disk, permissions, and the port of the dashboard."""

import os
import shutil
import socket
import tempfile
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

from deit_core.doctor.finding import Finding
from deit_core.errors import ResourceError
from deit_core.machine.limits import total_memory
from deit_core.refusals import refusal
from deit_core.runs.artifacts import artifacts_of
from deit_core.settings import Settings

ENOUGH_DISK = 10**9  # bytes: a ViT of 22 million parameters has 350 MB of state, and its weights in several files
ENOUGH_MEMORY = 2**30
_PATIENCE_S = 1.0


def memory() -> Finding:
    total = total_memory()
    free = min(total, psutil.virtual_memory().available)
    what = f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB memory are free"
    if free < ENOUGH_MEMORY:
        return Finding("memory", False, f"Only {what}; close other programs, or stop a run.")
    return Finding("memory", True, f"{what}.")


def disk(name: str, folder: Path) -> Finding:
    """Args: name: what the folder holds, runs or data."""
    subject = f"disk of the {name} folder"
    try:
        free = shutil.disk_usage(_existing(folder)).free
    except OSError as error:
        return Finding(subject, False, refusal(error, folder, verb="read"))
    what = f"{free / 1e9:.1f} GB are free for the {name} folder {folder}"
    if free < ENOUGH_DISK:
        todo = "delete runs that nobody needs (`python -m deit_core delete ID`), or free space there"
        return Finding(subject, False, f"The disk is nearly full: {what}; {todo}.")
    return Finding(subject, True, f"{what}.")


def permission(name: str, folder: Path) -> Finding:
    """Whether files can be written in a folder, or it can be made; tries it with a file that has no name."""
    subject = f"{name} folder"
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)):
            pass
    except OSError as error:
        error.filename = str(folder)
        return Finding(subject, False, refusal(error, verb="written"))
    return Finding(subject, True, f"The {name} folder {folder} can be {'written' if folder.is_dir() else 'made'}.")


def artifacts(settings: Settings) -> Finding:
    """Whether files of runs can be published; tries it with a small file."""
    subject = "published runs"
    try:
        artifacts = artifacts_of(settings)
        assert artifacts is not None
        artifacts.check_writable()
    except ResourceError as error:
        return Finding(subject, False, str(error))
    return Finding(subject, True, f"Runs can be published at {artifacts.name}.")


def port(number: int) -> Finding:
    """Whether a dashboard can start at this port of the loopback address, or has started there already."""
    try:
        socket.create_server(("127.0.0.1", number)).close()
    except OSError as error:
        if _is_dashboard(number):
            return Finding("port", True, f"A dashboard answers at http://127.0.0.1:{number}.")
        what = f"Port {number} cannot be used ({os.strerror(error.errno or 0)})"
        todo = f"end the program that uses it, or start the dashboard with --server.port {number + 1}"
        return Finding("port", False, f"{what}; {todo}.")
    return Finding("port", True, f"Port {number} is free.")


def _is_dashboard(number: int) -> bool:
    connection = HTTPConnection("127.0.0.1", number, timeout=_PATIENCE_S)
    with suppress(OSError, HTTPException):
        connection.request("GET", "/_stcore/health")
        answer = connection.getresponse()
        return answer.status == 200 and answer.read(8) == b"ok"
    connection.close()
    return False


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next((path for path in (folder, *folder.parents) if path.exists()), folder)
