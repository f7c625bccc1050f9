"""The README is one screen that leads to every page, and all that the pages point at is there."""

import importlib
import re
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = {
    file.relative_to(ROOT).as_posix(): file.read_text()
    for file in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "deploy" / "README.md")
}
HISTORY = {"CHANGELOG.md", "docs/decisions.md", "docs/performance.md", "docs/results.md"}  # names from their own days
OF_TODAY = {name: text for name, text in PAGES.items() if name not in HISTORY}
LINKS = sorted(
    {(name, link) for name, text in PAGES.items() for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
)


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings: small letters, no signs, hyphens for spaces, a number where one repeats."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for heading in re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M):
        words = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def test_a_heading_becomes_an_anchor_as_on_github() -> None:
    assert anchors("# A page\n## … train on [images](x.md) of 5 %?\n## A page\n```\n# no heading\n```\n") == {
        "a-page",
        "-train-on-images-of-5-",
        "a-page-1",
    }


@pytest.mark.parametrize(("page", "link"), LINKS, ids=[f"{page} {link}" for page, link in LINKS])
def test_a_link_leads_somewhere(page: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    file = ((ROOT / page).parent / path).resolve() if path else ROOT / page
    assert file.exists()
    if anchor:
        assert anchor in anchors(file.read_text())


def test_the_readme_is_one_screen_and_leads_to_every_page() -> None:
    assert len(README.splitlines()) <= 130
    led_to = {(ROOT / link).resolve() for page, link in LINKS if page == "README.md"}
    assert set((ROOT / "docs").glob("*.md")) <= led_to


@pytest.mark.parametrize("row", re.findall(r"^\| (\[.*)$", README, re.M))
def test_a_number_of_the_readme_is_that_of_the_results(row: str) -> None:
    (anchor,) = re.findall(r"\(docs/results\.md#([\w-]+)\)", row)
    sections = re.split(r"^(?=## )", PAGES["docs/results.md"], flags=re.M)
    (section,) = (section for section in sections if anchor in anchors(section))
    numbers = re.findall(r"\d+\.\d+ ± \d+\.\d+|[+-]\d+\.\d+ to [+-]\d+\.\d+|\+\d+\.\d+(?= \()", row)
    assert len(numbers) == 4
    assert [number for number in numbers if number not in section] == []


@pytest.mark.parametrize("page", OF_TODAY)
def test_a_file_that_is_named_exists(page: str) -> None:
    named = re.findall(r"`((?:benchmarks|dashboard|deit_core|deploy|docs|tests)/[\w./-]+)`", OF_TODAY[page])
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", OF_TODAY)
def test_a_module_that_is_named_exists(page: str) -> None:
    for dotted in re.findall(r"`(deit_core(?:\.\w+)+)`", OF_TODAY[page]):
        try:
            importlib.import_module(dotted)
        except ModuleNotFoundError:
            outer, _, name = dotted.rpartition(".")
            assert hasattr(importlib.import_module(outer), name), dotted


def test_a_target_of_make_and_a_benchmark_that_are_named_exist() -> None:
    text = "\n".join(PAGES.values())
    targets = set(re.findall(r"(?:^    |`)make ([a-z]+(?: [a-z]+)*)", text, re.M))
    rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"app", "test", "screenshots"} <= {word for words in targets for word in words.split()} <= rules
    assert set(re.findall(r"python -m benchmarks ([a-z-]+)", text)) <= {*BENCHMARKS, "gpu"}
