"""VHDX disks: fixed, dynamic and differencing, with a log, and damaged."""

import struct
from pathlib import Path
from uuid import UUID

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
    read_by_libvhdi,
    read_hostile,
    write_raw,
)
from jeos.core.errors import InputError
from jeos.core.run import run
from jeos.disk.blocks import Memory
from jeos.disk.formats import open_disk, vhdx_header, vhdx_log
from jeos.disk.formats.crc32c import crc32c

SAMPLE = content()
LOG_ID = UUID(int=0x1234)


def sealed(record: bytes) -> bytes:
    """Return a header, a table of regions or an entry of a log with its checksum."""
    return record[:4] + struct.pack("<I", crc32c(record[:4] + bytes(4) + record[8:])) + record[8:]


def regions(disk: bytes) -> vhdx_header.Regions:
    return vhdx_header.read_regions(Memory(disk), label="test")


def with_headers(disk: bytes, **values: object) -> bytes:
    """Return a VHDX both of whose headers have other values."""
    changes = []
    for at in vhdx_header.HEADERS_AT:
        fields = list(vhdx_header.HEADER.unpack_from(disk, at))
        for name, value in values.items():
            fields[{"sequence": 2, "data_id": 4, "log_id": 5, "log_size": 8, "log_at": 9}[name]] = value
        changes.append((at, sealed(vhdx_header.HEADER.pack(*fields).ljust(4096, b"\0"))))
    return flipped(disk, changes)


def test_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4


@pytest.mark.parametrize(
    "options", ["", "subformat=fixed", "block_size=1M", "block_size=256M", "block_state_zero=off", "log_size=8M"]
)
def test_vhdx_is_read_as_qemu_img_does(tmp_path: Path, options: str) -> None:
    raw = write_raw(tmp_path / "raw", SAMPLE)
    path = convert(raw, tmp_path / "disk.vhdx", *(("-o", options) if options else ()), format="vhdx")
    with open_disk(path) as disk:
        assert disk.format == "vhdx"
        assert_reads(disk, SAMPLE)
        ours, theirs = list(disk.data(0, disk.size)), data_ranges(path, format="vhdx")
        assert all(any(first <= start and end <= last for first, last in theirs) for start, end in ours)


def test_large_vhdx_is_read_beyond_its_first_bits(tmp_path: Path) -> None:
    """The table has an entry for bits after each 4 GiB."""
    path, size = tmp_path / "disk.vhdx", 9 << 30
    run(["qemu-img", "create", "-q", "-f", "vhdx", "-o", "block_size=32M", path, str(size)])
    writes = [(1, 5 * MIB), (2, (4 << 30) + MIB), (3, size - 4096)]
    run(["qemu-io", "-f", "vhdx", *(w for n, at in writes for w in ("-c", f"write -P {n} {at} 4096")), path])
    with open_disk(path) as disk:
        assert disk.size == size
        for number, at in writes:
            assert disk.read(at - 512, 512 + 4096) == bytes(512) + bytes([number]) * 4096


def test_one_damaged_header_is_made_up_for(tmp_path: Path) -> None:
    disk = convert(write_raw(tmp_path / "raw", SAMPLE), tmp_path / "disk.vhdx", format="vhdx").read_bytes()
    first, second = vhdx_header.HEADERS_AT
    for at in (first, second, *vhdx_header.REGIONS_AT):
        with open_disk(Memory(flipped(disk, [(at + 20, b"??")]))) as opened:
            assert opened.read(0, MIB) == SAMPLE[:MIB]
    with pytest.raises(InputError) as caught:
        open_disk(Memory(flipped(disk, [(first + 20, b"??"), (second + 20, b"??")])))
    assert caught.value.message == "the disk: neither of its two headers is valid"


def log_entry(changes: list[tuple[int, bytes]], *, file_size: int, sequence: int, tail: int) -> bytes:
    """Return an entry of a log: sectors of 4 KiB at places; b"" clears one."""
    descriptors, sectors = b"", b""
    for at, what in changes:
        if what:
            descriptors += vhdx_log.DATA.pack(b"desc", what[-4:], what[:8], at, sequence)
            high, low = struct.pack("<I", sequence >> 32), struct.pack("<I", sequence & 0xFFFFFFFF)
            sectors += b"data" + high + what[8:-4] + low
        else:
            descriptors += vhdx_log.ZERO.pack(b"zero", bytes(4), 4096, at, sequence)
    head = vhdx_log.ENTRY.pack(
        b"loge", 0, 4096 + len(sectors), tail, sequence, len(changes), 0, LOG_ID.bytes_le, file_size, file_size
    )
    return sealed((head + descriptors).ljust(4096, b"\0") + sectors)


