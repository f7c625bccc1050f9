"""The reference of fields is what the specs say now."""

from pathlib import Path

from dashboard.fields import form_fields
from deit_core import presets
from deit_core.results.field_reference import field_reference
from deit_core.spec import members

PAGE = Path(__file__).parents[2] / "docs" / "fields.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == field_reference(), "python -m deit_core fields > docs/fields.md"


def test_every_field_of_the_form_is_there() -> None:
    page = PAGE.read_text()
    paths = {field.path for name in presets.names() for run in members(presets.get(name)) for field in form_fields(run)}
    assert [path for path in sorted(paths) if f"| `{path}`" not in page] == []
