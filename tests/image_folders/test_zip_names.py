"""Names in a zip are what they were meant to be, whatever encoding they are in, or the zip is refused."""

import io
import struct
import zipfile
from pathlib import Path

import pytest
from zips import encoded, packed, unicode_path

from deit_core.errors import DataError
from deit_core.image_folders import list_folder
from deit_core.image_folders.archives import import_zip
from deit_core.image_folders.zip_names import final_names


def classes_of(zipped: io.BytesIO, tmp_path: Path) -> tuple[str, ...]:
    return list_folder(tmp_path / import_zip(zipped, "animals", tmp_path)).classes


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("狗 猫", "gbk"),
        ("向日葵 玫瑰 蒲公英 郁金香 雏菊", "gbk"),
        ("cat 狗 猫咪A", "gbk"),
        ("アヤメ バラ ひまわり", "cp932"),
        ("表 能 犬", "cp932"),  # their second bytes are a backslash
        ("вода кошка", "cp866"),
        ("вода Кошка", "cp1251"),
        ("狗 玫瑰 向日葵 鬱金香", "big5"),
        ("Bäume forêt", "cp437"),
        ("forêt 狗 кошка", "utf-8"),
        ("Bäume forêt", "utf-8"),
        ("café 30°", "utf-8"),
        ("bee cow", "ascii"),
    ],
)
def test_unmarked_names_are_read_where_one_encoding_makes_words(words: str, encoding: str, tmp_path: Path) -> None:
    assert classes_of(packed(*encoded(words, encoding)), tmp_path) == tuple(sorted(words.split()))


@pytest.mark.parametrize(
    ("words", "encoding", "says"),
    [
        ("고양이 강아지", "euc_kr", r"could be '碍酒瘤/0\.png' or '강아지/0\.png'"),
        ("São Água", "cp850", "is not a word in any known encoding"),
        ("Straße Köln", "cp1252", "is not a word in any known encoding"),
        ("นก หมา", "cp874", "in any known encoding|could be"),
    ],
)
def test_names_that_may_be_several_or_none_are_a_sentence(words: str, encoding: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says) as caught:
        import_zip(packed(*encoded(words, encoding)), "animals", tmp_path)
    assert "pack it again with names in UTF-8" in str(caught.value)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("raw", ["猫".encode("gbk"), "고".encode("euc_kr"), b"_"])
def test_a_second_name_in_unicode_is_believed(raw: bytes, tmp_path: Path) -> None:
    names = (raw + b"/0.png", b"dog/0.png")
    found = classes_of(packed(*names, extra=unicode_path(names[0], "pes ř/0.png")), tmp_path)
    assert found == ("dog", "pes ř")


def test_a_second_name_of_another_first_is_not_believed(tmp_path: Path) -> None:
    """Someone renamed the file with a program that knows nothing of the second name."""
    extra = struct.pack("<HHB", 0x1234, 1, 7) + unicode_path(b"old/0.png", "alt/0.png")
    assert classes_of(packed(b"new/0.png", b"dog/0.png", extra=extra), tmp_path) == ("dog", "new")


@pytest.mark.filterwarnings("ignore:Empty unicode path:UserWarning")  # of zipfile's, in Python 3.14
@pytest.mark.parametrize(
    ("names", "extra", "words"),
    [
        ((b"bee/0.png", b"cow/0.png"), unicode_path(b"bee/0.png", "../bee/0.png"), "outside its folder"),
        ((b"bee/0.png", b"cow/0.png"), unicode_path(b"bee/0.png", "/etc/0.png"), "outside its folder"),
        ((b"bee/0.png", b"cow/0.png"), unicode_path(b"bee/0.png", "a\\..\\0.png"), "outside its folder"),
        ((b"bee/0.png", b"cow/0.png"), unicode_path(b"bee/0.png", "bee/\0.png"), "outside its folder"),
        ((b"bee/0.png", b"cow/0.png"), unicode_path(b"bee/0.png", ""), "cannot be written"),
        ((b"bee/0.png", b"cow/0.png"), unicode_path(b"bee/0.png", "蜂" * 90 + ".png"), "cannot be written"),
        ((b"bee/0.png", b"cow/0.png"), unicode_path(b"bee/0.png", "cow/0.png"), "have the same name"),
        ((b"bee/0.png", b"cow/0.png"), unicode_path(b"bee/0.png", "COW/./0.png"), "have the same name"),
        ((b"bee/0.png", b"cow/0.png"), unicode_path(b"bee/0.png", "x")[:-1] + b"\xff", "not a zip, or is damaged"),
        ((b"bee/0.png", b"\0/0.png"), b"", "outside its folder"),
    ],
)
def test_what_is_dangerous_is_found_in_the_final_names(
    names: tuple[bytes, ...], extra: bytes, words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=words):
        import_zip(packed(*names, extra=extra), "animals", tmp_path / "data")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_names_that_are_marked_are_left_as_they_are() -> None:
    entry = zipfile.ZipInfo("è")  # as GBK its bytes are a cat
    entry.flag_bits = 0x800
    assert final_names([entry]) == ["è"]
