"""HTML that is filled in is what it would be if it were made with the values."""

import string

from hypothesis import given
from hypothesis import strategies as st

from jeos.server import filled

MARKS = filled.marks(3)
TEXT = st.text(alphabet=[*string.ascii_letters, "%", "s", "(", "{", "}", *MARKS], max_size=20)
PIECE = st.one_of(st.sampled_from(range(3)), st.text(alphabet="ab%s{}()\\", max_size=5))


@given(pieces=st.lists(PIECE, max_size=8), values=st.tuples(TEXT, TEXT, TEXT))
def test_each_mark_becomes_its_value_and_nothing_in_a_value_is_looked_at(
    pieces: list[int | str], values: tuple[str, str, str]
) -> None:
    made = "".join(MARKS[piece] if isinstance(piece, int) else piece for piece in pieces)
    shape = filled.Shape(made, MARKS)
    assert shape.fill(values) == "".join(values[piece] if isinstance(piece, int) else piece for piece in pieces)
    assert shape.places == tuple(piece for piece in pieces if isinstance(piece, int))


def test_html_without_marks_stays_as_it_is() -> None:
    assert filled.Shape("100 % of <b>", ()).fill(()) == "100 % of <b>"
