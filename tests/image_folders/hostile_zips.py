"""Zips made to do harm: few bytes that would become many, and names that are made of folders."""

import io
import struct
import zipfile
import zlib

import numpy as np


def quoted_overlap(count: int, kernel_bytes: int, padding: int = 0) -> io.BytesIO:
    """Entries of which each quotes the header of the next one and continues with its data.

    Fifield, "A better zip bomb" (2019): every checksum is right, and each entry contains the whole kernel.
    `padding` bytes are before the first.
    """
    content = np.random.default_rng(0).bytes(kernel_bytes)
    data = _deflated(content)
    packed = b""
    entries = []
    for number in reversed(range(count)):
        name = f"{('bee', 'cow')[number % 2]}/{number}.png".encode()
        entry = (0x800, zipfile.ZIP_DEFLATED, 0, 0, zlib.crc32(content), len(data), len(content))
        header = struct.pack("<4s5H3I2H", b"PK\3\4", 20, *entry, len(name), 0) + name
        entries.append((name, entry, len(header) + len(data)))  # it reaches to the end
        packed, content = header + data, header + content
        data = struct.pack("<BHH", 0, len(header), len(header) ^ 0xFFFF) + packed  # a stored block of deflate
    directory = b"".join(
        struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, *entry, len(name), 0, 0, 0, 0, 0, len(packed) - to_end) + name
        for name, entry, to_end in entries
    )
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), len(packed), 0)
    return io.BytesIO(bytes(padding) + packed + directory + end)


def claiming(*, packed: int, unpacked: int, entries: int = 5) -> io.BytesIO:
    """Small entries that claim to be large, alike in both directories of the zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        for number in range(entries):
            content.writestr(f"{('bee', 'cow')[number % 2]}/{number}.png", b"x" * 50_000)
    changed = bytearray(file.getvalue())
    for mark, where in ((b"PK\3\4", 18), (b"PK\1\2", 20)):
        position = changed.find(mark)
        while position >= 0:
            struct.pack_into("<2I", changed, position + where, packed, unpacked)
            position = changed.find(mark, position + 1)
    return io.BytesIO(changed)


def deep(num_folders: int) -> io.BytesIO:
    """Two classes below many folders."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        for name in ("bee", "cow"):
            content.writestr("a/" * num_folders + f"{name}/1.png", b"x")
    return file


def many_folders(num_folders: int) -> io.BytesIO:
    """As many folders as that, in few files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        for number in range(num_folders // 20):
            content.writestr(f"{number}/" + "a/" * 20 + "1.png", b"x")
    return file


def _deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()
