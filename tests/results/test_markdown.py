"""A page in Markdown shows what people typed as it is: no link, no picture, no heading, no second column."""

import pytest
from markdown_it import MarkdownIt

from deit_core.results.markdown import Markup, code, code_block, plain, table

TEXTS = [
    "![x](http://elsewhere.example/x.png)",
    "[x](javascript:alert)",
    "[x]: http://elsewhere.example",
    "<img src=x>",
    "<http://elsewhere.example>",
    "http://elsewhere.example and www.elsewhere.example",
    "`code` *a* __b__ ~~c~~",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "---",
    "===",
    "```",
    "a | b",
    "a \\| b",
    "&lt;img&gt; &#33;[x](y)",
    "fashion_classroom -1 +2.5",
]


def shown(markdown: str) -> tuple[str, set[str]]:
    """The text of a page, and the kinds of its parts beyond plain paragraphs."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    pieces = [piece for token in tokens for piece in (token.children or [token])]
    text = "".join(piece.content for piece in pieces if piece.type in ("text", "text_special"))
    kinds = {piece.type for piece in pieces} - {"paragraph_open", "paragraph_close", "text", "text_special"}
    return text, kinds


@pytest.mark.parametrize("text", TEXTS)
def test_a_person_s_words_are_text_alone(text: str) -> None:
    assert shown(plain(text)) == (text, set())


@pytest.mark.parametrize("text", TEXTS)
def test_a_cell_is_text_alone(text: str) -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(table(["Name", "More"], [[text, "end"]]))
    cells = [token.children or [] for token in tokens if token.type == "inline"][2:]
    assert ["".join(piece.content for piece in cell) for cell in cells] == [text, "end"]
    assert {piece.type for cell in cells for piece in cell} <= {"text", "text_special"}


def test_our_own_marks_in_a_cell_are_meant() -> None:
    assert table(["Field"], [[Markup("`optim.lr` *")]]).endswith("| `optim.lr` * |")


@pytest.mark.parametrize("text", ["vit", "a`b", "`` ![x](y)", "`", "a `", "<img>"])
def test_code_is_code_alone(text: str) -> None:
    (inline,) = (token for token in MarkdownIt().parse(f"- {code(text)} ends") if token.type == "inline")
    first, rest = inline.children or []
    assert (first.type, first.content, rest.content) == ("code_inline", text, " ends")


def test_a_line_end_does_not_leave_the_code() -> None:
    text = code_block(["train --set notes='a\n\n![x](http://elsewhere.example)'"])
    assert [token.type for token in MarkdownIt().parse(text)] == ["code_block"]


def test_addresses_make_no_links() -> None:
    assert plain("http://e.org") == r"http:\//e.org"
    assert plain("www.e.org") == r"www\.e.org"
