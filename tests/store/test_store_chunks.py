"""From a file to chunks and back: whole, sparse, and the same chunks for the same blocks."""

import io
import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.model.index import CHUNK_LENGTH, ChunkIndex, Run, from_bytes, from_digests
from jeos.store import assemble as assembly
from jeos.store.assemble import assemble, write_data
from jeos.store.base import DamagedObjectError, MissingObjectError, digest_of
from jeos.store.chunker import Piece, cut, keep
from jeos.store.memory import MemoryStore

SMALL = 4096


def keep_file(path: Path, store: MemoryStore, chunk_length: int = SMALL) -> ChunkIndex:
    with path.open("rb") as file:
        return keep(file, store=store, chunk_length=chunk_length)


def naive_index(data: bytes, chunk_length: int) -> ChunkIndex:
    """Say the same in four lines, reading everything."""
    chunks = [data[offset : offset + chunk_length] for offset in range(0, len(data), chunk_length)]
    pairs = [(digest_of(chunk) if any(chunk) else None, 1) for chunk in chunks]
    return from_digests(pairs, size=len(data), chunk_length=chunk_length)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[int, list[tuple[int, bytes]]]:
    """Draw a file's size and what is written where; the rest is holes."""
    size = draw(st.integers(0, 40 * SMALL))
    writes = []
    for _ in range(draw(st.integers(0, 6))):
        offset = draw(st.integers(0, max(0, size - 1)))
        length = min(draw(st.integers(0, 5 * SMALL)), size - offset)
        fill = draw(st.sampled_from([b"\0", b"a", b"bc"]))
        writes.append((offset, (fill * length)[:length]))
    return size, writes


def write_layout(path: Path, size: int, writes: list[tuple[int, bytes]]) -> None:
    with path.open("wb") as file:
        file.truncate(size)
        for offset, data in writes:
            os.pwrite(file.fileno(), data, offset)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layout=layouts(), chunk_length=st.sampled_from([4096, 8192, 65536]))
def test_round_trip(tmp_path: Path, layout: tuple[int, list[tuple[int, bytes]]], chunk_length: int) -> None:
    source, copy, store = tmp_path / "source", tmp_path / "copy", MemoryStore()
    write_layout(source, *layout)
    index = keep_file(source, store, chunk_length)
    data = source.read_bytes()
    assert index == naive_index(data, chunk_length)
    assert index.digests() == set(store.digests())
    assemble(from_bytes(index.to_bytes()), store=store, path=copy, durable=False)
    assert copy.read_bytes() == data


def test_holes_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "disk"
    write_layout(path, 1 << 40, [((1 << 39) + 5, b"data")])
    read: list[int] = []
    real = os.pread

    def watched(descriptor: int, length: int, offset: int) -> bytes:
        read.append(length)
        return real(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", watched)
    index = keep_file(path, MemoryStore(), CHUNK_LENGTH)
    assert [run.count for run in index.runs] == [1 << 23, 1, (1 << 23) - 1]
    assert sum(read) == CHUNK_LENGTH


def test_file_system_that_tells_no_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "disk"
    write_layout(path, 20 * SMALL, [(7 * SMALL, b"data")])

    def refuse(descriptor: int, offset: int, whence: int) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "lseek", refuse)
    assert keep_file(path, MemoryStore()) == naive_index(path.read_bytes(), SMALL)


