import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.channel import differences
from jeos.channel.differences import Difference, difference

NOISE = random.Random(1).randbytes(30_000)


def applied(old: bytes, one: Difference) -> bytes:
    """Apply a difference as bsdiff's paper says, byte by byte."""
    out = bytearray()
    place = sums = extra = 0
    for copy, insert, seek in zip(one.copies, one.inserts, one.seeks, strict=True):
        assert 0 <= place <= place + copy <= len(old)
        out += bytes((old[place + at] + one.sums[sums + at]) & 0xFF for at in range(copy))
        out += one.extra[extra : extra + insert]
        sums, extra, place = sums + copy, extra + insert, place + copy + seek
    assert (sums, extra) == (len(one.sums), len(one.extra))
    return bytes(out)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"", b""),
        (b"", b"new"),
        (NOISE, b""),
        (NOISE, NOISE),
        (NOISE, bytes(9000)),
        (bytes(9000), NOISE),
        (NOISE + bytes(50_000) + NOISE[::-1], NOISE[:100] + bytes(70_000) + NOISE[::-1] + b"\xcc" * 9000),
        (NOISE[:999] + b"\xcc" * 999 + NOISE[999:], NOISE[:500] + b"\x90" * 5000 + NOISE[500:]),
    ],
)
def test_difference_makes_the_new_content(old: bytes, new: bytes) -> None:
    assert applied(old, difference(old, new)) == new


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 29_000), st.integers(0, 2000), st.booleans()), max_size=20))
def test_difference_of_large_contents_in_parts(parts: list[tuple[int, int, bool]]) -> None:
    new = b"".join(bytes(length) if zero else NOISE[start : start + length] for start, length, zero in parts)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(differences, "SEGMENT", 1500)
        patched.setattr(differences, "MARGIN", 700)
        assert applied(NOISE, difference(NOISE, new)) == new


def test_difference_of_moved_bytes_is_small() -> None:
    new = NOISE[:10_000] + b"something new" + NOISE[10_000:]
    one = difference(NOISE, new)
    assert len(one.extra) <= 40
    assert len(one.sums) - one.sums.count(0) <= 40
