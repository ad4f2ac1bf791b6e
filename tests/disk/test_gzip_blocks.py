"""Gzip files read at any place, as gzip itself reads them from the beginning."""

import gzip
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.disk import gzip_blocks
from jeos.disk.blocks import Memory
from jeos.disk.gzip_blocks import Gzip, is_gzip

TEXT = b"".join(random.Random(number).randbytes(700) + bytes(1400) for number in range(12_000))  # 25 MB
PACKED = gzip.compress(TEXT, 1)


@pytest.fixture(scope="module")
def packed() -> Gzip:
    return Gzip(Memory(PACKED), name="a.gz")


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(TEXT)), st.integers(0, 3 << 20))
def test_read_at_any_place_is_what_gzip_reads(packed: Gzip, offset: int, length: int) -> None:
    length = min(length, len(TEXT) - offset)
    assert packed.read(offset, length) == TEXT[offset : offset + length]


def test_size_and_data_tell_all(packed: Gzip) -> None:
    assert packed.size == len(TEXT)
    assert list(packed.data(10, 1 << 40)) == [(10, len(TEXT))]
    with pytest.raises(InputError, match=r"a\.gz has"):
        packed.read(len(TEXT) - 1, 2)


def test_several_files_are_one() -> None:
    found = Gzip(Memory(gzip.compress(b"a" * 5000) + gzip.compress(b"") + gzip.compress(b"b") + bytes(20)), name="a.gz")
    assert found.read(0, found.size) == b"a" * 5000 + b"b"


def test_marks_stay_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzip_blocks, "FIRST_DISTANCE", 1 << 10)
    monkeypatch.setattr(gzip_blocks, "MOST_MARKS", 8)
    found = Gzip(Memory(gzip.compress(TEXT[: 10 << 20], 1)), name="a.gz")
    assert len(found._marks) <= 8
    assert found.read(9 << 20, 100) == TEXT[9 << 20 : (9 << 20) + 100]
    assert found.read(100, 100) == TEXT[100:200]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PACKED[:-1], "cut off"),
        (PACKED[:5000], "cut off"),
        (PACKED[:5000] + b"x" + PACKED[5001:], "damaged"),
        (gzip.compress(b"a", mtime=0) + b"rest", "damaged"),  # tests are named alike in each process
        (gzip.compress(b"") * (gzip_blocks.MOST_MEMBERS + 1), "more than"),
    ],
)
def test_damaged_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.gz.* {message}"):
        Gzip(Memory(content), name="a.gz")


def test_is_gzip_tells_by_its_magic() -> None:
    assert (is_gzip(Memory(PACKED)), is_gzip(Memory(b"\x1f\x8b")), is_gzip(Memory(b"KDMV"))) == (True, False, False)
