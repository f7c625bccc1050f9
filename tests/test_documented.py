"""Every environment variable, command and page has its place in the docs, and no other command or option has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from deit_core.cli.app import app
from deit_core.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCS = {file.name: file.read_text() for file in (ROOT / "docs").glob("*.md")}
EVERYTHING = "\n".join([README, *DOCS.values()])


def variables() -> Iterator[str]:
    """Environment variables that the code names: what os.environ is asked for, and whatever begins as ours do."""
    for room in ("deit_core", "dashboard"):
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                match node:
                    case (
                        ast.Call(ast.Attribute(ast.Attribute(attr="environ")), [ast.Constant(str(name)), *_])
                        | ast.Call(ast.Attribute(attr="getenv"), [ast.Constant(str(name)), *_])
                        | ast.Subscript(ast.Attribute(attr="environ"), ast.Constant(str(name)))
                    ):
                        yield name
                    case ast.Constant(str(name)) if re.fullmatch(r"DEIT_[A-Z_]+", name):
                        yield name


VARIABLES = sorted(set(variables()))


def commands(group: typer.core.TyperGroup, above: str = "") -> Iterator[tuple[str, set[str]]]:
    """Each command with the words that lead to it, and its options."""
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, f"{above}{name} ")
        else:
            yield above + name, {option for param in command.params for option in param.opts}


OPTIONS = dict(commands(typer.main.get_command(app)))  # type: ignore[arg-type]
COMMANDS = sorted(OPTIONS)
PAGES = sorted(file.parent.name for file in (ROOT / "dashboard" / "views").glob("*/page.py"))


def test_there_are_some() -> None:
    assert {"DEIT_RUNS_DIR", "DEIT_WORKER_ID", "GOMP_SPINCOUNT"} <= set(VARIABLES)
    assert {"train", "import"} <= set(COMMANDS)
    assert len(PAGES) == 10


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_is_documented(name: str) -> None:
    assert re.search(rf"`{name}\b", EVERYTHING)


@pytest.mark.parametrize("name", sorted(Settings("", Path(), Path(), num_workers=1).environment()))
def test_a_variable_for_people_has_a_row_in_the_guide(name: str) -> None:
    assert re.search(rf"^\| `{name}` \| .+ \| .+ \|$", DOCS["guide.md"], re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_shown_on_its_page(command: str) -> None:
    examples = re.findall(r"^    python -m deit_core .*$", DOCS["command-line.md"], re.MULTILINE)
    assert any(re.search(rf"(?:python -m deit_core|\|) {command}\b", line) for line in examples)


def test_a_command_that_is_shown_exists() -> None:
    for line in re.findall(r"python -m deit_core ([a-z]+(?: [a-z]+)?)", EVERYTHING):
        assert line in COMMANDS or line.split()[0] in COMMANDS, line


def test_an_option_that_is_shown_exists() -> None:
    shown = 0
    longest_first = sorted(COMMANDS, key=len, reverse=True)
    for line in re.findall(r"^    python -m deit_core (.*)$", EVERYTHING, re.MULTILINE):
        for words in re.split(r" {2,}", line)[0].split(" | "):
            command = next(name for name in longest_first if f"{words} ".startswith(f"{name} "))
            options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", words))
            assert options <= OPTIONS[command] | {"--help"}, words
            shown += len(options)
    assert shown > 20


def test_the_table_of_pages_holds_every_page_and_no_other() -> None:
    (table,) = re.findall(r"^\| Page \|.*?^$", DOCS["guide.md"], re.DOTALL | re.MULTILINE)
    assert sorted(re.findall(r"^\| \*\*(\w+)\*\* \|", table, re.MULTILINE)) == [page.capitalize() for page in PAGES]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/.]+)`", DOCS["security.md"]))))
def test_a_promise_of_security_names_tests_that_exist(path: str) -> None:
    assert (ROOT / path).exists()
