"""Reading JSON that others wrote."""

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """The document in a JSON text.

    Raises: ValueError where it is none, or has too many brackets in each other for Python to read.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("too many brackets in each other") from None