def with_log(disk: bytes, entries: list[bytes], *, start: int) -> bytes:
    """Return a VHDX with entries in its log, from `start` on and around its end."""
    header = vhdx_header.read_header(Memory(disk), label="test")
    log = bytearray(header.log_size)
    at = start
    for entry in entries:
        for byte_at in range(0, len(entry), 4096):
            log[at : at + 4096] = entry[byte_at : byte_at + 4096]
            at = (at + 4096) % len(log)
    return with_headers(flipped(disk, [(header.log_at, bytes(log))]), log_id=LOG_ID.bytes_le)


@pytest.mark.parametrize("start", [0, 40960, MIB - 8192], ids=["start", "middle", "around"])
def test_log_is_applied(tmp_path: Path, start: int) -> None:
    disk = convert(write_raw(tmp_path / "raw", SAMPLE), tmp_path / "disk.vhdx", format="vhdx").read_bytes()
    table = regions(disk).table[0]
    good = disk[table : table + 4096]
    lost = flipped(disk, [(table, bytes(4096))])
    entries = [
        log_entry([(table, b"")], file_size=len(disk), sequence=7, tail=start),
        log_entry([(table + 8192, b""), (table, good)], file_size=len(disk), sequence=8, tail=start),
    ]
    path = tmp_path / "logged.vhdx"
    path.write_bytes(with_log(lost, entries, start=start))
    with open_disk(path) as opened:
        assert_reads(opened, SAMPLE)
    run(["qemu-img", "check", "-f", "vhdx", "-r", "all", path])  # QEMU applies a log where it may write
    assert as_raw(path, format="vhdx") == SAMPLE


def test_old_entries_of_a_log_are_passed_over(tmp_path: Path) -> None:
    disk = convert(write_raw(tmp_path / "raw", SAMPLE), tmp_path / "disk.vhdx", format="vhdx").read_bytes()
    table = regions(disk).table[0]
    good = disk[table : table + 4096]
    lost = flipped(disk, [(table, bytes(4096))])
    old = log_entry([(table, b"")], file_size=len(disk), sequence=3, tail=0)
    new = log_entry([(table, good)], file_size=len(disk), sequence=9, tail=4096)
    with open_disk(Memory(with_log(lost, [old, new], start=0))) as opened:
        assert_reads(opened, SAMPLE)


def test_log_without_a_valid_entry_is_refused(tmp_path: Path) -> None:
    disk = convert(write_raw(tmp_path / "raw", SAMPLE), tmp_path / "disk.vhdx", format="vhdx").read_bytes()
    with pytest.raises(InputError) as caught:
        open_disk(Memory(with_log(disk, [b"loge".ljust(4096, b"\0")], start=0)))
    assert caught.value.message == "the disk: its log has no valid entry"


