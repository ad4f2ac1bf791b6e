import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.disk.word_tables import BLOCK, checked, find, flatten, restore


def table(words: int, *, seed: int = 1) -> bytes:
    chosen, value, found = random.Random(seed), 0xFFF00000, []
    for _ in range(words):
        value = (value + chosen.randrange(1, 90)) & 0xFFFFFFFF
        found.append(value)
    return struct.pack(f"<{words}I", *found)


NOISE = random.Random(7).randbytes(BLOCK * 3)
CONTENT = NOISE + table(BLOCK) + NOISE + bytes(BLOCK * 2) + table(BLOCK, seed=2)


def test_find_sees_tables_and_nothing_else() -> None:
    assert find(CONTENT) == [(BLOCK * 3, BLOCK * 4), (BLOCK * 12, BLOCK * 4)]


def test_flat_tables_differ_little_when_all_numbers_move() -> None:
    moved = table(BLOCK)[:400] + struct.pack("<I", 5) + table(BLOCK)[400:-4]
    place = [(0, BLOCK * 4)]
    first, second = flatten(table(BLOCK), place), flatten(moved, place)
    assert first[408:-4] == second[412:]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 3 * BLOCK), min_size=1, max_size=20), st.lists(st.integers(0, 900), max_size=6))
def test_restore_gives_the_content_back_in_any_pieces(lengths: list[int], edges: list[int]) -> None:
    places = sorted({4 * edge for edge in edges})
    tables = [(start, end - start) for start, end in zip(places[::2], places[1::2], strict=False)]
    content = CONTENT[: 4 * 1000 + 3]
    pieces: list[bytes] = []
    flat, at = flatten(content, tables), 0
    while at < len(flat):
        length = lengths[len(pieces) % len(lengths)]
        pieces.append(flat[at : at + length])
        at += length
    assert b"".join(restore(pieces, tables)) == content


@pytest.mark.parametrize("tables", [None, [1], [[0, 3]], [[0, 8], [4, 8]], [[96, 8]], [[-4, 4]], [[0, 0]], [[True, 4]]])
def test_wrong_tables_are_refused(tables: object) -> None:
    with pytest.raises(InputError):
        checked(tables, size=100)
