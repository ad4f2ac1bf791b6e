"""Small pieces come from a window on the content, and are the same as without it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.update.window import WINDOW_BYTES, Window

CONTENT = bytes(number * 7 % 251 for number in range(3 * WINDOW_BYTES + 5))


def read(offset: int, length: int) -> bytes:
    """Read the content as the running slot does: what is not there is an error."""
    if not 0 <= offset <= offset + length <= len(CONTENT):
        raise ValueError(f"{offset} {length}")
    return CONTENT[offset : offset + length]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(CONTENT)), st.integers(0, 2 * WINDOW_BYTES)), max_size=20))
def test_window_gives_what_is_there(places: list[tuple[int, int]]) -> None:
    window = Window(read, size=len(CONTENT))
    for offset, wanted in places:
        length = min(wanted, len(CONTENT) - offset)
        assert window(offset, length) == CONTENT[offset : offset + length]


def test_window_reads_neighbours_once() -> None:
    asked: list[tuple[int, int]] = []

    def counting(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return read(offset, length)

    window = Window(counting, size=len(CONTENT))
    assert [window(offset, 100) for offset in range(0, 20_000, 100)] == [
        CONTENT[offset : offset + 100] for offset in range(0, 20_000, 100)
    ]
    assert asked == [(0, WINDOW_BYTES)]


def test_window_leaves_refusing_to_the_reader() -> None:
    for offset, length in ((-1, 5), (len(CONTENT), 1), (len(CONTENT) - 4, 5)):
        with pytest.raises(ValueError, match=f"^{offset} {length}$"):
            Window(read, size=len(CONTENT))(offset, length)
