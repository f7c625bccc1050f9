"""Tables of logits: what is read is what was written or nothing, whoever writes, whatever breaks, and under a cap."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch

from deit_core.training.logit_table import LogitTable, NoRoomError, open_table

SHAPE = (1000, 10)
TABLE_BYTES = 1000 * (10 * 4 + 4)
GB = 1e9


def said(rows: torch.Tensor, num_classes: int = 10) -> torch.Tensor:
    """Logits (B, K) that only depend on the row, none of them zero."""
    return torch.sin(rows[:, None] * 12.9898 + torch.arange(num_classes) * 78.233) * 9 + 10


def table_at(home: Path, name: str = "a", cap_bytes: float = GB, dtype: str = "float32") -> LogitTable:
    return open_table(home, {"teacher": name}, SHAPE, dtype, cap_bytes)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[LogitTable]:
    """A table with its first 900 rows written."""
    with closing(table_at(tmp_path)) as table:
        table.write(torch.arange(900), said(torch.arange(900)))
        yield table


def assert_never_wrong(table: LogitTable) -> torch.Tensor:
    """Whether each row (R,) is known; those that are, are right."""
    logits, known = table.read(torch.arange(SHAPE[0]))
    assert torch.equal(logits[known], said(torch.arange(SHAPE[0]))[known])
    return known


def test_rows_come_back_bit_for_bit_and_others_are_not_known(full: LogitTable, tmp_path: Path) -> None:
    rows = torch.tensor([899, 900, 3, 999, 0])
    logits, known = full.read(rows)
    assert known.tolist() == [True, False, True, False, True]
    assert torch.equal(logits[known], said(rows)[known])
    assert full.share_filled() == 0.9
    assert full.size_bytes == TABLE_BYTES
    with closing(table_at(tmp_path)) as another:
        assert assert_never_wrong(another).sum() == 900
    with closing(table_at(tmp_path, "other teacher")) as other:
        assert not assert_never_wrong(other).any()


def test_zeros_and_numbers_that_are_none_are_logits_too(tmp_path: Path) -> None:
    logits = torch.zeros(3, 10)
    logits[1], logits[2, 4] = torch.nan, -torch.inf
    with closing(table_at(tmp_path)) as table:
        table.write(torch.tensor([0, 500, 7]), logits)
        found, known = table.read(torch.tensor([0, 500, 7, 8]))
        assert known.tolist() == [True, True, True, False]
        assert torch.equal(found[:3].view(torch.int32), logits.view(torch.int32))


def test_float16_rounds_to_eleven_bits(tmp_path: Path) -> None:
    rows = torch.arange(1000)
    with closing(table_at(tmp_path, dtype="float16")) as table:
        table.write(rows, said(rows))
        logits, known = table.read(rows)
        assert known.all()
        assert logits.dtype == torch.float32
        torch.testing.assert_close(logits, said(rows), rtol=2**-11, atol=0)
        assert table.size_bytes == 1000 * (10 * 2 + 4)


def damage_bits(table: LogitTable) -> None:
    with (table.folder / "logits.bin").open("r+b") as file:
        for row in range(0, 900, 3):
            file.seek(row * 40 + row % 40)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ (1 << row % 8)]))


def damage_page(table: LogitTable) -> None:
    """What a power cut leaves when the page of seals reached the disk and that of the rows did not."""
    with (table.folder / "logits.bin").open("r+b") as file:
        file.seek(4096)
        file.write(bytes(8192))


def damage_seals(table: LogitTable) -> None:
    with (table.folder / "seals.bin").open("r+b") as file:
        file.write(os.urandom(2000))


def swap_rows(table: LogitTable) -> None:
    content = (table.folder / "logits.bin").read_bytes()
    seals = (table.folder / "seals.bin").read_bytes()
    (table.folder / "logits.bin").write_bytes(content[4000:8000] + content[:4000] + content[8000:])
    (table.folder / "seals.bin").write_bytes(seals[400:800] + seals[:400] + seals[800:])


def tear_rows(table: LogitTable) -> None:
    """Only the first half of each row was written, its seal was."""
    with (table.folder / "logits.bin").open("r+b") as file:
        for row in range(300):
            file.seek(row * 40 + 20)
            file.write(bytes(20))


def truncate_logits(table: LogitTable) -> None:
    os.truncate(table.folder / "logits.bin", 10_001)


def truncate_seals(table: LogitTable) -> None:
    os.truncate(table.folder / "seals.bin", 1001)


def empty_both(table: LogitTable) -> None:
    truncate_logits(table)
    os.truncate(table.folder / "logits.bin", 0)
    os.truncate(table.folder / "seals.bin", 0)


def lengthen(table: LogitTable) -> None:
    with (table.folder / "logits.bin").open("ab") as file:
        file.write(bytes(99))


def delete_file(table: LogitTable) -> None:
    (table.folder / "logits.bin").unlink()


@pytest.mark.parametrize(
    ("damage", "at_least_lost"),
    [
        (damage_bits, 300),
        (damage_page, 200),
        (damage_seals, 490),
        (swap_rows, 200),
        (tear_rows, 300),
        (truncate_logits, 640),
        (truncate_seals, 640),
        (empty_both, 900),
        (lengthen, 0),
        (delete_file, 900),
    ],
)
def test_a_damaged_row_is_not_there_and_is_filled_again(damage: object, at_least_lost: int, tmp_path: Path) -> None:
    with closing(table_at(tmp_path)) as table:
        table.write(torch.arange(900), said(torch.arange(900)))
    damage(table)  # type: ignore[operator]
    with closing(table_at(tmp_path)) as table:
        known = assert_never_wrong(table)
        assert at_least_lost <= 900 - int(known.sum()) <= at_least_lost + 20
        lost = (~known).nonzero()[:, 0]
        table.write(lost, said(lost))
        assert assert_never_wrong(table).all()


_WRITER = """
import sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_logit_table import SHAPE, said, table_at
table = table_at(Path(sys.argv[1]))
generator = torch.Generator().manual_seed(int(sys.argv[3]))
print("ready", flush=True)
sys.stdin.readline()
num_found = 0
for _ in range(1000):
    rows = torch.randint(SHAPE[0], (16,), generator=generator)
    logits, known = table.read(rows)
    assert torch.equal(logits[known], said(rows)[known]), "a row was read that nobody wrote"
    table.write(rows[~known], said(rows[~known]))
    num_found += int(known.sum())
