"""docs/glossary.md names only fields that exist, each word once, and in the README it can be found."""

import re
from pathlib import Path

from deit_core.results.field_reference import field_reference

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "glossary.md").read_text()


def test_its_fields_exist() -> None:
    named = {field.partition("=")[0] for field in re.findall(r"`((?:model|distillation|optim)\.\S+?)`", PAGE)}
    fields = set(re.findall(r"^\| `(\S+)`", field_reference(), re.MULTILINE))
    assert len(named) > 3
    assert named <= fields


def test_each_word_has_one_row() -> None:
    words = re.findall(r"^\| ([^|]+) \|", PAGE, re.MULTILINE)
    words = [word for word in words if word != "Word" and not word.startswith("-")]
    assert len(words) == len(set(words)) > 50


def test_the_readme_leads_there() -> None:
    assert "(docs/glossary.md)" in (ROOT / "README.md").read_text()
