"""Text that people typed, or that a file holds, made harmless for a terminal, a spreadsheet and the name of a file."""

import re

# Control characters but newline and tab, those that turn the direction of writing, separators of lines, surrogates.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = re.compile(r"\s*[=+\-@]|[\t\r\n]")


def harmless(text: str) -> str:
    r"""The text with characters that steer a terminal or hide other characters in writing: \u001b for Escape."""
    if text.isprintable():
        return text
    return _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\r\n", "\n"))


def cell(text: str) -> str:
    """The text for a table that may become a spreadsheet: what would be a formula there begins with an apostrophe."""
    plain = harmless(text)
    return f"'{plain}" if _FORMULA.match(plain) else plain


def file_name(name: str) -> str:
    """A name as part of a file's: of letters, digits, - and _, and neither an option nor a hidden file."""
    kept = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    return kept.lstrip("-") or "unnamed"
