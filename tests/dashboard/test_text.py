"""What people typed shows as they typed it."""

import re

import pytest

from dashboard.text import escape, message, plotly_escape


@pytest.mark.parametrize("text", ["vit 2", "*a* _b_ `c`", "[x](http://e.org)", "$a$ :tada: :red[b]", "<b> & | ~ # >"])
def test_punctuation_is_escaped_and_nothing_is_lost(text: str) -> None:
    escaped = escape(text)
    assert not re.search(r"(?<!\\)[*_`\[\]$:<>&|~#]", escaped)
    assert escaped.replace("\\", "").replace("\u2060", "") == text


@pytest.mark.parametrize("address", ["http://e.org", "www.e.org", "a@e.org"])
def test_addresses_make_no_links(address: str) -> None:
    assert "\u2060" in escape(address)


def test_a_command_in_a_message_can_be_copied() -> None:
    assert message("It's gone: run `pip install 'a @ http://b'`, twice.") == (
        "It\\'s gone\\:\u2060 run `pip install 'a @ http://b'`\\, twice\\."
    )


@pytest.mark.parametrize("text", ["a ` b", "``*a*``", "`a` ``", "` ` *b*"])
def test_backticks_that_do_not_belong_together_show_literally(text: str) -> None:
    assert message(text) == escape(text)


def test_the_direction_of_writing_stays() -> None:
    assert escape("a\u202eb").replace("\\", "") == plotly_escape("a\u202eb").replace("\\", "") == "au202eb"


def test_lines_become_one() -> None:
    assert escape("a\n\n# b") == r"a \# b"


def test_tags_and_entities_are_none_in_a_chart() -> None:
    assert plotly_escape('<b>owls & "&lt;"') == '&lt;b&gt;owls &amp; "&amp;lt;"'
