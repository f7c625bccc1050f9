"""The names in a zip, where it does not say which encoding they have.

A zip says so by a flag for UTF-8, or by a second name in UTF-8. Else the bytes decide: an encoding is used if it, and
no other of a short list, turns all names into words of its own script. Knows names;
unpacks nothing.
"""

import re
import struct
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from zipfile import ZipInfo

from deit_core.errors import DataError

_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075  # the number of Info-ZIP's extra field
_EAST_ASIAN_SIGNS = ("IDEOGRAPHIC", "FULLWIDTH", "LEFT ", "RIGHT ", "MIDDLE DOT", "EM DASH")
_HANGUL, _PER_INITIAL, _PER_VOWEL = 0xAC00, 588, 28  # how Unicode numbers Korean syllables
_SIMPLE_SHARE = 0.6

Words = Sequence[str]


def final_names(entries: Sequence[ZipInfo]) -> list[str]:
    """The original names of the entries.

    Raises: DataError where their bytes can be read in several ways, or in none.
    """
    names = [_name_in_utf8(entry) for entry in entries]
    raw = [_bytes(entry) for entry, name in zip(entries, names, strict=True) if name is None]
    encoding = _encoding_of(sorted({name for name in raw if not name.isascii()}))
    guessed = iter([name.decode(encoding) for name in raw])
    return [next(guessed) if name is None else name for name in names]


def _bytes(entry: ZipInfo) -> bytes:
    return entry.orig_filename.encode("cp437")  # which Python reads what has no flag in: no byte is lost


def _name_in_utf8(entry: ZipInfo) -> str | None:
    """The name as the zip states it in UTF-8; None where it does not."""
    if entry.flag_bits & _UTF8_FLAG:
        return entry.orig_filename
    extra, ours = entry.extra, struct.pack("<BL", 1, zlib.crc32(_bytes(entry)))  # another's: it was renamed since
    while len(extra) >= 4:
        number, length = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if number == _UNICODE_PATH and field.startswith(ours):
            return field[len(ours) :].decode()
    return None


def _encoding_of(raw: Sequence[bytes]) -> str:
    """The one encoding in which all names are words."""
    if not raw:
        return "utf-8"
    as_utf8 = _read(raw, "utf-8", lambda _words: True)
    if as_utf8 is not None and _are_surely_utf8(as_utf8):
        return "utf-8"
    by_encoding = {
        encoding: names for encoding, are in _READINGS.items() if (names := _read(raw, encoding, are)) is not None
    }
    if as_utf8 is not None:
        by_encoding["utf-8"] = as_utf8
    if len(by_encoding) == 1:
        return next(iter(by_encoding))
    ways = " or ".join(repr(names[0]) for names in by_encoding.values())
    what = f"could be {ways}" if ways else "is not a word in any known encoding"
    raise DataError(
        f"The zip does not state the encoding of its names, and {raw[0].decode('cp437')!r} {what}; pack it again with "
        "names in UTF-8, as most programs can (7-Zip: -mcu=on)."
    )


def _read(raw: Sequence[bytes], encoding: str, are_words: Callable[[Words], bool]) -> list[str] | None:
    """The names in an encoding; None where they are not words."""
    try:
        names = [name.decode(encoding) for name in raw]
    except UnicodeDecodeError:
        return None
    runs = [run for name in names for run in re.findall(r"[A-Za-z\x80-\U0010ffff]+", name)]
    has_words = are_words([run for run in runs if not run.isascii()])
    return names if has_words and not any("\\" in name for name in names) else None  # half of a character of another


def _are_surely_utf8(names: Sequence[str]) -> bool:
    """Letters of more than two bytes, or usual words: other encodings are almost never UTF-8 by chance."""
    runs = [run for name in names for run in re.findall(r"[0-9A-Za-z\x80-\U0010ffff]+", name) if not run.isascii()]
    return any(char > "\u07ff" for run in runs for char in run) or all(
        re.search("[0-9A-Za-z]", run) or not re.search("[\x80-\u024f]", run) for run in runs
    )


def _is_of(word: str, *scripts: str) -> bool:
    """Whether all characters beyond ASCII belong to these scripts, by their Unicode names."""
    return all(unicodedata.name(char, "").startswith(scripts) for char in word if not char.isascii())


def _has_ascii(word: str) -> bool:
    return any(char.isascii() for char in word)


def _are_western(words: Words) -> bool:
    """Letters with accents, among others without."""
    return all(_is_of(word, "LATIN") and _has_ascii(word) for word in words)


def _are_cyrillic(words: Words) -> bool:
    """In one case, or with a capital in front."""
    return all(
        _is_of(word, "CYRILLIC") and not _has_ascii(word) and word in (word.lower(), word.upper(), word.capitalize())
        for word in words
    )


def _are_chinese(words: Words) -> bool:
    return all(_is_of(word, "CJK", *_EAST_ASIAN_SIGNS) for word in words)


def _are_traditional(words: Words) -> bool:
    """Usual characters (Big5 has them first), one of which at least can be nothing else."""
    raw = [char.encode("big5") for char in set("".join(words)) if not char.isascii()]
    is_script = _are_chinese(words) and not any(map(_has_ascii, words))
    return is_script and all(code[0] <= 0xC6 for code in raw) and any(code[1] < 0x80 for code in raw)


def _are_japanese(words: Words) -> bool:
    """Without half-width letters, which Chinese bytes mostly become."""
    scripts = "CJK", "HIRAGANA", "KATAKANA", *_EAST_ASIAN_SIGNS
    return all(_is_of(word, *scripts) and not _has_ascii(word) for word in words)


def _are_korean(words: Words) -> bool:
    """Syllables, of which most are simple, where Chinese bytes become odd ones."""
    syllables = [char for char in set("".join(words)) if _is_of(char, "HANGUL") and not char.isascii()]
    is_simple = [_is_simple(ord(syllable) - _HANGUL) for syllable in syllables]
    is_script = all(_is_of(word, "HANGUL", *_EAST_ASIAN_SIGNS) for word in words)
    return is_script and sum(is_simple) >= _SIMPLE_SHARE * len(syllables)


def _is_simple(number: int) -> bool:
    """A consonant that is not doubled, a usual vowel, and at the end nothing or one of seven consonants."""
    initial, vowel, final = number // _PER_INITIAL, number % _PER_INITIAL // _PER_VOWEL, number % _PER_VOWEL
    return initial not in (1, 4, 8, 10, 13) and vowel not in (3, 7, 10, 15, 19) and final in (0, 1, 4, 8, 16, 17, 21)


_READINGS: dict[str, Callable[[Words], bool]] = {
    "cp437": _are_western,
    "cp866": _are_cyrillic,
    "cp1251": _are_cyrillic,
    "gb2312": _are_chinese,  # the usual part of GBK: in all of it nearly any bytes are characters
    "cp932": _are_japanese,
    "big5": _are_traditional,
    "euc_kr": _are_korean,
}