def test_cut_keeps_the_grid_where_extents_do_not(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    write_layout(path, 10 * SMALL + 1, [(5 * SMALL, b"x")])  # the extent covers half of a chunk of two pages
    with path.open("rb") as file:
        pieces = list(cut(file, size=10 * SMALL + 1, chunk_length=2 * SMALL))
    assert pieces == [
        Piece(offset=0, count=2, data=b""),
        Piece(offset=4 * SMALL, count=1, data=bytes(SMALL) + b"x" + bytes(SMALL - 1)),
        Piece(offset=6 * SMALL, count=3, data=b""),
    ]


def test_changed_block_changes_one_chunk(tmp_path: Path) -> None:
    path, store = tmp_path / "disk", MemoryStore()
    data = bytearray(random.Random(1).randbytes(30 * SMALL))
    path.write_bytes(data)
    first = keep_file(path, store)
    data[17 * SMALL + 9] ^= 1
    path.write_bytes(data)
    second = keep_file(path, store)
    changed = [old.offset for old, new in zip(first.chunks(), second.chunks(), strict=True) if old != new]
    assert changed == [17 * SMALL]
    assert len(store.objects) == 31


def test_file_that_becomes_shorter(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(b"x" * 10 * SMALL)
    with path.open("rb") as file:
        pieces = cut(file, size=10 * SMALL, chunk_length=SMALL)
        next(pieces)
        os.truncate(path, 2 * SMALL)
        with pytest.raises(InputError) as caught:
            list(pieces)
    assert caught.value.message == f"{path} became shorter than {3 * SMALL} bytes while it was read"


def test_keep_reports_a_store_that_fails(tmp_path: Path) -> None:
    class Full(MemoryStore):
        def write(self, data: bytes) -> str:
            raise OSError(28, "No space left on device")

    (tmp_path / "disk").write_bytes(b"x" * 100 * SMALL)
    with pytest.raises(OSError, match="No space"):
        keep_file(tmp_path / "disk", Full())


def test_assembled_file_has_holes(tmp_path: Path) -> None:
    source, copy, store = tmp_path / "source", tmp_path / "copy", MemoryStore()
    write_layout(source, 64 << 20, [(1 << 20, b"x" * CHUNK_LENGTH)])
    assemble(keep_file(source, store, CHUNK_LENGTH), store=store, path=copy, durable=False)
    assert copy.stat().st_size == 64 << 20
    assert copy.stat().st_blocks * 512 <= 2 * CHUNK_LENGTH
    subprocess.run(["cmp", source, copy], check=True)


@pytest.mark.parametrize("fault", ["missing", "flipped", "too long", "too short"])
def test_assemble_of_a_bad_chunk_leaves_the_old_file(tmp_path: Path, fault: str) -> None:
    source, target, store = tmp_path / "source", tmp_path / "target", MemoryStore()
    source.write_bytes(random.Random(2).randbytes(200 * SMALL))
    target.write_bytes(b"old")
    index = keep_file(source, store)
    victim = sorted(index.digests())[77]
    if fault == "missing":
        store.delete(victim)
    elif fault == "flipped":
        store.objects[victim] = bytes([store.objects[victim][0] ^ 1]) + store.objects[victim][1:]
    else:
        other = store.write(b"y" * (SMALL + 1 if fault == "too long" else SMALL - 1))
        run = index.runs[0].digests.replace(bytes.fromhex(victim), bytes.fromhex(other))
        index = ChunkIndex(size=index.size, chunk_length=SMALL, runs=(Run(count=200, digests=run),))
    with pytest.raises(MissingObjectError if fault == "missing" else DamagedObjectError):
        assemble(index, store=store, path=target)
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_write_data_leaves_the_rest_of_a_file(tmp_path: Path) -> None:
    store, path = MemoryStore(), tmp_path / "device"
    path.write_bytes(b"z" * 3 * SMALL)
    digest = store.write(b"n" * SMALL)
    index = from_digests([(None, 1), (digest, 1), (None, 1)], size=3 * SMALL, chunk_length=SMALL)
    with path.open("r+b") as file:
        write_data(index, store=store, descriptor=file.fileno())
    assert path.read_bytes() == b"z" * SMALL + b"n" * SMALL + b"z" * SMALL


def test_assemble_reads_ahead_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = most = 0

    def asked(offset: int) -> None:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)

    def written(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal waiting
        waiting -= 1
        return len(data)

    monkeypatch.setattr(os, "pwrite", written)
    store = MemoryStore()
    index = from_digests([(store.write(b"x" * (1 << 20)), 200)], size=200 << 20, chunk_length=1 << 20)
    write_data(index, store=store, descriptor=-1, progress=asked)
    assert waiting == 0
    assert most <= assembly.WINDOW_BYTES // (1 << 20)


def test_keep_needs_a_real_file() -> None:
    with pytest.raises(io.UnsupportedOperation):
        keep(io.BytesIO(b"data"), store=MemoryStore())
