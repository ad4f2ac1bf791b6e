"""Points and segments as bytes: round trips, and documents that contradict themselves."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.model import snapshot
from jeos.model.snapshot import (
    CHANGES,
    CHUNK,
    ID,
    PER_SEGMENT,
    SEGMENT,
    WHOLE,
    ZEROS,
    Consistency,
    Manifest,
    Point,
    PointDisk,
    Segment,
    parse_point,
    parse_segment,
    point_text,
    segment_bytes,
)

NAME = "web01/2026-11-28T20-15-03Z-9c1f"
ids = st.binary(min_size=ID, max_size=ID)
named = ids.filter(lambda found: found != ZEROS)


@st.composite
def disks(draw: st.DrawFn) -> PointDisk:
    segments = tuple(draw(st.lists(st.one_of(st.just(b""), named), max_size=6)))
    short = draw(st.integers(0, SEGMENT - 1)) if segments else 0
    return PointDisk(
        name=draw(st.text(max_size=5)),
        format=draw(st.sampled_from(["raw", "qcow2"])),
        manifest=Manifest(size=len(segments) * SEGMENT - short, segments=segments),
        data=draw(st.integers(0, 1 << 40)),
        bitmap=draw(st.text(max_size=5)),
    )


@st.composite
def made_points(draw: st.DrawFn) -> Point:
    return Point(
        name=NAME,
        number=draw(st.integers(0, 1000)),
        taken="2026-11-28T20:15:03Z",
        consistency=draw(st.sampled_from(list(Consistency))),
        disks=tuple(draw(st.lists(disks(), min_size=1, max_size=3))),
        parent=draw(st.text(max_size=8)),
        read=draw(st.integers(0, 1 << 40)),
        new=draw(st.integers(0, 1 << 40)),
        machine=draw(st.text(max_size=8)),
        nvram=draw(st.one_of(st.just(b""), ids)),
        notes=tuple(draw(st.lists(st.text(max_size=4), max_size=2))),
    )


@given(made_points())
def test_point_comes_back(point: Point) -> None:
    document = point_text(point)
    assert parse_point(document, name=NAME) == point
    assert point_text(parse_point(document, name=NAME)) == document


def test_point_of_a_sparse_disk_is_small() -> None:
    size = 2 << 40
    point = Point(NAME, 1, "2026-11-28T20:15:03Z", Consistency.STOPPED, (disk_of(Manifest.empty(size)),))
    assert len(point_text(point)) < 400
    assert parse_point(point_text(point), name=NAME).size == size


def disk_of(manifest: Manifest) -> PointDisk:
    return PointDisk(name="vda", format="raw", manifest=manifest, data=0)


def good() -> dict[str, object]:
    manifest = Manifest(size=3 * SEGMENT, segments=(b"\1" * ID, b"", b""))
    found: dict[str, object] = json.loads(
        point_text(Point(NAME, 1, "2026-11-28T20:15:03Z", Consistency.CRASH, (disk_of(manifest),)))
    )
    return found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "jeos-point-2"),
        (("name",), "web01/../../etc/passwd"),
        (("name",), "other/2026-11-28T20-15-03Z-9c1f"),
        (("number",), -1),
        (("number",), True),
        (("taken",), "yesterday"),
        (("consistency",), "hope"),
        (("consistency",), ["crash"]),
        (("disks",), []),
        (("disks",), [3] * 2),
        (("disks",), {}),
        (("nvram",), "00"),
        (("notes",), [1]),
        (("disks", 0, "size"), 1 << 62),
        (("disks", 0, "size"), 4 * SEGMENT),
        (("disks", 0, "size"), "3"),
        (("disks", 0, "segments"), [1 << 40]),
        (("disks", 0, "segments"), [3, 0]),
        (("disks", 0, "segments"), ["zz"]),
        (("disks", 0, "segments"), ["00" * ID, 2]),
        (("disks", 0, "segments"), [None, 2]),
        (("disks", 0, "name"), "\ud800"),
    ],
)
def test_point_that_contradicts_itself_is_refused(path: tuple[str | int, ...], value: object) -> None:
    fields = good()
    place: object = fields
    for part in path[:-1]:
        place = place[part]  # type: ignore[index]
    place[path[-1]] = value  # type: ignore[index]
    with pytest.raises(InputError):
        parse_point(json.dumps(fields).encode(), name=NAME)


@given(st.binary(max_size=300))
def test_point_of_any_bytes_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        parse_point(data, name=NAME)


def whole(fill: int) -> Segment:
    return Segment(ids=bytes([fill]) * (ID * PER_SEGMENT))


@settings(max_examples=30)
@given(st.dictionaries(st.integers(0, PER_SEGMENT - 1), ids, min_size=1, max_size=snapshot.MOST_CHANGES))
def test_segment_with_a_base_comes_back(changed: dict[int, bytes]) -> None:
    base = whole(7)
    after = bytearray(base.ids)
    for number, chunk_id in changed.items():
        after[number * ID : (number + 1) * ID] = chunk_id
    segment = Segment(ids=bytes(after), base=b"\5" * ID)
    stored = segment_bytes(segment, base=base)
    count = len(snapshot.changes(segment.ids, base.ids))
    assert len(stored) == len(CHANGES) + ID + count * (2 + ID)
    if count:
        assert snapshot.base_of(stored) == b"\5" * ID
        assert parse_segment(stored, base=base) == segment


def test_segment_without_a_base_comes_back() -> None:
    assert parse_segment(segment_bytes(whole(9))) == whole(9)


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        WHOLE,
        WHOLE + bytes(ID * PER_SEGMENT - 1),
        WHOLE + bytes(ID * PER_SEGMENT + 1),
        CHANGES + b"\5" * (ID - 1),
        CHANGES + ZEROS,
        CHANGES + b"\5" * ID,
        CHANGES + b"\5" * ID + b"\0\1" + b"\1" * (ID - 1),
        CHANGES + b"\5" * ID + b"\0\1" + b"\7" * ID,  # what the base has anyway
        CHANGES + b"\5" * ID + b"\4\0" + b"\1" * ID,  # chunk 1,024
        CHANGES + b"\5" * ID + (b"\0\2" + b"\1" * ID) * 2,
        CHANGES + b"\5" * ID + b"".join(n.to_bytes(2, "big") + b"\1" * ID for n in range(snapshot.MOST_CHANGES + 1)),
    ],
)
def test_segment_that_is_damaged_is_refused(stored: bytes) -> None:
    with pytest.raises(InputError):
        parse_segment(stored, base=whole(7) if snapshot_base(stored) else None)


def snapshot_base(stored: bytes) -> bytes:
    try:
        return snapshot.base_of(stored)
    except InputError:
        return b""


def test_segment_whose_base_has_a_base_is_refused() -> None:
    stored = CHANGES + b"\5" * ID + b"\0\1" + b"\1" * ID
    with pytest.raises(InputError):
        parse_segment(stored, base=Segment(ids=whole(7).ids, base=b"\6" * ID))


def test_chunks_fill_segments_evenly() -> None:
    assert SEGMENT == CHUNK * PER_SEGMENT == 64 << 20
