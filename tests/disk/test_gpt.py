import contextlib
import io
import os
import shutil
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.core.run import find_program
from jeos.disk import gpt
from jeos.model.image import MEBIBYTE, SECTOR, TYPE_ESP, TYPE_LINUX, TYPE_ROOT, Partition

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

DISK_UUID = "6f1d0a5e-3c1b-4e0e-9d6c-0b1f6a7e2c11"


def partition(number: int, *, start: int, size: int, label: str = "data", kind: str = TYPE_LINUX) -> Partition:
    own = str(uuid.UUID(int=number << 64 | 0x1234))
    return Partition(number=number, label=label, type=kind, uuid=own, start=start, size=size)


TWO = (
    partition(1, start=MEBIBYTE, size=2 * MEBIBYTE, label="esp", kind=TYPE_ESP),
    partition(2, start=3 * MEBIBYTE, size=MEBIBYTE, label="jeos_1.0", kind=TYPE_ROOT),
)
SIZE = 5 * MEBIBYTE


def written(partitions: tuple[Partition, ...] = TWO, *, size: int = SIZE) -> io.BytesIO:
    disk = io.BytesIO()
    gpt.write(disk, partitions, size=size, disk_uuid=DISK_UUID)
    return disk


@pytest.mark.skipif(shutil.which("sgdisk", path="/usr/sbin:/usr/bin") is None, reason="gdisk is not installed")
def test_write_passes_sgdisk(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    with path.open("w+b") as disk:
        gpt.write(disk, TWO, size=SIZE, disk_uuid=DISK_UUID)
    assert path.stat().st_blocks * 512 < MEBIBYTE, "the image is not sparse"
    sgdisk = find_program("sgdisk")
    said = subprocess.run([sgdisk, "--verify", path], capture_output=True, text=True, check=True).stdout
    assert "No problems found" in said
    shown = subprocess.run([sgdisk, "--info=2", path], capture_output=True, text=True, check=True).stdout
    assert TWO[1].uuid.upper() in shown
    assert "'jeos_1.0'" in shown
    assert "Attribute flags: 1000000000000000" in shown


def test_read_returns_what_was_written() -> None:
    assert gpt.read(written()) == gpt.Table(disk_uuid=DISK_UUID, size=SIZE, partitions=TWO)


def test_read_uses_the_backup_if_the_first_copy_is_damaged() -> None:
    disk = written()
    disk.seek(2 * SECTOR + 40)
    disk.write(b"\xff")
    assert gpt.read(disk).partitions == TWO


def test_read_refuses_two_damaged_copies() -> None:
    disk = written()
    for position in (SECTOR + 60, SIZE - SECTOR + 60):
        disk.seek(position)
        disk.write(b"\xff")
    with pytest.raises(InputError, match="no intact GPT"):
        gpt.read(disk)


@pytest.mark.parametrize(
    ("partitions", "message"),
    [
        ((TWO[0], partition(2, start=2 * MEBIBYTE, size=MEBIBYTE)), "inside partition 1"),
        ((partition(1, start=0, size=MEBIBYTE),), "inside the partition table"),
        ((partition(1, start=4 * MEBIBYTE, size=MEBIBYTE),), "has room until"),
        ((partition(1, start=MEBIBYTE + 1, size=MEBIBYTE),), "not whole sectors"),
        ((TWO[0], partition(1, start=3 * MEBIBYTE, size=SECTOR)), "must be unique"),
        ((partition(1, start=MEBIBYTE, size=SECTOR, label="x" * 37),), "longer than 36"),
    ],
)
def test_write_refuses_wrong_partitions(partitions: tuple[Partition, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        written(partitions)


def test_label_of_cuts_between_characters() -> None:
    assert gpt.label_of("a" * 40) == "a" * 36
    assert gpt.label_of("a" * 35 + "\N{GRINNING FACE}") == "a" * 35


sizes = st.lists(st.integers(1, 4000), max_size=20)


@settings(max_examples=40, deadline=None)
@given(sizes, st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=17))
def test_round_trip(sectors: list[int], label: str) -> None:
    start, partitions = 34 * SECTOR, []
    for number, count in enumerate(sectors, start=1):
        partitions.append(partition(number, start=start, size=count * SECTOR, label=label))
        start += count * SECTOR
    size = start + gpt.LAST_BYTES
    assert gpt.read(written(tuple(partitions), size=size)).partitions == tuple(partitions)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8))