table.close()
print(num_found)
"""


def test_two_processes_fill_one_table_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path), str(Path(__file__).parent)]
    writers = [
        subprocess.Popen([*command, str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seed in (1, 2)
    ]
    with writers[0], writers[1]:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        found = [int(writer.communicate(timeout=600)[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert sum(found) > 2 * 16_000 - 2 * SHAPE[0]
    assert len(list(tmp_path.iterdir())) == 2  # one table, and the lock
    with closing(table_at(tmp_path)) as table:
        assert assert_never_wrong(table).sum() > 990


def tables_in(home: Path) -> set[Path]:
    return {path for path in home.iterdir() if path.is_dir()}


def make(home: Path, name: str, used_at: float) -> Path:
    with closing(table_at(home, name)) as table:
        pass
    os.utime(table.folder / "key.json", (used_at, used_at))
    return table.folder


def test_the_cap_deletes_the_least_recently_used(tmp_path: Path) -> None:
    oldest, newest, middle = (make(tmp_path, name, used_at) for name, used_at in (("o", 1), ("n", 3), ("m", 2)))
    with closing(table_at(tmp_path, "fourth", cap_bytes=3.5 * TABLE_BYTES)) as fourth:
        assert tables_in(tmp_path) == {newest, middle, fourth.folder}
    with closing(table_at(tmp_path, "n", cap_bytes=2.5 * TABLE_BYTES)):
        assert tables_in(tmp_path) == {newest, fourth.folder}
    assert not oldest.exists()


def test_opening_and_closing_count_as_use(tmp_path: Path) -> None:
    first, second = (make(tmp_path, name, used_at) for name, used_at in (("1", 1), ("2", 2)))
    table = table_at(tmp_path, "1")
    assert (first / "key.json").stat().st_mtime > 2
    os.utime(first / "key.json", (1, 1))
    table.close()
    with closing(table_at(tmp_path, "3", cap_bytes=2.5 * TABLE_BYTES)):
        assert first.exists()
        assert not second.exists()


def test_what_is_in_use_stays(tmp_path: Path) -> None:
    make(tmp_path, "unused", used_at=9e9)
    with closing(table_at(tmp_path, "used")) as used:
        used.write(torch.arange(5), said(torch.arange(5)))
        os.utime(used.folder / "key.json", (1, 1))
        with closing(table_at(tmp_path, "new", cap_bytes=2.5 * TABLE_BYTES)) as new:
            assert tables_in(tmp_path) == {used.folder, new.folder}
        with pytest.raises(NoRoomError, match="DEIT_LOGITS_GB, others in use included"):
            table_at(tmp_path, "too much", cap_bytes=1.5 * TABLE_BYTES)
        assert tables_in(tmp_path) == {used.folder, new.folder}  # deleting what was free would not have helped
        assert used.read(torch.arange(5))[1].all()


def test_a_table_in_use_by_another_process_stays(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path), str(Path(__file__).parent), "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "ready\n"
        with pytest.raises(NoRoomError, match="in use"):
            table_at(tmp_path, "b", cap_bytes=1.5 * TABLE_BYTES)
        user.kill()
        user.wait()
    with closing(table_at(tmp_path, "b", cap_bytes=1.5 * TABLE_BYTES)) as table:  # whoever is dead uses nothing
        assert tables_in(tmp_path) == {table.folder}


def test_a_table_that_alone_is_too_large_deletes_nothing(tmp_path: Path) -> None:
    other = make(tmp_path, "other", used_at=1)
    for cap in (0.5 * TABLE_BYTES, 0):
        with pytest.raises(NoRoomError, match=r"do not fit into the .* of DEIT_LOGITS_GB$"):
            table_at(tmp_path, cap_bytes=cap)
    assert tables_in(tmp_path) == {other}


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "made before", used_at=1)
    usage = type(shutil.disk_usage(tmp_path))
    left = 10**9 + TABLE_BYTES - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12 - left, left))
    with pytest.raises(NoRoomError, match="on the disk, which has 1 GB left"):
        table_at(tmp_path, "new")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 0))
    table_at(tmp_path, "made before").close()  # takes no more room


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere files have holes")
def test_the_room_is_taken_at_once(tmp_path: Path) -> None:
    """Else a disk that is full later would end the process."""
    with closing(table_at(tmp_path)) as table:
        for name, size in (("logits.bin", 40_000), ("seals.bin", 4000)):
            assert (table.folder / name).stat().st_blocks * 512 >= size


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere files have holes")
def test_room_that_was_not_granted_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of full size without its blocks must not pass for one that has them."""

    def refuse(*_: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", refuse)
        with pytest.raises(OSError, match="quota"):
            table_at(tmp_path)
    with closing(table_at(tmp_path)) as table:
        assert (table.folder / "logits.bin").stat().st_blocks * 512 >= 40_000


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere files have holes")
def test_holes_are_filled_and_what_was_written_stays(tmp_path: Path) -> None:
    """Earlier versions left them where they got no room."""
    with closing(table_at(tmp_path)) as table:
        table.write(torch.arange(50), said(torch.arange(50)))
    logits = table.folder / "logits.bin"
    os.truncate(logits, 4096)
    os.truncate(logits, 40_000)
    with closing(table_at(tmp_path)) as table:
        assert logits.stat().st_blocks * 512 >= 40_000
        assert assert_never_wrong(table).sum() == 50


def test_a_table_deleted_by_hand_serves_who_has_it(full: LogitTable, tmp_path: Path) -> None:
    shutil.rmtree(full.folder)
    full.write(torch.arange(900, 1000), said(torch.arange(900, 1000)))
    assert assert_never_wrong(full).all()
    with closing(table_at(tmp_path)) as again:
        assert not assert_never_wrong(again).any()
