"""Zips whose names are written in any encoding, as programs of many countries pack them."""

import io
import struct
import zipfile
import zlib

from PIL import Image


def packed(*names: bytes, extra: bytes = b"") -> io.BytesIO:
    """A zip with an image under each of these names, which are written as they are and without the flag for UTF-8."""
    file, stand_ins = io.BytesIO(), []
    with zipfile.ZipFile(file, "w") as content:
        for number, name in enumerate(names):
            stand_ins.append(f"{number:x}".rjust(len(name), "#"))
            entry = zipfile.ZipInfo(stand_ins[-1])
            entry.extra = extra
            content.writestr(entry, png(number))
    whole = file.getvalue()
    for stand_in, name in zip(stand_ins, names, strict=True):
        assert whole.count(stand_in.encode()) == 2  # before the file, and in the list at the end
        whole = whole.replace(stand_in.encode(), name)
    return io.BytesIO(whole)


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8), number).save(file, "PNG")
    return file.getvalue()


def unicode_path(raw: bytes, name: str) -> bytes:
    content = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(content)) + content


def encoded(words: str, encoding: str) -> list[bytes]:
    return [f"{word}/{number}.png".encode(encoding) for word in words.split() for number in range(2)]