def test_read_damaged_table_never_fails_otherwise(changes: list[tuple[int, int]]) -> None:
    disk = written()
    for position, value in changes:
        for base in (SECTOR, SIZE - SECTOR):
            disk.seek(base + position % SECTOR)
            disk.write(bytes([value]))
    try:
        assert gpt.read(disk).partitions == TWO
    except InputError as error:
        assert "no intact GPT" in error.message


NEW = ("jeos_1.1", "0f0e0d0c-0b0a-4908-8706-050403020100")


class CutError(Exception):
    """The power fails."""


class Failing(io.FileIO):
    """A disk whose power fails after so many bytes have been written to it."""

    left: int = 0

    def write(self, data: "Buffer", /) -> int:
        taken = bytes(data)[: self.left]
        self.left -= len(taken)
        done = super().write(taken)
        if self.left <= 0:
            raise CutError
        return int(done)


def renamed() -> tuple[Partition, ...]:
    return (TWO[0], replace(TWO[1], label=NEW[0], uuid=NEW[1]))


def saved(tmp_path: Path, *, size: int = SIZE) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(written().getvalue())
    os.truncate(path, size)
    return path


def test_rename_changes_both_copies_and_nothing_else(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with path.open("r+b") as disk:
        gpt.rename(disk, {2: NEW})
    whole = bytearray(path.read_bytes())
    expected = io.BytesIO()
    gpt.write(expected, renamed(), size=SIZE, disk_uuid=DISK_UUID)
    assert whole == expected.getvalue()


def test_rename_cut_at_any_byte_leaves_a_table_with_old_or_new_names(tmp_path: Path) -> None:
    path = saved(tmp_path)
    before = path.read_bytes()
    outcomes = []
    for left in (*range(1, 600, 41), *range(16300, 17600, 53), *range(33200, 33900, 41)):
        path.write_bytes(before)
        with Failing(path, "r+") as disk:
            disk.left = left
            with contextlib.suppress(CutError):
                gpt.rename(disk, {2: NEW})
        with path.open("rb") as disk:
            outcomes.append(gpt.read(disk).partitions)
    assert set(outcomes) == {TWO, renamed()}
    assert outcomes == sorted(outcomes, key=[TWO, renamed()].index), "the old names came back"


def test_rename_with_a_torn_first_copy_mends_it_before_it_touches_the_other(tmp_path: Path) -> None:
    path = saved(tmp_path)
    for left in (None, 1, 3000, 16390, 16384 + 512 + 100):
        path.write_bytes(written().getvalue())
        with path.open("r+b") as disk:
            disk.seek(2 * SECTOR + 40)
            disk.write(b"\xff")
        with Failing(path, "r+") as failing:
            failing.left = left or 1 << 20
            try:
                gpt.rename(failing, {2: NEW})
            except CutError:
                assert left is not None
        with path.open("rb") as disk:
            assert gpt.read(disk).partitions in (TWO, renamed())


def test_rename_on_a_disk_that_grew_puts_the_backup_at_its_end(tmp_path: Path) -> None:
    path = saved(tmp_path, size=SIZE + MEBIBYTE)
    with path.open("r+b") as disk:
        gpt.rename(disk, {2: NEW})
        disk.seek(2 * SECTOR)
        disk.write(bytes(SECTOR))
        disk.flush()
        assert gpt.read(disk).partitions == renamed()
    if shutil.which("sgdisk", path="/usr/sbin:/usr/bin"):
        with path.open("r+b") as disk:
            gpt.rename(disk, {1: ("esp", TWO[0].uuid)})
        said = subprocess.run([find_program("sgdisk"), "--verify", path], capture_output=True, text=True, check=True)
        assert "No problems found" in said.stdout


@pytest.mark.parametrize(
    ("changes", "message"), [({3: NEW}, "no partition 3"), ({2: ("x" * 37, NEW[1])}, "too long"), ({0: NEW}, "no part")]
)
def test_rename_refuses_what_cannot_be(tmp_path: Path, changes: dict[int, tuple[str, str]], message: str) -> None:
    path = saved(tmp_path)
    with path.open("r+b") as disk, pytest.raises(InputError, match=message):
        gpt.rename(disk, changes)
    assert path.read_bytes() == written().getvalue()
