"""The index of chunks: canonical, and unmoved by hostile input."""

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.model.index import CHUNK_LENGTH, Chunk, ChunkIndex, Run, from_bytes, from_digests

A, B = hashlib.sha256(b"a").digest(), hashlib.sha256(b"b").digest()
HEADER = struct.Struct("<8sQI")


def header(size: int, chunk_length: int = 4096, *, magic: bytes = b"jeosidx1") -> bytes:
    return HEADER.pack(magic, size, chunk_length)


@st.composite
def indexes(draw: st.DrawFn) -> ChunkIndex:
    chunk_length = draw(st.sampled_from([4096, 65536, 1 << 24]))
    kinds = draw(st.lists(st.none() | st.sampled_from([A.hex(), B.hex()]), max_size=12))
    pairs = [(kind, draw(st.integers(1, 5) if kind else st.integers(1, 1 << 30))) for kind in kinds]
    count = sum(times for _, times in pairs)
    size = count * chunk_length - (draw(st.integers(0, chunk_length - 1)) if count else 0)
    return from_digests(pairs, size=size, chunk_length=chunk_length)


@settings(max_examples=100, deadline=None)
@given(indexes())
def test_round_trip(index: ChunkIndex) -> None:
    assert from_bytes(index.to_bytes()) == index


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda rest: header(3 * 4096) + rest))
def test_parser_takes_only_what_the_writer_writes(data: bytes) -> None:
    try:
        index = from_bytes(data)
    except InputError:
        return
    assert index.to_bytes() == data


@settings(max_examples=100, deadline=None)
@given(indexes(), st.data())
def test_changed_bytes_are_refused_or_mean_something_else(index: ChunkIndex, data: st.DataObject) -> None:
    encoded = bytearray(index.to_bytes())
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        changed = from_bytes(bytes(encoded))
    except InputError:
        return
    assert changed != index
    assert changed.to_bytes() == bytes(encoded)


def test_encoding_of_a_known_file() -> None:
    index = from_digests([(None, 200), (A.hex(), 1), (B.hex(), 1)], size=201 * 4096 + 10, chunk_length=4096)
    # 200 << 1 = 400 = 0b11_0010000: two bytes; 2 << 1 | 1 = 5.
    assert index.to_bytes() == header(201 * 4096 + 10) + b"\x90\x03" + b"\x05" + A + B
    assert index.count == 202
    assert list(index.data_chunks()) == [
        Chunk(offset=200 * 4096, length=4096, digest=A.hex()),
        Chunk(offset=201 * 4096, length=10, digest=B.hex()),
    ]
    assert list(index.chunks())[199:] == [
        Chunk(offset=199 * 4096, length=4096, digest=None),
        *index.data_chunks(),
    ]
    assert index.digests() == {A.hex(), B.hex()}


def test_empty_file() -> None:
    index = from_digests([], size=0, chunk_length=CHUNK_LENGTH)
    assert index == ChunkIndex(size=0, chunk_length=CHUNK_LENGTH, runs=())
    assert from_bytes(header(0, CHUNK_LENGTH)) == index
    assert list(index.chunks()) == []


def test_huge_hole_costs_nothing() -> None:
    index = from_bytes(header((1 << 63) - 1) + b"\x80\x80\x80\x80\x80\x80\x80\x08")
    assert index.runs == (Run(count=1 << 51),)
    assert list(index.data_chunks()) == []
    assert index.digests() == set()


REFUSED = {
    "nothing": (b"", "it does not start like one"),
    "short header": (header(0)[:-1], "it does not start like one"),
    "another format": (header(0, magic=b"jeosidx2"), "it does not start like one"),
    "too large": (header(1 << 63), f"a file cannot have {1 << 63} bytes"),
    "chunk length of zero": (header(0, 0), "chunks cannot be 0 bytes long"),
    "chunk length that is no power": (header(0, 12288), "chunks cannot be 12288 bytes long"),
    "chunks that are too short": (header(0, 2048), "chunks cannot be 2048 bytes long"),
    "chunks that are too long": (header(0, 1 << 25), f"chunks cannot be {1 << 25} bytes long"),
    "too little": (header(4097) + b"\x02", "the runs do not cover 4097 bytes"),
    "too much": (header(4096) + b"\x04", "the runs do not cover 4096 bytes"),
    "something after an empty file": (header(0) + b"\x02", "the runs do not cover 0 bytes"),
    "cut within a digest": (header(4096) + b"\x03" + A[:-1], "it ends within a run of 1 chunks"),
    "far more digests than bytes": (
        header(1 << 62) + b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        f"it ends within a run of {(1 << 62) - 1} chunks",
    ),
    "number without an end": (header(4096) + b"\x82", "a number has no end"),
    "number that is too long": (header(4096) + b"\x80" * 9 + b"\x01", "a number has no end"),
    "number with a byte too many": (header(4096) + b"\x82\x00", "a number has more bytes than it needs"),
    "empty run": (header(4096) + b"\x00", "a run of 0 chunks has 0 bytes of digests"),
    "two runs of zeros": (header(8192) + b"\x02\x02", "two neighbouring runs are of one kind"),
    "two runs of data": (header(8192) + b"\x03" + A + b"\x03" + B, "two neighbouring runs are of one kind"),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        from_bytes(data)
    assert caught.value.message == f"this is not an index of chunks: {reason}"


def test_value_refuses_digests_of_another_length() -> None:
    with pytest.raises(InputError):
        ChunkIndex(size=4096, chunk_length=4096, runs=(Run(count=1, digests=A[:-1]),))
