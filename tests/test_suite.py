"""The tests themselves: short files that lie as the code lies, import no other, and need no private name of ours."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
FILES = sorted(TESTS.rglob("*.py"))
MAX_LINES = 350  # a longer file has a second subject
BESIDE_THE_CORE = {"dashboard", "browser", "fuzz", "cluster"}


def name(file: Path) -> str:
    return file.relative_to(TESTS).as_posix()


def private_names() -> set[str]:
    """What our code defines for itself alone: functions, classes, constants, and attributes of objects."""
    found = set()
    for room in ("deit_core", "dashboard", "benchmarks"):
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    found.add(node.name)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    found.add(node.id)
                elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    found.add(node.attr)
    return {one for one in found if re.fullmatch(r"_[A-Za-z]\w*", one)}


PRIVATE = private_names() - {"_replace", "_asdict", "_repr_html_"}  # of named tuples and notebooks, for everybody


def uses(source: str) -> Iterator[str]:
    """Names with an underscore that a test takes from a module or an object, also in the words of a string."""
    tree = ast.parse(source)
    pieces = {piece for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for piece in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"(?:(?<!self)\.|\bimport )(_\w+)", node.value)
            if node not in pieces:
                yield node.value


def test_it_finds_what_it_looks_for() -> None:
    assert len(PRIVATE) > 100
    found = uses(
        'from a import _one\nb._two\nself._three\npatch("c._four", c)\nrun("from d import _five")\npatch(e, "_six")'
    )
    assert {"_one", "_two", "_four", "_five", "_six"} == {one for one in found if one.startswith("_")}


@pytest.mark.parametrize("file", [file for file in FILES if file != Path(__file__)], ids=name)
def test_a_test_needs_no_private_name_of_ours(file: Path) -> None:
    assert sorted(PRIVATE.intersection(uses(file.read_text()))) == []


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_test_imports_no_other(file: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    assert not [node.module for node in imports if (node.module or "").startswith(("test_", "conftest"))]


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_file_is_short(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= MAX_LINES


def test_folders_of_tests_are_those_of_the_code() -> None:
    core = {folder.name for folder in (ROOT / "deit_core").iterdir() if folder.is_dir()}
    assert {folder.name for folder in TESTS.iterdir() if list(folder.glob("test_*.py"))} <= core | BESIDE_THE_CORE


def test_file_names_are_unique() -> None:
    counts = Counter(file.name for file in FILES if file.name != "conftest.py")
    assert max(counts.values()) == 1, counts.most_common(3)
