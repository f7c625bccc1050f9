"""A config read field by field: every field must be known, and have a value that can be applied.

Knows JSON and the rules of deit_core.models.foreign.config_fields; deit_core.models.foreign.published says what a field
means.
"""

import json
from pathlib import Path
from typing import Any

from deit_core.errors import CheckpointError
from deit_core.models.foreign.config_fields import Fields
from deit_core.text.json_text import parse_json

Size = tuple[int, int]


class Config:
    """A config, or a part of one, whose fields are all known; reading one raises where its value has the wrong type.

    Raises: CheckpointError for a field that is unknown, or asks for what is not computed here.
    """

    def __init__(self, origin: str, fields: dict[str, Any], rules: Fields, prefix: str = "") -> None:
        self.origin, self.fields, self.prefix = origin, fields, prefix
        for name, value in fields.items():
            rule = rules.get(name)
            if rule is None:
                raise self.refused(name, "an unknown field, so it may change what is computed")
            if rule.use == "only" and value is not None and value not in rule.values:
                allowed = " or ".join(map(json.dumps, rule.values)) or "left out"
                raise self.refused(name, f"and DeiT Lab only computes models with {name} {allowed}")

    def refused(self, name: str, why: str) -> CheckpointError:
        text = json.dumps(self.fields.get(name))
        return CheckpointError(
            f"{self.origin} says {self.prefix}{name} {text[:60]}{'...' * (len(text) > 60)}, {why}; choose another "
            "checkpoint, or correct that field if it does not belong to this file."
        )

    def number(self, name: str) -> int | None:
        value: int | None = self.fields.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise self.refused(name, "which is not a whole number above 0")
        return value

    def positive(self, name: str) -> float | None:
        value: float | None = self.fields.get(name)
        if value is not None and (not _is_number(value) or value <= 0):
            raise self.refused(name, "which is not a number above 0")
        return value

    def size(self, name: str) -> Size | None:
        """(height, width), from one side, both, or channels before both."""
        value = self.fields.get(name)
        sides = [value] * 2 if isinstance(value, int) else value
        if value is None:
            return None
        if (
            not isinstance(sides, list)
            or len(sides) not in (2, 3)
            or not all(isinstance(s, int) and s > 0 for s in sides)
        ):
            raise self.refused(name, "which is not a size")
        return sides[-2], sides[-1]

    def numbers(self, name: str, channels: int = 3) -> tuple[float, ...]:
        values = self.fields.get(name)
        if values is None:
            return ()
        values = [values] * channels if _is_number(values) else values
        if not isinstance(values, list) or not values or not all(map(_is_number, values)):
            raise self.refused(name, "which are not numbers, one per channel")
        return tuple(map(float, values))

    def stated(self, **names: str) -> tuple[tuple[str, str, Any], ...]:
        """The fields that the tensors contain too, by `Shape`'s names."""
        return tuple(
            (ours, f"{self.origin} says {self.prefix}{theirs}", self.fields[theirs])
            for ours, theirs in names.items()
            if self.fields.get(theirs) is not None
        )

    def part(self, name: str, rules: Fields) -> "Config":
        fields = self.fields.get(name)
        if fields is not None and not isinstance(fields, dict):
            raise self.refused(name, "which has no fields")
        return Config(self.origin, fields or {}, rules, f"{name}.")


def read_config(file: Path) -> dict[str, Any]:
    """The fields of a JSON file; empty where there is no file. Raises: CheckpointError where it cannot be read."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read ({error.strerror}); fix this, or move it away.") from None
    return parse_config(content, str(file))


def parse_config(content: str | bytes, origin: str) -> dict[str, Any]:
    """The fields in a text. Raises: CheckpointError where it is not a JSON object."""
    try:
        document = parse_json(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise CheckpointError(
            f"{origin} is damaged or not a config, and it may contain what the tensors do not say; download it again, "
            "or move it away if it belongs to something else."
        )
    return document


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
