"""A downloaded patch: its head, and its streams as they are wanted. Nothing in it is believed."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

from jeos.disk import byte_sums
from jeos.disk import zstd_library as zstd
from jeos.model import container, numbers, sparse
from jeos.model.container import Container, Stream, wrong
from jeos.model.patch import BATCH_BYTES

MOST_TABLE = 32 << 20  # bytes of a stream that is held in memory as a whole
PIECE_BYTES = 256 << 10  # of a content, made at once
NUMBER_BYTES = 1 << 10  # that are unpacked at once: where all are below 128 that takes no time
_STREAMS = 7  # of a group of differences

ReadOld = Callable[[int, int], bytes]  # offset, length


class PatchFile:
    """An open patch."""

    def __init__(self, descriptor: int) -> None:
        """Read the head. Raises InputError if it is none."""
        self._descriptor = descriptor
        self.container: Container = container.load(
            container.PATCH,
            length=os.fstat(descriptor).st_size,
            read=lambda offset, length: os.pread(descriptor, length, offset),
            unpack=lambda packed, size: zstd.decompress(packed, size=size),
        )

    def table(self, number: object, *, prefix: bytes = b"", most: int = MOST_TABLE) -> bytes:
        """Return a whole stream, packed behind `prefix`. Raises InputError if it is damaged or longer than `most`."""
        stream = self.container.stream(number)
        if stream.size > most or stream.length > most:
            raise wrong(f"a stream has {max(stream.size, stream.length)} bytes")
        packed = os.pread(self._descriptor, stream.length, stream.offset)
        return zstd.decompress(packed, size=stream.size, prefix=prefix)

    @contextmanager
    def reader(self, number: object) -> Iterator[zstd.Reader]:
        """Open a stream to be read from its start on."""
        stream = self.container.stream(number)
        reader = zstd.Reader(_reading(self._descriptor, stream), size=stream.size)
        try:
            yield reader
        finally:
            reader.close()

    @contextmanager
    def differences(self, streams: object) -> Iterator["Differences"]:
        """Open the streams of differences."""
        if not isinstance(streams, list) or len(streams) != _STREAMS:
            raise wrong("a group of differences does not have seven streams")
        opened = [
            zstd.Reader(_reading(self._descriptor, one), size=one.size) for one in map(self.container.stream, streams)
        ]
        try:
            yield Differences(opened)
        finally:
            for reader in opened:
                reader.close()

    def batch(self, stream: object, *, before: bytes, size: int) -> bytes:
        """Return the contents of a batch behind their predecessors. Raises InputError if they are too much at once."""
        if len(before) + size > BATCH_BYTES:
            raise wrong(f"a batch has {len(before) + size} bytes")
        data = self.table(stream, prefix=before, most=BATCH_BYTES)
        if len(data) != size:
            raise wrong(f"a batch has {len(data)} bytes instead of {size}")
        return data


def _reading(descriptor: int, stream: Stream) -> Callable[[int], bytes]:
    position, end = stream.offset, stream.offset + stream.length

    def read(length: int) -> bytes:
        nonlocal position
        data = os.pread(descriptor, min(length, end - position), position)
        position += len(data)
        return data

    return read


def _numbers(reader: zstd.Reader) -> Iterator[int]:
    """Yield the numbers of a stream; few are in memory at once."""
    return chain.from_iterable(_some_numbers(reader))


def _some_numbers(reader: zstd.Reader) -> Iterator[list[int]]:
    rest = b""
    while reader.left:
        data = rest + reader.read(min(reader.left, NUMBER_BYTES))
        end = len(data)
        while end and data[end - 1] & 0x80:
            end -= 1
        rest = data[end:]
        if len(rest) > numbers.MOST_BITS:
            raise wrong("a number has too many bytes")
        yield numbers.unpack(data[:end])
    if rest:
        raise wrong("a number is cut off")


class Differences:
    """Steps that are applied one after the other, to one content after the other."""

    def __init__(self, readers: list[zstd.Reader]) -> None:
        self._copies, self._inserts, self._seeks, gaps, lengths = (_numbers(reader) for reader in readers[:5])
        others, self._extra = readers[5:]
        self._sums = sparse.Decoder(gaps, lengths, others.read)

    def apply(self, read_old: ReadOld, *, size: int) -> Iterator[bytes]:
        """Yield the next content, of `size` bytes. Raises InputError if the steps do not make just that."""
        left, place = size, 0
        old: list[bytes] = []  # what is copied next, and what is inserted behind each part of it
        behind: list[tuple[int, int]] = []
        used = inserted = 0
        while left:
            copy, insert, seek = self._step()
            if copy + insert > left:
                raise wrong("a step makes more than its content has")
            left -= copy + insert
            for start in range(0, copy, PIECE_BYTES):
                part = min(PIECE_BYTES, copy - start)
                old.append(read_old(place + start, part))
                behind.append((part, 0))
                used += part
                if used + inserted >= PIECE_BYTES:
                    yield from self._make(old, behind, used)
                    old, behind, used, inserted = [], [], 0, 0
            for start in range(0, insert, PIECE_BYTES):
                part = min(PIECE_BYTES, insert - start)
                behind.append((0, part))
                inserted += part
                if used + inserted >= PIECE_BYTES:
                    yield from self._make(old, behind, used)
                    old, behind, used, inserted = [], [], 0, 0
            place += copy + seek
            if place < 0:
                raise wrong("a step seeks before the start")
        yield from self._make(old, behind, used)

    def _step(self) -> tuple[int, int, int]:
        try:
            return next(self._copies), next(self._inserts), numbers.unfold(next(self._seeks))
        except StopIteration:
            raise wrong("it has too few steps") from None

    def _make(self, old: list[bytes], behind: list[tuple[int, int]], used: int) -> Iterator[bytes]:
        """Add and insert for some steps at once: one addition of many bytes costs far less than many of few."""
        summed = byte_sums.add(b"".join(old), self._sums.read(used))
        extra = self._extra.read(sum(insert for _, insert in behind))
        parts = []
        at = at_extra = 0
        for copy, insert in behind:
            if copy:
                parts.append(summed[at : at + copy])
                at += copy
            if insert:
                parts.append(extra[at_extra : at_extra + insert])
                at_extra += insert
        if parts:
            yield b"".join(parts)
