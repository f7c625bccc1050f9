"""What people typed does nothing but be read: in a terminal, a table, the name of a file, and a spec that holds it."""

import json

import pytest

from deit_core.plain_text import cell, file_name, harmless
from deit_core.spec import ExperimentSpec, RunSpec

HARMFUL = {
    "NUL": "\x00",
    "bell": "\x07",
    "Escape": "\x1b",
    "carriage return": "\r",
    "delete": "\x7f",
    "C1, CSI": "\x9b",
    "right-to-left override": "\u202e",
    "isolate": "\u2067",
    "line separator": "\u2028",
    "surrogate": "\ud800",
}


@pytest.mark.parametrize("letter", HARMFUL.values(), ids=HARMFUL)
def test_a_harmful_character_shows_as_its_number(letter: str) -> None:
    assert harmless(f"a{letter}b") == f"a\\u{ord(letter):04x}b"


@pytest.mark.parametrize("text", ["vit 2", "ünï 😀", "a\tb\nc", "שלום \u200f", "日本", "a\xa0b", "👩\u200d🔬"])
def test_all_other_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_a_line_end_of_windows_is_one_of_ours() -> None:
    assert harmless("a\r\nb") == "a\nb"


@pytest.mark.parametrize(
    "text",
    ["=HYPERLINK(1)", "+1+1", "-1+1", "@SUM(A1)", " =1", "\t=1", "\n=1", "\u00a0=1"],
)
def test_a_formula_is_text_in_a_spreadsheet(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["vit", "1", "a=b", "a-b", "", "–"])
def test_other_text_is_no_formula(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("vit 2", "vit-2"),
        ("-img.md", "img-md"),
        ("--help", "help"),
        (".hidden", "hidden"),
        ("../../etc/passwd", "etc-passwd"),
        ("![x](http://e.org)", "x--http---e-org-"),
        ("...", "unnamed"),
        ("ünï", "ünï"),
        ("a\x1b\u202eb", "a--b"),
    ],
)
def test_a_file_is_neither_an_option_nor_hidden(name: str, file: str) -> None:
    assert file_name(name) == file


@pytest.mark.parametrize("letter", list(HARMFUL.values())[:-1], ids=list(HARMFUL)[:-1])
def test_a_spec_holds_no_harmful_character(letter: str) -> None:
    text, shown = f"a{letter}b", f"a\\u{ord(letter):04x}b"
    run = {"name": text, "notes": text, "tags": [text], "data": {"path": text}}
    document = {"name": text, "description": text, "runs": [run]}
    for spec in (
        ExperimentSpec.model_validate(document),
        ExperimentSpec.model_validate_json(json.dumps(document)),
    ):
        member = spec.runs[0]
        texts = (member.name, member.notes, *member.tags, member.data.path)
        assert {spec.name, spec.description, *texts} == {shown}


def test_a_spec_is_read_back_as_it_was_written() -> None:
    spec = RunSpec(name="\x1b" * 13)
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec
