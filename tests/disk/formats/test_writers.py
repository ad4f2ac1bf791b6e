"""What holds of every writer: QEMU and jeos read the disk back, whatever it is."""

import io
import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foreign_disks import MIB, as_raw, assert_reads, content
from jeos.core.errors import UsageError
from jeos.core.run import run
from jeos.disk.blocks import Blocks, File, Memory
from jeos.disk.formats import (
    open_disk,
    qcow2_write,
    raw_write,
    vdi_write,
    vhd,
    vhd_write,
    vhdx_write,
    vmdk_write,
)
from jeos.disk.formats.ordered import Effort
from jeos.disk.formats.qcow2_write import Compression

Write = Callable[[Blocks, BinaryIO], None]
SAMPLE = content(70 * MIB)
QEMU_NAMES = {"vhd": "vpc"}
CHECKED = ("qcow2", "vdi", "vmdk", "vhdx")  # formats that qemu-img check knows


def compressed(compression: Compression) -> list[tuple[str, str, Write]]:
    return [
        (f"qcow2, {compression}, {effort}", "qcow2", partial(qcow2_write.write, compression=compression, effort=effort))
        for effort in Effort
    ]


WRITERS: list[tuple[str, str, Write]] = [
    ("raw", "raw", raw_write.write),
    ("qcow2", "qcow2", qcow2_write.write),
    *compressed(Compression.ZSTD),
    *compressed(Compression.DEFLATE),
    ("vdi", "vdi", vdi_write.write),
    ("vhd", "vhd", vhd_write.write),
    ("vhd, fixed", "vhd", partial(vhd_write.write, fixed=True)),
    ("vhdx", "vhdx", vhdx_write.write),
    ("vmdk", "vmdk", partial(vmdk_write.write, effort=Effort.FAST)),
]
GROWS_TO = {"vmdk": 65536, "vhd": MIB}  # bytes that a disk in the format is a multiple of


@pytest.fixture(params=WRITERS, ids=[name for name, *_ in WRITERS])
def writer(request: pytest.FixtureRequest) -> tuple[str, Write]:
    _, format, write = request.param
    return format, write


def written(write: Write, disk: bytes, path: Path) -> Path:
    with path.open("w+b") as file:
        write(Memory(disk), file)
    return path


def test_disk_is_read_back_by_qemu_and_by_jeos(tmp_path: Path, writer: tuple[str, Write]) -> None:
    format, write = writer
    path = written(write, SAMPLE, tmp_path / "disk")
    assert as_raw(path, format=QEMU_NAMES.get(format, format)) == SAMPLE
    if format in CHECKED:
        run(["qemu-img", "check", "-f", format, path])
    with open_disk(path) as disk:
        assert disk.format == format
        assert_reads(disk, SAMPLE)


def test_noise_is_read_back(tmp_path: Path, writer: tuple[str, Write]) -> None:
    """Clusters that do not pack, among some that do."""
    format, write = writer
    noise = content(3 * MIB, seed=4) + random.Random(5).randbytes(100_000).ljust(MIB, b"x") * 3
    path = written(write, noise, tmp_path / "disk")
    assert as_raw(path, format=QEMU_NAMES.get(format, format)) == noise
    if format in CHECKED:
        run(["qemu-img", "check", "-f", format, path])


def test_holes_of_the_disk_take_no_room(tmp_path: Path, writer: tuple[str, Write]) -> None:
    write = writer[1]
    disk = bytes(50 * MIB) + SAMPLE[:MIB] + bytes(50 * MIB)
    path = written(write, disk, tmp_path / "disk")
    assert path.stat().st_blocks * 512 < 7 * MIB
    with open_disk(path) as opened:
        assert opened.read(50 * MIB, MIB) == SAMPLE[:MIB]
        assert sum(end - start for start, end in opened.data(0, opened.size)) <= 2 * MIB


def test_empty_disk_is_written(tmp_path: Path, writer: tuple[str, Write]) -> None:
    format, write = writer
    path = written(write, bytes(2 * MIB), tmp_path / "disk")
    assert as_raw(path, format=QEMU_NAMES.get(format, format)) == bytes(2 * MIB)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 80), st.binary(min_size=1, max_size=9)), max_size=20), st.integers(1, 6000))
def test_any_disk_comes_back(writes: list[tuple[int, bytes]], sectors: int) -> None:
    disk = bytearray(sectors * 512)
    for at, what in writes:
        at = at * 37_000 % len(disk)
        disk[at : at + len(what)] = what[: len(disk) - at]
    for name, format, write in WRITERS:
        with tempfile.TemporaryFile() as file:
            write(Memory(bytes(disk)), file)
            file.seek(0)
            content = file.read()
        unit = GROWS_TO.get(format, 512)
        with open_disk(Memory(content), format=format) as opened:
            assert opened.size == -(-len(disk) // unit) * unit, name
            assert opened.read(0, len(disk)) == disk, name
            assert not any(opened.read(len(disk), opened.size - len(disk))), name


class Huge:
    """A disk without data that is larger than any format takes."""

    size = 1 << 60

    def read(self, offset: int, length: int) -> bytes:
        return bytes(length)

    def data(self, start: int, end: int) -> list[tuple[int, int]]:
        return []


@pytest.mark.parametrize("write", [qcow2_write.write, vdi_write.write, vhd_write.write, vhdx_write.write])
def test_disk_that_is_too_large_is_refused(write: Write) -> None:
    with pytest.raises(UsageError):
        write(Huge(), io.BytesIO())  # type: ignore[arg-type]


def test_fixed_vhd_is_what_azure_takes(tmp_path: Path) -> None:
    disk = SAMPLE[: 3 * MIB + 5 * 512]
    path = written(partial(vhd_write.write, fixed=True), disk, tmp_path / "disk.vhd")
    assert path.stat().st_size == 4 * MIB + 512
    content = path.read_bytes()
    assert content[:-512] == disk.ljust(4 * MIB, b"\0")
    assert content[-512:-504] == b"conectix"
    assert int.from_bytes(content[-512 + 48 : -512 + 56], "big") == 4 * MIB


@pytest.mark.parametrize("mebibytes", [1, 3, 100, 700, 2560, 100_000, 2_000_000])
def test_geometry_is_what_qemu_computes(tmp_path: Path, mebibytes: int) -> None:
    """QEMU rounds a disk up to whole cylinders; of that size, both have the same geometry."""
    run(["qemu-img", "create", "-q", "-f", "vpc", tmp_path / "disk", f"{mebibytes}M"])
    with (tmp_path / "disk").open("rb") as file:
        fields = vhd.FOOTER.unpack_from(file.read(512))
    assert vhd_write.geometry(fields[9] // 512) == fields[10:13]


def test_large_vhdx_skips_the_entries_of_bits(tmp_path: Path) -> None:
    base = tmp_path / "raw"
    with base.open("wb") as file:
        for at in (0, (4 << 30) + 5 * MIB, (9 << 30) - 1):
            file.seek(at)
            file.write(b"x")
    with File(base) as source, (tmp_path / "disk").open("w+b") as target:
        vhdx_write.write(source, target)
    run(["qemu-img", "check", "-f", "vhdx", tmp_path / "disk"])
    run(["qemu-img", "compare", "-f", "raw", "-F", "vhdx", base, tmp_path / "disk"])
