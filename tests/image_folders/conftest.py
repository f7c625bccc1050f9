"""The command `data` in this process, and the two ways in which it answers a program."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deit_core import cli

Answer = tuple[int, str, str]  # exit code, stdout, stderr


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Call it with the words after `data`."""

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["deit_core", "data", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def listed(data: Callable[..., Answer]) -> Callable[[Path], Any]:
    """The document that the command prints."""

    def run(path: Path) -> Any:
        code, out, err = data(path, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return run


@pytest.fixture
def refused(data: Callable[..., Answer]) -> Callable[[Path], str]:
    """The one sentence that it says on stderr."""

    def run(path: Path) -> str:
        code, out, err = data(path, "--json")
        assert (code, out) == (2, "")
        assert err.startswith("Error: ")
        assert err.count("\n") == 1
        return err

    return run
