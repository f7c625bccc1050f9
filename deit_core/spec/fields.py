"""What every part of a spec is made of."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


def field(
    default: Any, description: str, *, unit: str = "", advanced: bool = False, source: str = "", **bounds: Any
) -> Any:
    """A field with all that a form needs: `advanced` fields are folded away, `unit` stands behind the number, and one
    with a `source` means something with that source alone.
    """
    extra: dict[str, Any] = {"unit": unit, "advanced": advanced, "source": source}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


class Part(BaseModel):
    """A frozen section of a spec: unknown fields and numbers that are none are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def divisors(number: int, largest: int) -> list[int]:
    """The divisors of `number`, up to `largest`."""
    return [n for n in range(1, min(number, largest) + 1) if number % n == 0]
