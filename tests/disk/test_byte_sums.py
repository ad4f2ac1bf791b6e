import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.disk.byte_sums import CHUNK, add


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2 * CHUNK + 9), st.integers())
def test_add_is_the_sum_of_each_byte(length: int, seed: int) -> None:
    chosen = random.Random(seed)
    first, second = chosen.randbytes(length), chosen.randbytes(length)
    expected = bytes((one + other) & 0xFF for one, other in zip(first, second, strict=True))
    assert add(first, second) == expected


def test_add_of_different_lengths_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        add(b"a", b"ab")
