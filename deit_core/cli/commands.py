"""How the program reads its command line: as typer does, with short messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from deit_core.text.quoting import shortened

_LENGTH = 500


class Commands(TyperGroup):
    """Commands whose usage errors repeat only a part of a very long word."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        with _short_errors():
            return super().make_context(*args, **options)

    def invoke(self, *args: Any, **options: Any) -> Any:
        with _short_errors():
            return super().invoke(*args, **options)


@contextmanager
def _short_errors() -> Iterator[None]:
    try:
        yield
    except typer.TyperException as error:
        error.message = shortened(error.message, _LENGTH)
        raise
