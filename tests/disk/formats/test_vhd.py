"""VHD disks: fixed, dynamic and differencing, and damaged."""

import struct
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foreign_disks import (
    MIB,
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
from jeos.disk.blocks import Memory
from jeos.disk.formats import open_disk, vhd

SAMPLE = content()
FORCED = ("-o", "force_size=on")
BLOCK = 65536  # of the differencing disks below, whose bitmap takes one sector


@pytest.mark.parametrize("kind", ["dynamic", "fixed"])
def test_vhd_is_read_as_qemu_img_does(tmp_path: Path, kind: str) -> None:
    raw = write_raw(tmp_path / "raw", SAMPLE)
    path = convert(raw, tmp_path / "disk.vhd", "-o", f"subformat={kind},force_size=on", format="vpc")
    with open_disk(path) as disk:
        assert disk.format == "vhd"
        assert_reads(disk, SAMPLE)
        ours, theirs = list(disk.data(0, disk.size)), data_ranges(path, format="vpc")
        if kind == "fixed":
            assert ours == theirs
        else:  # QEMU calls blocks data as a whole; we say where the host has holes in them
            assert all(any(first <= start and end <= last for first, last in theirs) for start, end in ours)


def test_vhd_of_a_size_in_cylinders_is_read(tmp_path: Path) -> None:
    path = convert(write_raw(tmp_path / "raw", SAMPLE), tmp_path / "disk.vhd", format="vpc")
    with open_disk(path) as disk:
        assert disk.size > len(SAMPLE)
        assert disk.read(0, len(SAMPLE)) == SAMPLE
        assert disk.read(len(SAMPLE), disk.size - len(SAMPLE)) == bytes(disk.size - len(SAMPLE))


def test_damaged_footer_is_made_up_for_by_its_copy(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", SAMPLE)
    disk = convert(raw, tmp_path / "disk.vhd", *FORCED, format="vpc").read_bytes()
    with open_disk(Memory(flipped(disk, [(-100, b"x")]))) as opened:
        assert opened.read(0, MIB) == SAMPLE[:MIB]
    with pytest.raises(InputError) as caught:
        open_disk(Memory(flipped(disk, [(-100, b"x"), (100, b"x")])))
    assert caught.value.message == "the disk: its footer is missing, or has a wrong checksum"


def sealed(record: bytes, *, at: int) -> bytes:
    """Return a footer or header with its checksum."""
    return record[:at] + struct.pack(">I", vhd.checksum(record, at=at)) + record[at + 4 :]


def differencing(
    disk: bytes, sectors: list[bool], *, parent: UUID, names: dict[bytes, bytes], plain: str = ""
) -> bytes:
    """Return a VHD that has some sectors of a disk, over a parent that is named by locators."""
    count = len(disk) // BLOCK
    footer = vhd.FOOTER.pack(
        b"conectix", 2, 0x10000, 512, 0, b"test", 0x10000, b"Wi2k", len(disk), len(disk), 100, 4, 17, 4, 0, b"D" * 16, 0
    )
    footer = sealed(footer.ljust(512, b"\0"), at=64)
    table_at, names_at = 2048, 2048 + -(-count * 4 // 512) * 512
    header = vhd.DYNAMIC.pack(
        b"cxsparse", (1 << 64) - 1, table_at, 0x10000, count, BLOCK, 0, parent.bytes, 0, 0
    ) + plain.encode("utf-16-be").ljust(512, b"\0")
    texts = b""
    for kind, name in names.items():
        header += struct.pack(">4sIIIQ", kind, 512, len(name), 0, names_at + len(texts))
        texts += name.ljust(512, b"\0")
    header = sealed(header.ljust(1024, b"\0"), at=36)
    blocks, table = b"", b""
    for number in range(count):
        bits = sectors[number * BLOCK // 512 : (number + 1) * BLOCK // 512]
        if any(bits):
            table += struct.pack(">I", (names_at + len(texts) + len(blocks)) // 512)
            packed = int("".join("01"[bit] for bit in bits), 2).to_bytes(len(bits) // 8, "big")
            blocks += packed.ljust(512, b"\0")
            blocks += disk[number * BLOCK : (number + 1) * BLOCK]
        else:
            table += b"\xff" * 4
    return (footer + header).ljust(2048, b"\0") + table.ljust(names_at - table_at, b"\0") + texts + blocks + footer


def family(folder: Path) -> tuple[bytes, UUID]:
    """Write a parent, and return its content and UUID."""
    raw = write_raw(folder / "raw", SAMPLE[: 4 * MIB])
    path = convert(raw, folder / "base.vhd", *FORCED, format="vpc")
    with path.open("rb") as file:
        uuid = UUID(bytes=file.read(512)[68:84])
    return SAMPLE[: 4 * MIB], uuid


@pytest.mark.parametrize(
    ("names", "plain"),
    [
        ({b"W2ru": ".\\base.vhd".encode("utf-16-le")}, ""),
        ({b"W2ku": "C:\\VMs\\base.vhd".encode("utf-16-le")}, "base.vhd"),
        ({b"W2ku": "C:\\VMs\\base.vhd".encode("utf-16-le")}, ""),
        ({b"MacX": b"file://localhost/vms/base.vhd"}, ""),
    ],
    ids=["relative", "plain", "absolute", "mac"],
)
def test_differencing_vhd_is_read_over_its_parent(tmp_path: Path, names: dict[bytes, bytes], plain: str) -> None:
    below, uuid = family(tmp_path)
    above = content(4 * MIB, seed=2)
    sectors = [number % 7 in (0, 1) or 100 < number < 300 for number in range(len(above) // 512)]
    sectors[2048:4096] = [False] * 2048
    (tmp_path / "top.vhd").write_bytes(differencing(above, sectors, parent=uuid, names=names, plain=plain))
    expected = b"".join(
        (above if sector else below)[number * 512 : number * 512 + 512] for number, sector in enumerate(sectors)
    )
    with open_disk(tmp_path / "top.vhd") as disk:
        assert_reads(disk, expected)


def test_differencing_vhd_is_read_as_libvhdi_does(tmp_path: Path) -> None:
    """It reads whole blocks as the specification says, and parts of them as if all sectors were there."""
    below, uuid = family(tmp_path)
    above = content(4 * MIB, seed=2)
    sectors = [bool(number // (BLOCK // 512) % 3) for number in range(len(above) // 512)]
    names = {b"W2ru": "base.vhd".encode("utf-16-le")}
    (tmp_path / "top.vhd").write_bytes(differencing(above, sectors, parent=uuid, names=names))
    expected = read_by_libvhdi(tmp_path / "top.vhd", tmp_path / "base.vhd")
    assert expected not in (above, below)
    with open_disk(tmp_path / "top.vhd") as disk:
        assert_reads(disk, expected)


def test_differencing_vhd_over_another_disk_is_refused(tmp_path: Path) -> None:
    family(tmp_path)
    names = {b"W2ru": "base.vhd".encode("utf-16-le")}
    top = differencing(bytes(4 * MIB), [True] * 8192, parent=UUID(int=5), names=names)
    (tmp_path / "top.vhd").write_bytes(top)
    with pytest.raises(InputError) as caught:
        open_disk(tmp_path / "top.vhd")
    assert caught.value.hint == "put the right parent beside it"
    with pytest.raises(InputError) as caught:
        open_disk(Memory(top))
    assert caught.value.hint == "give the disk as a file in its folder"


def test_blocks_that_are_used_twice_end_in_an_error(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", SAMPLE[:MIB] + bytes(95 * MIB))
    disk = convert(raw, tmp_path / "disk", *FORCED, format="vpc").read_bytes()
    (table,) = struct.unpack_from(">Q", disk, 512 + 16)
    looped = flipped(disk, [(table, disk[table : table + 4] * 48)])
    with pytest.raises(InputError) as caught:
        open_disk(Memory(looped))
    assert caught.value.message == "the disk: its tables use the same bytes more than once"


HOSTILE = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 1600), st.integers(-512, -1)),
        st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 8, bytes(8)])),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def small_disks(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("small")
    raw = write_raw(folder / "raw", content(3 * MIB))
    kinds = ("dynamic", "fixed")
    made = [convert(raw, folder / kind, "-o", f"subformat={kind},force_size=on", format="vpc") for kind in kinds]
    names = {b"W2ru": "base.vhd".encode("utf-16-le")}
    top = differencing(content(3 * MIB), [True, False] * 3072, parent=UUID(int=0), names=names)
    return [*(path.read_bytes() for path in made), top]


@settings(max_examples=200, deadline=None)
@given(st.data(), HOSTILE, st.booleans())
def test_damaged_vhd_ends_in_an_error(
    small_disks: list[bytes], data: st.DataObject, changes: list[tuple[int, bytes]], seals: bool
) -> None:
    disk = data.draw(st.sampled_from(small_disks))
    damaged = flipped(disk, changes)[: data.draw(st.one_of(st.just(len(disk)), st.integers(1, len(disk))))]
    if seals and len(damaged) > 2048:  # get past the checksums
        header = sealed(damaged[512:1536], at=36)
        damaged = sealed(damaged[:512], at=64) + header + damaged[1536:-512] + sealed(damaged[-512:], at=64)
    assert_survives(lambda: read_hostile(damaged, format="vhd"))
