import io
import random
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import HostError, InputError
from jeos.disk import zstd_library
from jeos.disk.zstd_library import Reader, compress, decompress

WORDS = [random.Random(number).randbytes(9) for number in range(50)]


def text(seed: int, *, words: int = 4000) -> bytes:
    chosen = random.Random(seed)
    return b"".join(chosen.choice(WORDS) for _ in range(words))


def test_frame_is_read_by_the_wheel() -> None:
    data = text(1)
    assert zstandard.ZstdDecompressor().decompress(compress(data)) == data


def test_frame_of_the_wheel_is_read() -> None:
    data = text(1)
    assert decompress(zstandard.compress(data), size=len(data)) == data


def test_prefix_makes_what_is_in_it_cost_nothing() -> None:
    old = random.Random(1).randbytes(100_000)
    new = old[:50_000] + b"inserted" + old[50_000:]
    packed = compress(new, prefix=old)
    assert len(packed) < 200
    assert decompress(packed, size=len(new), prefix=old) == new


@pytest.mark.parametrize("size", [0, 1, 100, 35_999, 36_001, 1 << 20])
def test_frame_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(InputError):
        decompress(compress(text(1)), size=size)


def test_reader_returns_the_same_in_any_pieces() -> None:
    data = text(2, words=60_000)
    reader = Reader(io.BytesIO(compress(data)).read, size=len(data))
    pieces = []
    while reader.left:
        pieces.append(reader.read(min(reader.left, 7_777)))
    reader.close()
    assert b"".join(pieces) == data


def test_reader_refuses_a_stream_that_ends_early() -> None:
    packed = compress(text(3))
    reader = Reader(io.BytesIO(packed[:-5]).read, size=36_000)
    with pytest.raises(InputError, match="too early"):
        reader.read(36_000)
    reader.close()


def test_reader_refuses_a_larger_window_than_8_mib() -> None:
    big = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    ).compressobj()
    packed = big.compress(random.Random(4).randbytes(1 << 20)) + big.flush()
    reader = Reader(io.BytesIO(packed).read, size=1 << 20)
    with pytest.raises(InputError, match="zstd"):
        reader.read(1 << 20)
    reader.close()


@settings(max_examples=100)
@given(st.binary(max_size=300), st.integers(0, 500))
def test_hostile_bytes_raise_only_input_error(data: bytes, size: int) -> None:
    reader = Reader(io.BytesIO(data).read, size=size)
    with suppress(InputError):
        assert len(decompress(data, size=size)) == size
    with suppress(InputError):
        assert len(reader.read(size)) == size
    reader.close()


def test_missing_library_is_told() -> None:
    with pytest.raises(HostError, match="libnothing"):
        zstd_library.Library("libnothing.so.9")
