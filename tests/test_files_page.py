"""docs/files.md says of every format, layout and field what the tables in the code say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deit_core.image_folders.image_formats import FORMATS as IMAGE_FORMATS
from deit_core.image_folders.listing import SYSTEM_NAMES
from deit_core.image_folders.parts import DOCUMENT_ENDINGS, PART_FORMS, PART_NAMES
from deit_core.models.foreign.config_fields import CONFIGS, Field
from deit_core.models.foreign.formats import FORMATS
from deit_core.models.foreign.name_tables import NAME_TABLES

PAGE = (Path(__file__).parents[1] / "docs" / "files.md").read_text()

USES = {  # in the words of the page
    "honoured": "Applied",
    "the tensors' own": "Must agree with the tensors",
    "no part": "Without effect on what the model computes",
}


def rows() -> Iterator[str]:
    for name, endings in IMAGE_FORMATS.items():
        yield f"| {name} | {_code(endings)} |"
    for part, names in PART_NAMES.items():
        yield f"| `{part}` | {_code(names)} |"
    yield f"{_code(form.format('NAME') for form in PART_FORMS)}"
    yield _code(DOCUMENT_ENDINGS)
    yield _code(SYSTEM_NAMES)
    for one in FORMATS.values():
        yield f"| {one.what} | {'read' if not one.refusal else f'refused: {one.refusal}'} |"
    for table in NAME_TABLES:
        yield f"| {table.what} | `{table.network}` |"
    for config, fields in CONFIGS.items():
        yield f"### {config[0].upper()}{config[1:]}"
        yield from _field_lines(fields)


def _field_lines(fields: dict[str, Field]) -> Iterator[str]:
    for use, words in USES.items():
        if names := [name for name, field in fields.items() if field.use == use]:
            yield f"{words}: {_code(names)}."
    if limited := {name: field.values for name, field in fields.items() if field.use == "only"}:
        yield f"Refused unless it is null or: {'; '.join(_limit(*item) for item in limited.items())}."


def _limit(name: str, values: tuple[object, ...]) -> str:
    return f"`{name}` {' or '.join(f'`{value!r}`' for value in values)}" if values else f"`{name}` is null"


def _code(words: object) -> str:
    return ", ".join(f"`{word}`" for word in words)  # type: ignore[attr-defined]


@pytest.mark.parametrize("row", [*rows()])
def test_the_page_says_what_the_table_says(row: str) -> None:
    assert row in PAGE
