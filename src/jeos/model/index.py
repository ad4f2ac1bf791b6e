"""An index: what a file is made of, as a list of chunks that a store holds.

A file is cut at multiples of the chunk length, counted from its start; only the last chunk may be shorter. Chunks
of nothing but zeros are not kept: the index counts them. The encoding is canonical: one index, one string of bytes,
so that an index can itself be an object of the store, named by its digest.

    offset  length  content (integers little-endian)
    0       8       "jeosidx1"
    8       8       size of the file, bytes (below 2^63)
    16      4       chunk length, bytes: a power of two from 4,096 to 16,777,216
    20      …       runs: an unsigned LEB128 number of the fewest bytes that hold it, (chunks << 1 | kind);
                    kind 0: zeros. kind 1: 32 bytes follow for each chunk, the SHA-256 of its bytes.
                    Kinds alternate, no run is empty, and the runs together cover the file exactly.
"""

import itertools
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jeos.core.errors import InputError

CHUNK_LENGTH = 64 << 10  # bytes; docs/adr/0002 says why
SMALLEST_CHUNK = 4 << 10  # a page: nothing smaller is written to a disk
LARGEST_CHUNK = 16 << 20  # what a reader must be ready to hold in memory, several times
LARGEST_FILE = (1 << 63) - 1  # off_t
DIGEST_SIZE = 32  # bytes of a SHA-256

_MAGIC = b"jeosidx1"
_HEADER = struct.Struct("<8sQI")
_VARINT_BYTES = 9  # LEB128 of a number below 2^63


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file: `length` bytes at `offset`, with their SHA-256, or None where they are all zero."""

    offset: int
    length: int
    digest: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring chunks of one kind: `digests` holds 32 bytes for each, or nothing if they are zeros."""

    count: int
    digests: bytes = b""


@dataclass(frozen=True, slots=True)
class ChunkIndex:
    """What a file of `size` bytes is made of, in chunks of `chunk_length` bytes.

    Raises InputError if the runs are not in canonical form or do not cover the file exactly.
    """

    size: int
    chunk_length: int
    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        _check_lengths(self.size, self.chunk_length)
        for run in self.runs:
            if run.count < 1 or len(run.digests) not in (0, run.count * DIGEST_SIZE):
                raise _wrong(f"a run of {run.count} chunks has {len(run.digests)} bytes of digests")
        for first, second in itertools.pairwise(self.runs):
            if bool(first.digests) == bool(second.digests):
                raise _wrong("two neighbouring runs are of one kind")
        if sum(run.count for run in self.runs) != self.count:
            raise _wrong(f"the runs do not cover {self.size} bytes")

    @property
    def count(self) -> int:
        """Return the number of chunks, zeros included."""
        return -(-self.size // self.chunk_length)

    def chunks(self) -> Iterator[Chunk]:
        """Yield every chunk in the order of the file, zeros included (there may be very many)."""
        offset = 0
        for run in self.runs:
            for number in range(run.count):
                length = min(self.chunk_length, self.size - offset)
                packed = run.digests[number * DIGEST_SIZE : (number + 1) * DIGEST_SIZE]
                yield Chunk(offset=offset, length=length, digest=packed.hex() or None)
                offset += length

    def data_chunks(self) -> Iterator[Chunk]:
        """Yield the chunks that are not zeros, in the order of the file, in time that zeros do not add to."""
        start = 0
        for run in self.runs:
            for number in range(len(run.digests) // DIGEST_SIZE):
                offset = (start + number) * self.chunk_length
                packed = run.digests[number * DIGEST_SIZE : (number + 1) * DIGEST_SIZE]
                yield Chunk(offset=offset, length=min(self.chunk_length, self.size - offset), digest=packed.hex())
            start += run.count

    def digests(self) -> set[str]:
        """Return the digests of all chunks that a store must have for this file."""
        return {chunk.digest for chunk in self.data_chunks() if chunk.digest}

    def to_bytes(self) -> bytes:
        """Return the canonical encoding."""
        parts = [_HEADER.pack(_MAGIC, self.size, self.chunk_length)]
        for run in self.runs:
            parts += (_varint(run.count << 1 | bool(run.digests)), run.digests)
        return b"".join(parts)


def from_digests(digests: Iterable[tuple[str | None, int]], *, size: int, chunk_length: int) -> ChunkIndex:
    """Return the index of a file from pairs of a chunk's digest (None: zeros) and how often it follows.

    Raises InputError if they do not cover `size` bytes exactly.
    """
    runs: list[Run] = []
    for _, group in itertools.groupby(digests, key=lambda pair: pair[0] is None):
        count, packed = 0, bytearray()
        for digest, times in group:
            count += times
            packed += bytes.fromhex(digest or "") * times
        runs.append(Run(count=count, digests=bytes(packed)))
    return ChunkIndex(size=size, chunk_length=chunk_length, runs=tuple(runs))


def from_bytes(data: bytes) -> ChunkIndex:
    """Read an index in its canonical encoding; raises InputError for anything else.

    Takes time and memory in proportion to `data`, whatever it claims.
    """
    if len(data) < _HEADER.size or not data.startswith(_MAGIC):
        raise _wrong("it does not start like one")
    _, size, chunk_length = _HEADER.unpack_from(data)
    _check_lengths(size, chunk_length)
    runs: list[Run] = []
    position = _HEADER.size
    while position < len(data):
        number, position = _read_varint(data, position)
        count, kind = number >> 1, number & 1
        if runs and bool(runs[-1].digests) == bool(kind):  # now, or a byte of input could cost a hundred of memory
            raise _wrong("two neighbouring runs are of one kind")
        end = position + count * DIGEST_SIZE * kind
        if end > len(data):
            raise _wrong(f"it ends within a run of {count} chunks")
        runs.append(Run(count=count, digests=data[position:end]))
        position = end
    return ChunkIndex(size=size, chunk_length=chunk_length, runs=tuple(runs))


def _check_lengths(size: int, chunk_length: int) -> None:
    if not 0 <= size <= LARGEST_FILE:
        raise _wrong(f"a file cannot have {size} bytes")
    if not SMALLEST_CHUNK <= chunk_length <= LARGEST_CHUNK or chunk_length & (chunk_length - 1):
        raise _wrong(f"chunks cannot be {chunk_length} bytes long")


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    number = 0
    for index, byte in enumerate(data[position : position + _VARINT_BYTES]):
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if byte == 0 and index:
                raise _wrong("a number has more bytes than it needs")
            return number, position + index + 1
    raise _wrong("a number has no end")


def _wrong(reason: str) -> InputError:
    return InputError(
        f"this is not an index of chunks: {reason}", hint="it is damaged, or not an index: fetch it again"
    )