def differencing(folder: Path, *, linkage: str = "") -> bytes:
    """Write a parent, and a disk over it that has some sectors of each block; return what it shows."""
    below, above = SAMPLE, content(seed=3)
    base = convert(write_raw(folder / "raw", below), folder / "base.vhdx", "-o", "block_size=1M", format="vhdx")
    made = convert(write_raw(folder / "raw2", above), folder / "made", "-S", "0", "-o", "block_size=1M", format="vhdx")
    disk = bytearray(made.read_bytes())
    table, metadata = regions(bytes(disk)).table[0], regions(bytes(disk)).metadata[0]
    bits, shown = bytearray(MIB), bytearray(below)
    for number in range(len(above) // MIB):
        (entry,) = struct.unpack_from("<Q", disk, table + number * 8)
        if number % 4 == 0:
            entry = entry & ~7 | 6
            shown[number * MIB : (number + 1) * MIB] = above[number * MIB : (number + 1) * MIB]
        elif number % 4 == 1:
            entry = 0
        else:
            entry = entry & ~7 | 7
            for sector in (0, 1, 9, 17, *range(256, 600), 2047):
                bits[number * 256 + sector // 8] |= 1 << sector % 8
                at = number * MIB + sector * 512
                shown[at : at + 512] = above[at : at + 512]
        struct.pack_into("<Q", disk, table + number * 8, entry)
    disk += bytes(-len(disk) % MIB)
    struct.pack_into("<Q", disk, table + 4096 * 8, len(disk) | 6)  # 4,096 blocks of 1 MiB in a chunk of 4 GiB
    disk += bits
    data_id = str(vhdx_header.read_header(Memory(base.read_bytes()), label="test").data_id)
    add_parent(disk, metadata, {"parent_linkage": "{" + (linkage or data_id) + "}", "relative_path": ".\\base.vhdx"})
    (folder / "top.vhdx").write_bytes(disk)
    return bytes(shown)


def add_parent(disk: bytearray, metadata: int, values: dict[str, str]) -> None:
    """Put a locator of a parent into the metadata of a disk."""
    entries, texts = b"", b""
    base = 20 + 12 * len(values)
    for key, value in values.items():
        raw = [key.encode("utf-16-le"), value.encode("utf-16-le")]
        places = base + len(texts), base + len(texts) + len(raw[0])
        entries += struct.pack("<IIHH", *places, len(raw[0]), len(raw[1]))
        texts += raw[0] + raw[1]
    locator = struct.pack("<16sHH", vhdx_header.VHDX_PARENT.bytes_le, 0, len(values)) + entries + texts
    (count,) = struct.unpack_from("<H", disk, metadata + 10)
    at = 512 << 10
    item = vhdx_header.ITEM.pack(vhdx_header.PARENT_LOCATOR.bytes_le, at, len(locator), 4, 0)
    disk[metadata + at : metadata + at + len(locator)] = locator
    disk[metadata + 32 + count * 32 : metadata + 64 + count * 32] = item
    struct.pack_into("<H", disk, metadata + 10, count + 1)
    for number in range(count):
        guid, place, *_ = vhdx_header.ITEM.unpack_from(disk, metadata + 32 + number * 32)
        if guid == vhdx_header.PARAMETERS.bytes_le:
            disk[metadata + place + 4] |= vhdx_header.HAS_PARENT


def test_differencing_vhdx_is_read_over_its_parent(tmp_path: Path) -> None:
    shown = differencing(tmp_path)
    assert read_by_libvhdi(tmp_path / "top.vhdx", tmp_path / "base.vhdx") == shown
    with open_disk(tmp_path / "top.vhdx") as disk:
        assert_reads(disk, shown)


def test_differencing_vhdx_over_another_disk_is_refused(tmp_path: Path) -> None:
    differencing(tmp_path, linkage="00000000-0000-0000-0000-000000000005")
    with pytest.raises(InputError) as caught:
        open_disk(tmp_path / "top.vhdx")
    assert caught.value.message.startswith(
        "top.vhdx lies over a disk with the content 00000000-0000-0000-0000-000000000005; base.vhdx has "
    )


def test_blocks_that_are_used_twice_end_in_an_error(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", SAMPLE[:MIB] + bytes(95 * MIB))
    disk = convert(raw, tmp_path / "disk", "-o", "block_size=1M", format="vhdx").read_bytes()
    table = regions(disk).table[0]
    looped = flipped(disk, [(table, disk[table : table + 8] * 96)])
    with pytest.raises(InputError) as caught:
        open_disk(Memory(looped))
    assert caught.value.message == "the disk: its tables use the same bytes more than once"


HOSTILE = st.lists(
    st.tuples(
        st.sampled_from([0, 64 << 10, 192 << 10, MIB, 2 * MIB, 3 * MIB]),
        st.integers(0, 300),
        st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 8, bytes(8)])),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def small_disks(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("small")
    raw = write_raw(folder / "raw", content(3 * MIB))
    disk = convert(raw, folder / "a", "-o", "block_size=1M", format="vhdx").read_bytes()
    table = regions(disk).table[0]
    entries = [
        log_entry([(table, disk[table : table + 4096]), (table + 4096, b"")], file_size=len(disk), sequence=1, tail=0)
    ]
    differencing(folder)
    return [disk, with_log(disk, entries, start=0), (folder / "top.vhdx").read_bytes()]


@settings(max_examples=75, deadline=None)
@given(st.data(), HOSTILE, st.booleans())
def test_damaged_vhdx_ends_in_an_error(
    small_disks: list[bytes], data: st.DataObject, changes: list[tuple[int, int, bytes]], seals: bool
) -> None:
    disk = data.draw(st.sampled_from(small_disks))
    damaged = flipped(disk, [(at + more, what) for at, more, what in changes])
    if seals:  # get past the checksums
        places = [(at, 4096) for at in vhdx_header.HEADERS_AT] + [(at, 65536) for at in vhdx_header.REGIONS_AT]
        damaged = flipped(damaged, [(at, sealed(damaged[at : at + size])) for at, size in places])
    damaged = damaged[: data.draw(st.one_of(st.just(len(disk)), st.integers(1, len(disk))))]
    assert_survives(lambda: read_hostile(damaged, format="vhdx"))
