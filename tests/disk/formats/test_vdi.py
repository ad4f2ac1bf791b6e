"""VDI disks: dynamic, fixed and differencing, and damaged."""

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
    read_hostile,
    write_raw,
)
from jeos.core.errors import InputError
from jeos.disk.blocks import Memory
from jeos.disk.formats import open_disk, vdi

SAMPLE = content()
KIND_AT, UUID_AT, PARENT_AT, TABLE_AT = 76, 392, 424, 512


@pytest.mark.parametrize("static", ["on", "off"])
def test_vdi_is_read_as_qemu_img_does(tmp_path: Path, static: str) -> None:
    raw = write_raw(tmp_path / "raw", SAMPLE)
    path = convert(raw, tmp_path / "disk.vdi", "-o", f"static={static}", format="vdi")
    with open_disk(path) as disk:
        assert disk.format == "vdi"
        assert_reads(disk, SAMPLE)
        ours, theirs = list(disk.data(0, disk.size)), data_ranges(path, format="vdi")
        assert all(any(first <= start and end <= last for first, last in theirs) for start, end in ours)


def differencing(folder: Path) -> bytes:
    """Write a parent, and a disk over it that has every third block, with one cleared; return what it shows."""
    above, below = content(seed=2), SAMPLE
    convert(write_raw(folder / "raw", below), folder / "base.vdi", format="vdi")
    top = bytearray(
        convert(write_raw(folder / "raw2", above), folder / "top.vdi", "-S", "0", format="vdi").read_bytes()
    )
    count = len(SAMPLE) // MIB
    shown = bytearray(below)
    for number in range(count):
        place = TABLE_AT + 4 * number
        if number == 1:
            top[place : place + 4] = b"\xfe\xff\xff\xff"
            shown[number * MIB : (number + 1) * MIB] = bytes(MIB)
        elif number % 3:
            top[place : place + 4] = b"\xff\xff\xff\xff"
        else:
            shown[number * MIB : (number + 1) * MIB] = above[number * MIB : (number + 1) * MIB]
    top[KIND_AT] = vdi.DIFFERENCING
    top[PARENT_AT : PARENT_AT + 16] = (folder / "base.vdi").read_bytes()[UUID_AT : UUID_AT + 16]
    (folder / "top.vdi").write_bytes(top)
    return bytes(shown)


def test_differencing_vdi_is_read_over_the_parent_with_its_uuid(tmp_path: Path) -> None:
    shown = differencing(tmp_path)
    (tmp_path / "base.vdi").rename(tmp_path / "{0815}.vdi")
    with open_disk(tmp_path / "top.vdi") as disk:
        assert_reads(disk, shown)


def test_differencing_vdi_without_its_parent_is_refused(tmp_path: Path) -> None:
    differencing(tmp_path)
    uuid = UUID(bytes_le=(tmp_path / "base.vdi").read_bytes()[UUID_AT : UUID_AT + 16])
    (tmp_path / "base.vdi").unlink()
    with pytest.raises(InputError) as caught:
        open_disk(tmp_path / "top.vdi")
    assert caught.value.message == f"top.vdi lies over the disk {uuid}, which is not beside it"


def test_differencing_vdi_over_itself_is_refused(tmp_path: Path) -> None:
    differencing(tmp_path)
    top = tmp_path / "top.vdi"
    (tmp_path / "base.vdi").unlink()
    disk = top.read_bytes()
    top.write_bytes(flipped(disk, [(PARENT_AT, disk[UUID_AT : UUID_AT + 16])]))
    with pytest.raises(InputError) as caught:
        open_disk(top)
    assert caught.value.message == "top.vdi lies over top.vdi, which lies over it"


def test_blocks_that_are_used_twice_end_in_an_error(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", SAMPLE[:MIB] + bytes(95 * MIB))
    disk = convert(raw, tmp_path / "disk", format="vdi").read_bytes()
    with pytest.raises(InputError) as caught:
        open_disk(Memory(flipped(disk, [(TABLE_AT, bytes(4 * 96))])))
    assert caught.value.message == "the disk: its tables use the same bytes more than once"


HOSTILE = st.lists(
    st.tuples(
        st.one_of(st.integers(60, 80), st.integers(336, 530)),
        st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 8, bytes(8)])),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def small_disks(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("small")
    raw = write_raw(folder / "raw", content(3 * MIB))
    return [convert(raw, folder / on, "-o", f"static={on}", format="vdi").read_bytes() for on in ("on", "off")]


@settings(max_examples=150, deadline=None)
@given(st.data(), HOSTILE)
def test_damaged_vdi_ends_in_an_error(
    small_disks: list[bytes], data: st.DataObject, changes: list[tuple[int, bytes]]
) -> None:
    disk = data.draw(st.sampled_from(small_disks))
    damaged = flipped(disk, changes)[: data.draw(st.one_of(st.just(len(disk)), st.integers(1, len(disk))))]
    assert_survives(lambda: read_hostile(damaged, format="vdi"))
