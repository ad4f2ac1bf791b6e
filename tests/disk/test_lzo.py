"""LZO1X: streams made by hand, since nothing here packs with it; btrfs's tests read what the kernel packed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.disk.lzo import decompress

END = b"\x11\0\0"


@pytest.mark.parametrize(
    ("packed", "expected"),
    [
        (bytes([17 + 5]) + b"hello" + END, b"hello"),
        (bytes([2]) + b"hello" + END, b"hello"),  # a run of literals of 3 + 2
        (bytes([0, 1]) + b"x" * 19 + END, b"x" * 19),  # 15 + 1 + 3, in a further byte
        (bytes([0, 0, 1]) + b"x" * 274 + END, b"x" * 274),  # and 255 more
        (bytes([17 + 4]) + b"abcd" + bytes([0x40 | 3 << 2, 0]) + END, b"abcdabc"[:4] + b"abc"[:3]),
        (bytes([17 + 4]) + b"abcd" + bytes([0x20 | 6, 3 << 2, 0]) + END, b"abcd" + b"abcdabcd"),
        (bytes([17 + 4]) + b"abcd" + bytes([0x21, 2 | 3 << 2, 0]) + b"yz" + END, b"abcdabcyz"),
    ],
)
def test_streams_of_each_instruction(packed: bytes, expected: bytes) -> None:
    assert decompress(packed, limit=4096) == expected


@pytest.mark.parametrize("packed", [b"", b"\x16hell", b"\x16hello", b"\x12a\x40\xff" + END, b"\x12a\x20\0\0\0\0"])
def test_damaged_streams_are_refused(packed: bytes) -> None:
    with pytest.raises(InputError, match="packed with LZO is damaged"):
        decompress(packed, limit=4096)


def test_what_unpacks_to_more_than_it_may_is_refused() -> None:
    with pytest.raises(InputError):
        decompress(bytes([17 + 5]) + b"hello" + END, limit=4)
    with pytest.raises(InputError):
        decompress(b"\x12a\x20" + bytes(16) + b"\xff\0\0" + END, limit=4096)


@given(st.binary(max_size=200))
def test_any_bytes_unpack_within_the_limit_or_are_refused(packed: bytes) -> None:
    try:
        assert len(decompress(packed, limit=500)) <= 500
    except InputError as error:
        assert "LZO" in error.message
