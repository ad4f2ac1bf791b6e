"""streamOptimized VMDK as jeos writes it: read by QEMU and by jeos, as VMware's note wants it."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foreign_disks import MIB, as_raw, assert_reads, content
from jeos.core.run import run
from jeos.disk.blocks import Memory
from jeos.disk.formats import open_disk, vmdk_write
from jeos.disk.formats.ordered import Effort

SAMPLE = content(70 * MIB)


def written(disk: bytes, *, effort: Effort = Effort.USUAL) -> bytes:
    file = io.BytesIO()
    vmdk_write.write(Memory(disk), file, effort=effort)
    return file.getvalue()


@pytest.mark.parametrize("effort", Effort)
def test_vmdk_is_read_back_by_qemu_and_by_jeos(tmp_path: Path, effort: Effort) -> None:
    path = tmp_path / "disk.vmdk"
    path.write_bytes(written(SAMPLE, effort=effort))
    assert as_raw(path, format="vmdk") == SAMPLE
    run(["qemu-img", "check", "-f", "vmdk", path])
    with open_disk(path) as disk:
        assert_reads(disk, SAMPLE)


def test_disk_of_odd_size_grows_to_whole_grains(tmp_path: Path) -> None:
    odd = SAMPLE[: 3 * MIB + 512]
    path = tmp_path / "disk.vmdk"
    path.write_bytes(written(odd))
    grown = odd.ljust(3 * MIB + vmdk_write.GRAIN, b"\0")
    assert as_raw(path, format="vmdk") == grown
    with open_disk(path) as disk:
        assert_reads(disk, grown)


def test_disk_without_data_has_no_tables() -> None:
    empty = written(bytes(100 * MIB))
    assert len(empty) == (vmdk_write.DATA_AT + 1 + 1 + 2 + 1) * 512
    with open_disk(Memory(empty)) as disk:
        assert list(disk.data(0, disk.size)) == []
        assert disk.size == 100 * MIB


def test_stream_is_as_vmwares_note_has_it() -> None:
    """Walk through the markers as a reader does that cannot seek, knowing nothing of tables."""
    disk = SAMPLE[:MIB] + bytes(60 * MIB) + SAMPLE[:MIB]
    stream = written(disk)
    assert stream[:8] == b"KDMV\x03\0\0\0"
    at, shown, kinds = struct.unpack_from("<Q", stream, 64)[0] * 512, bytearray(len(disk)), []
    while True:
        value, size, kind = struct.unpack_from("<QII", stream, at)
        if size:
            grain = zlib.decompress(stream[at + 12 : at + 12 + size])
            assert len(grain) == 65536
            shown[value * 512 : value * 512 + 65536] = grain
            at += -(-(12 + size) // 512) * 512
            continue
        kinds.append(kind)
        if kind == 0:
            break
        at += 512 + value * 512
    assert bytes(shown) == disk
    assert kinds == [1, 1, 2, 3, 0]
    assert at == len(stream) - 512
    footer = stream[-1024:-512]
    assert footer[:56] == stream[:56]
    assert footer[64:] == stream[64:512]


class Forward(io.RawIOBase):
    """A file that can only be written, from front to back."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.content += data
        return len(data)


def test_file_is_only_written_to() -> None:
    file = Forward()
    vmdk_write.write(Memory(SAMPLE), file, effort=Effort.FAST)  # type: ignore[arg-type]
    assert bytes(file.content) == written(SAMPLE, effort=Effort.FAST)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 80), st.binary(min_size=1, max_size=9)), max_size=20), st.integers(1, 6000))
def test_any_disk_comes_back(writes: list[tuple[int, bytes]], sectors: int) -> None:
    disk = bytearray(sectors * 512)
    for at, what in writes:
        at = at * 37_000 % len(disk)
        disk[at : at + len(what)] = what[: len(disk) - at]
    with open_disk(Memory(written(bytes(disk), effort=Effort.FAST))) as opened:
        assert opened.read(0, len(disk)) == disk
        assert not any(opened.read(len(disk), opened.size - len(disk)))
