"""VMDK disks: of all kinds that qemu-img makes, in chains, and damaged."""

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foreign_disks import (
    MIB,
    as_raw,
    assert_reads,
    assert_survives,
    content,
    convert,
    data_ranges,
    flipped,
    read_hostile,
    write_raw,
)
from jeos.core.errors import InputError
from jeos.core.run import run
from jeos.disk.blocks import Memory, Window
from jeos.disk.formats import open_disk

SAMPLE = content()
KINDS = ("monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized")
GRAIN = 65536
GD_OFFSET = 56  # where a header says where the directory is


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", ["", ",zeroed_grain=on"])
def test_vmdk_is_read_as_qemu_img_does(tmp_path: Path, kind: str, more: str) -> None:
    if more and kind.endswith("Flat"):
        pytest.skip("flat disks have no grains")
    raw = write_raw(tmp_path / "raw", SAMPLE)
    path = convert(raw, tmp_path / "disk.vmdk", "-o", f"subformat={kind}{more}", format="vmdk")
    with open_disk(path) as disk:
        assert disk.format == "vmdk"
        assert_reads(disk, SAMPLE)
        if kind == "streamOptimized":  # qemu-img calls all of it data
            ranges = [range(at, at + GRAIN) for at in range(0, len(SAMPLE), GRAIN) if any(SAMPLE[at : at + GRAIN])]
            assert sum(end - start for start, end in disk.data(0, disk.size)) == sum(map(len, ranges))
        else:
            assert list(disk.data(0, disk.size)) == data_ranges(path, format="vmdk")


