"""What every part of a spec is made of."""

from types import UnionType
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from deit_core.errors import spec_error
from deit_core.plain_text import harmless


def field(
    default: Any, description: str, *, unit: str = "", advanced: bool = False, source: str = "", **bounds: Any
) -> Any:
    """A field with all that a form needs. `advanced` fields are hidden at first, `unit` follows the number, and a field
    with a `source` has a meaning for that source only.
    """
    extra: dict[str, Any] = {"unit": unit, "advanced": advanced, "source": source}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


class Part(BaseModel):
    """A frozen section of a spec: unknown fields, infinity and not-a-number are refused.

    Text is made `harmless` wherever it comes from: a form, a file, an old row of the store.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _text_is_harmless(cls, document: Any) -> Any:
        return {name: _harmless(value) for name, value in document.items()} if isinstance(document, dict) else document

    def with_changes(self, **changes: Any) -> Self:
        """A validated copy in which these fields have other values.

        Raises: SpecError for a field that does not exist, a value out of bounds, or fields that do not fit together.
        """
        document = {name: getattr(self, name) for name in type(self).model_fields} | changes
        try:
            return type(self).model_validate(document)
        except ValidationError as error:
            raise spec_error(error, document) from None


def _harmless(value: Any) -> Any:
    """A field's value; texts stand alone or in a list."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, list | tuple):
        return [harmless(item) if isinstance(item, str) else item for item in value]
    return value


def field_help(info: FieldInfo) -> str:
    """What a field is, its choices and its bounds, in sentences: for the command line and the reference."""
    extra = info.json_schema_extra
    unit = f" In {extra['unit']}." if isinstance(extra, dict) and extra["unit"] else ""
    return f"{info.description}{_choices(info)}{unit}{bounds(info)}"


def _choices(info: FieldInfo) -> str:
    choices = next((get_args(kind) for kind in kinds_of(info) if get_origin(kind) is Literal), ())
    return f" One of {', '.join(map(str, choices))}." if len(choices) > 1 and len(kinds_of(info)) == 1 else ""


def kinds_of(info: FieldInfo) -> list[Any]:
    """What a value may be, None left out: a field that may be empty has one kind all the same."""
    is_union = get_origin(info.annotation) in (Union, UnionType)
    kinds = get_args(info.annotation) if is_union else (info.annotation,)
    bare = [get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds]
    return [kind for kind in bare if kind is not type(None)]


_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def bounds(info: FieldInfo) -> str:
    """The bounds of a number in words, such as " At least 1 and at most 32."; empty where there are none."""
    words = [f"{_BOUNDS[name]} {_number(value)}" for name, value in limits(info).items()]
    return f" {' and '.join(words).capitalize()}." if words else ""


def limits(info: FieldInfo) -> dict[str, Any]:
    """The bounds of a number by pydantic's names: `ge` and `le` are allowed values, `gt` and `lt` are not."""
    return {name: getattr(item, name) for item in info.metadata for name in _BOUNDS if hasattr(item, name)}


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def divisors(number: int, largest: int) -> list[int]:
    """The divisors of `number`, up to `largest`."""
    return [n for n in range(1, min(number, largest) + 1) if number % n == 0]
