"""Growing a physical and one logical volume on their description alone; LVM itself looks at it in `test_resize`."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.disk.blocks import Memory
from jeos.disk.volumes import layout, lvm_area, lvm_grow, lvm_text
from jeos.disk.volumes.lvm_text import Section

MIB = 1 << 20
GROUP = """\
vg {
id = "g"
seqno = 4
status = ["RESIZEABLE", "READ", "WRITE"]
extent_size = 2048
physical_volumes {
pv0 { id = "ididid-idid-idid-idid-idid-idid-ididid" device = "/dev/\\"x\\"" status = ["ALLOCATABLE"] dev_size = 8192
pe_start = 2048 pe_count = 3 }
}
logical_volumes {
root { id = "r" status = ["READ", "WRITE", "VISIBLE"] segment_count = 1
segment1 { start_extent = 0 extent_count = 2 type = "striped" stripe_count = 1 stripes = ["pv0", 0] } }
swap { id = "s" status = ["READ", "WRITE", "VISIBLE"] segment_count = 1
segment1 { start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = ["pv0", 2] } }
}
}
contents = "Text Format Volume Group"
version = 1
description = "made by hand"
"""


def physical_volume(text: str, *, size: int = 4 * MIB, area: int = MIB - 4096, at: int = 512) -> bytearray:
    """Return a physical volume as lvm2 lays it out, with its text at an offset of its area."""
    disk = bytearray(size)
    content = text.encode() + b"\0"
    header = bytearray(512)
    struct.pack_into("<I16sIQQ", header, 0, 0, b" LVM2 x[5A%r0N*>", 1, 4096, area)
    struct.pack_into("<QQII", header, 40, at, len(content), lvm_area.checksum_of(content), 0)
    struct.pack_into("<I", header, 0, lvm_area.checksum_of(bytes(header[4:])))
    disk[4096:4608] = header
    ahead = min(len(content), area - at)
    disk[4096 + at : 4096 + at + ahead] = content[:ahead]
    disk[4608 : 4608 + len(content) - ahead] = content[ahead:]
    sector = bytearray(512)
    struct.pack_into("<8sQII8s", sector, 0, b"LABELONE", 1, 0, 32, b"LVM2 001")
    sector[32:64] = b"id" * 16
    struct.pack_into("<QQQQQQQQQ", sector, 64, size, MIB, 0, 0, 0, 4096, area, 0, 0)
    struct.pack_into("<I", sector, 16, lvm_area.checksum_of(bytes(sector[20:])))
    disk[512:1024] = sector
    return disk


def grown(disk: bytearray, *, size: int, volume: str = "vg/root") -> bytearray:
    """Return a disk that has grown, with the patches for it."""
    larger = disk + bytes(size - len(disk))
    for patch in lvm_grow.plan(Memory(bytes(larger)), volume=volume):
        larger[patch.offset : patch.offset + len(patch.content)] = patch.content
    return larger


def described(disk: bytearray) -> Section:
    text = lvm_area.read(Memory(bytes(disk)), start=4096).text
    assert text is not None
    return text


def sizes(disk: bytearray) -> dict[str, int]:
    found = layout.read([Memory(bytes(disk))])
    assert found.notes == ()
    return {one.name: one.blocks.size for one in found.volumes}


def test_volume_that_ends_last_grows_in_place() -> None:
    before = physical_volume(GROUP)
    after = grown(before, size=10 * MIB, volume="vg/swap")
    assert sizes(after) == {"sda": 10 * MIB, "vg/root": 2 * MIB, "vg/swap": 7 * MIB}
    expected = lvm_text.parse(
        GROUP.replace("extent_count = 1", "extent_count = 7")
        .replace("seqno = 4", "seqno = 5")
        .replace("dev_size = 8192", "dev_size = 20480")
        .replace("pe_count = 3", "pe_count = 9")
        .replace("made by hand", "grown by jeos convert")
    )
    assert described(after) == expected
    assert after[MIB : 4 * MIB] == before[MIB:]
    label = lvm_area.label(Memory(bytes(after)))
    assert label is not None and struct.unpack_from("<Q", label.sector, 64) == (10 * MIB,)


def test_volume_before_others_gets_another_part() -> None:
    after = grown(physical_volume(GROUP), size=10 * MIB)
    found = {one.name: one for one in layout.read([Memory(bytes(after))]).volumes}
    assert [(piece.start, piece.size) for piece in found["vg/root"].pieces] == [
        (MIB, 2 * MIB),
        (4 * MIB, 6 * MIB),
    ]
    assert sizes(after)["vg/swap"] == MIB
    again = grown(after, size=20 * MIB)  # the second part is the last one now
    assert [(piece.start, piece.size) for piece in layout.read([Memory(bytes(again))]).volumes[1].pieces] == [
        (MIB, 2 * MIB),
        (4 * MIB, 16 * MIB),
    ]


def test_old_description_is_there_until_the_new_one_counts() -> None:
    """Whatever stops the writing between two patches, one of the two states is read."""
    before = physical_volume(GROUP)
    larger = before + bytes(6 * MIB)
    for patch in lvm_grow.plan(Memory(bytes(larger)), volume="vg/root"):
        assert sizes(larger)["vg/root"] in (2 * MIB, 8 * MIB)
        larger[patch.offset : patch.offset + len(patch.content)] = patch.content
    assert sizes(larger)["vg/root"] == 8 * MIB


def test_no_room_for_an_extent_is_no_change() -> None:
    larger = physical_volume(GROUP) + bytes(MIB - 512)
    assert lvm_grow.plan(Memory(bytes(larger)), volume="vg/root") == ()


@given(at=st.integers(1, 14).map(lambda number: number * 512), area=st.integers(5, 15).map(lambda number: number * 512))
def test_descriptions_go_round_their_area(at: int, area: int) -> None:
    """Wherever the text was, and though it went around the end, the next one is read, or there is no room for it."""
    length = len(GROUP) + 1
    if at >= area or length > area - 512 or (at + length > area and 512 + at + length - area > at):
        return
    before = physical_volume(GROUP, area=area, at=at)
    assert sizes(before)["vg/root"] == 2 * MIB
    try:
        after = grown(before, size=10 * MIB)
    except InputError as error:
        assert "no room for another description" in error.message and area < 2 * 512 + 2 * length + 1024
        return
    assert sizes(after)["vg/root"] == 8 * MIB


CHANGES: dict[str, tuple[Callable[[str], str], str]] = {
    "two": (lambda text: text.replace("pv0 {", 'pv1 { id = "x" }\npv0 {', 1), "its group lies on 2 physical volumes"),
    "exported": (
        lambda text: text.replace('"RESIZEABLE"', '"RESIZEABLE", "EXPORTED"'),
        "its group is exported, or shared with other hosts",
    ),
    "shared": (lambda text: text.replace("seqno", 'lock_type = "sanlock"\nseqno'), "shared with other hosts"),
    "fixed": (lambda text: text.replace('"RESIZEABLE", ', ""), "its group does not allow that"),
    "full": (lambda text: text.replace('["ALLOCATABLE"]', "[]"), "its group does not allow that"),
    "locked": (lambda text: text.replace('"VISIBLE"', '"VISIBLE", "LOCKED"', 1), "the volume root is locked"),
    "snapshot": (lambda text: text.replace("extent_count = 1", 'origin = "root" extent_count = 1'), "has snapshots"),
    "mirror": (lambda text: text.replace("stripe_count = 1", "stripe_count = 2"), "the volume is not linear"),
    "segments": (lambda text: text.replace("segment_count = 1", "segment_count = 2"), "1 segments"),
    "words": (lambda text: text.replace("pe_count = 3", 'pe_count = "3"'), "pe_count is '3'"),
    "missing": (lambda text: text.replace("root {", "home {"), "there is no volume root"),
    "another": (lambda text: text.replace("vg {", "other {"), "the group vg is not described on it"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_lvm_itself_must_do_is_refused(name: str) -> None:
    change, said = CHANGES[name]
    larger = physical_volume(change(GROUP)) + bytes(6 * MIB)
    with pytest.raises(InputError, match=said):
        lvm_grow.plan(Memory(bytes(larger)), volume="vg/root")


def test_no_physical_volume_is_refused() -> None:
    with pytest.raises(InputError, match="there is no physical volume"):
        lvm_grow.plan(Memory(bytes(MIB)), volume="vg/root")


VALUES = st.recursive(
    st.integers(-(1 << 63), 1 << 63) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    lambda inner: (
        st.lists(st.integers(0, 9) | st.text('ab\\"\n ', max_size=5), max_size=4)
        | st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True), VALUES, max_size=5))
def test_text_that_is_written_is_read_as_the_same(section: Section) -> None:
    try:
        text = lvm_text.render(section)
        assert lvm_text.parse(text) == section
    except InputError as error:  # deeper than any description is
        assert "sections within" in error.message