@pytest.mark.parametrize("kind", ["twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
def test_disk_in_several_files_is_read(tmp_path: Path, kind: str) -> None:
    size = 5 << 30
    path = tmp_path / "disk.vmdk"
    run(["qemu-img", "create", "-q", "-f", "vmdk", "-o", f"subformat={kind}", path, str(size)])
    places = {0: b"start", (2 << 30) - 3: b"across", size - 3: b"end"}
    writes = [f"write -P {number + 1} {at - at % 512} 1024" for number, at in enumerate(places) if at < size - 512]
    run(["qemu-io", "-f", "vmdk", *(word for write in writes for word in ("-c", write)), path])
    with open_disk(path) as disk:
        assert disk.size == size
        assert disk.read(0, 1024) == b"\x01" * 1024
        assert disk.read((2 << 30) - 600, 1200) == bytes(88) + b"\x02" * 1024 + bytes(88)
        assert sum(end - start for start, end in disk.data(0, size)) <= 3 * GRAIN


def test_stream_inside_of_another_file_is_read_in_place(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", SAMPLE)
    path = convert(raw, tmp_path / "disk.vmdk", "-o", "subformat=streamOptimized", format="vmdk")
    archive = b"x" * 1536 + path.read_bytes() + b"y" * 4096
    with open_disk(Window(Memory(archive), start=1536, size=path.stat().st_size)) as disk:
        assert_reads(disk, SAMPLE)


def test_directory_at_the_end_is_found(tmp_path: Path) -> None:
    """As writers do that stream; qemu-img itself writes its place into the first header, and no second one."""
    raw = write_raw(tmp_path / "raw", SAMPLE)
    disk = convert(raw, tmp_path / "disk.vmdk", "-o", "subformat=streamOptimized", format="vmdk").read_bytes()
    marker, end = struct.pack("<QII", 1, 0, 3).ljust(512, b"\0"), bytes(512)
    streamed = flipped(disk, [(GD_OFFSET, b"\xff" * 8)]) + marker + disk[:512] + end
    (tmp_path / "streamed.vmdk").write_bytes(streamed)
    assert as_raw(tmp_path / "streamed.vmdk", format="vmdk") == SAMPLE
    with open_disk(tmp_path / "streamed.vmdk") as opened:
        assert_reads(opened, SAMPLE)


def snapshot(folder: Path, *, kind: str = "monolithicSparse") -> Path:
    """Make a disk, and one over it that has a little."""
    base = convert(write_raw(folder / "raw", SAMPLE), folder / "base.vmdk", "-o", f"subformat={kind}", format="vmdk")
    top = folder / "top.vmdk"
    run(["qemu-img", "create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", base.name, top])
    run(["qemu-io", "-f", "vmdk", "-c", "write -P 7 1M 100k", "-c", "write -z 2M 3M", top])
    return top


@pytest.mark.parametrize("kind", ["monolithicSparse", "streamOptimized", "twoGbMaxExtentSparse"])
def test_snapshot_is_read_through(tmp_path: Path, kind: str) -> None:
    top = snapshot(tmp_path, kind=kind)
    with open_disk(top) as disk:
        assert_reads(disk, as_raw(top, format="vmdk"))


def test_snapshot_of_another_disk_is_refused(tmp_path: Path) -> None:
    top = snapshot(tmp_path)
    base = tmp_path / "base.vmdk"
    base.write_bytes(re.sub(rb"\nCID=[0-9a-f]{8}", b"\nCID=12345678", base.read_bytes(), count=1))
    with pytest.raises(InputError) as caught:
        open_disk(top)
    assert caught.value.message.endswith("; it has 12345678 now")


def test_snapshot_over_itself_is_refused(tmp_path: Path) -> None:
    top = snapshot(tmp_path)
    top.write_bytes(top.read_bytes().replace(b'Hint="base.vmdk"', b'Hint="top.vmdk"\n'))
    with pytest.raises(InputError) as caught:
        open_disk(top)
    assert caught.value.message == "top.vmdk lies over top.vmdk, which lies over it"


def test_part_of_a_disk_is_refused(tmp_path: Path) -> None:
    run(["qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", tmp_path / "a.vmdk", "3G"])
    with pytest.raises(InputError) as caught:
        open_disk(tmp_path / "a-s001.vmdk")
    assert caught.value.hint == "name the small .vmdk file that lists the parts"
    (tmp_path / "a-s002.vmdk").unlink()
    with pytest.raises(InputError) as caught:
        open_disk(tmp_path / "a.vmdk")
    assert caught.value.hint == "copy all files of the disk into one folder"


def esx_sparse(disk: bytes) -> bytes:
    """Return a disk as ESX's older snapshots are kept ("COWD"), with grains of one sector."""
    tables, grains = [], b""
    tables_at = 4 + 1
    per_table = 4096
    count = -(-len(disk) // 512 // per_table)
    data_at = tables_at + count * per_table * 4 // 512
    for table in range(count):
        entries = []
        for number in range(table * per_table, (table + 1) * per_table):
            sector = disk[number * 512 : (number + 1) * 512]
            entries.append(data_at + len(grains) // 512 if any(sector) else 0)
            grains += sector if any(sector) else b""
        tables.append(struct.pack(f"<{per_table}I", *entries))
    header = struct.pack("<4sIIIIII", b"COWD", 1, 3, len(disk) // 512, 1, 4, count).ljust(4 * 512, b"\0")
    directory = struct.pack(f"<{count}I", *(tables_at + n * per_table * 4 // 512 for n in range(count)))
    return header + directory.ljust(512, b"\0") + b"".join(tables) + grains


def test_esx_snapshot_is_read(tmp_path: Path) -> None:
    disk = content(3 * MIB)[:MIB] + bytes(MIB) + content(3 * MIB)[:MIB]
    (tmp_path / "a-delta.vmdk").write_bytes(esx_sparse(disk))
    (tmp_path / "a.vmdk").write_text(
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
        f'createType="vmfsSparse"\n\nRW {len(disk) // 512} VMFSSPARSE "a-delta.vmdk"\n'
    )
    theirs = as_raw(tmp_path / "a.vmdk", format="vmdk")  # QEMU 7.2 shows such a disk as longer than it says it is
    assert theirs[: len(disk)] == disk
    with open_disk(tmp_path / "a.vmdk") as opened:
        assert_reads(opened, disk)


def test_flat_extent_of_vmfs_is_read_at_its_offset(tmp_path: Path) -> None:
    write_raw(tmp_path / "a-flat.vmdk", bytes(5 * 512) + SAMPLE)
    (tmp_path / "a.vmdk").write_text(
        '# Disk DescriptorFile\r\nversion=1\r\nCID=1\r\nparentCID=ffffffff\r\ncreateType="vmfs"\r\n'
        f'RW {len(SAMPLE) // 512} VMFS "a-flat.vmdk" 5\r\nRW 100 ZERO\r\n'
    )
    with open_disk(tmp_path / "a.vmdk") as opened:
        assert_reads(opened, SAMPLE + bytes(51200))


def test_extent_outside_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_raw(tmp_path / "secret", SAMPLE)
    for name in ("../secret", str(tmp_path / "secret"), "..\\secret", "/etc/passwd"):
        (tmp_path / "in/a.vmdk").write_text(f'# Disk DescriptorFile\nCID=1\nRW 1 FLAT "{name}" 0\n')
        with pytest.raises(InputError):
            open_disk(tmp_path / "in/a.vmdk")


@pytest.mark.parametrize(
    ("at", "what", "message"),
    [
        (GD_OFFSET, b"\x00\x00\x00\x00\x00\xff\x00\x00", "does not reach"),
        (12, b"\xff" * 8, "it claims to have"),
        (20, b"\x00" * 8, "grains of 0 bytes"),
        (44, b"\xff" * 4, "tables of 4294967295 entries"),
        (73, b"\r\n", "transferred as text"),
    ],
    ids=["directory", "size", "grain", "table", "text"],
)
def test_wrong_header_is_refused(tmp_path: Path, at: int, what: bytes, message: str) -> None:
    disk = convert(write_raw(tmp_path / "raw", SAMPLE), tmp_path / "disk", format="vmdk").read_bytes()
    with pytest.raises(InputError, match=message):
        open_disk(Memory(flipped(disk, [(at, what)])))


def test_grain_tables_that_loop_are_refused(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", SAMPLE[:MIB] + bytes(99 * MIB))
    disk = convert(raw, tmp_path / "disk", format="vmdk").read_bytes()
    directory = struct.unpack_from("<Q", disk, GD_OFFSET)[0] * 512
    looped = flipped(disk, [(directory, disk[directory : directory + 4] * 4)])
    with pytest.raises(InputError) as caught:
        open_disk(Memory(looped))
    assert caught.value.message == "the disk: its directory names one table twice"
    table = struct.unpack_from("<I", disk, directory)[0] * 512
    looped = flipped(disk, [(table, disk[table : table + 4] * 512)])
    with open_disk(Memory(looped)) as opened, pytest.raises(InputError) as caught:
        list(opened.data(0, opened.size))
    assert caught.value.message == "the disk: its tables use the same bytes more than once"


HOSTILE = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 96), st.integers(512, 2048), st.integers(20 * 512, 40 * 512), st.integers(-4096, -1)),
        st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 8, bytes(8), b"\x01\0\0\0" * 2])),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def small_disks(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("small")
    raw = write_raw(folder / "raw", content(3 * MIB))
    return [
        convert(raw, folder / kind, "-o", f"subformat={kind}", format="vmdk").read_bytes()
        for kind in ("monolithicSparse", "streamOptimized")
    ]


@settings(max_examples=200, deadline=None)
@given(st.data(), HOSTILE)
def test_damaged_vmdk_ends_in_an_error(
    small_disks: list[bytes], data: st.DataObject, changes: list[tuple[int, bytes]]
) -> None:
    disk = data.draw(st.sampled_from(small_disks))
    cut = data.draw(st.one_of(st.just(len(disk)), st.integers(1, len(disk))))
    damaged = flipped(disk, changes)[:cut]
    assert_survives(lambda: read_hostile(damaged, format="vmdk"))
