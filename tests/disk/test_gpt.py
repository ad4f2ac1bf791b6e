import io
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.core.run import find_program
from jeos.disk import gpt
from jeos.model.image import MEBIBYTE, SECTOR, TYPE_ESP, TYPE_LINUX, TYPE_ROOT, Partition

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
