"""Disks that are the same, and those that are not."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.disk.blocks import Memory
from jeos.disk.compare import difference


class Sparse(Memory):
    """A disk that tells of its data in pieces of 16 bytes, leaving out those of zeros."""

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        for place in range(start, min(end, self.size), 16):
            last = min(place + 16, end, self.size)
            if any(self.content[place:last]):
                yield place, last


SPARSE = st.lists(st.one_of(st.just(bytes(16)), st.binary(min_size=16, max_size=16)), max_size=12).map(b"".join)


@settings(deadline=None)
@given(SPARSE, SPARSE)
def test_difference_is_the_first_byte_that_differs(one: bytes, other: bytes) -> None:
    size = max(len(one), len(other))
    mine, theirs = one.ljust(size, b"\0"), other.ljust(size, b"\0")
    expected = next((at for at in range(size) if mine[at] != theirs[at]), None)
    assert difference(Sparse(one), Sparse(other)) == expected
    assert difference(Sparse(one), Memory(other)) == expected
    assert difference(Sparse(one), Sparse(one)) is None
