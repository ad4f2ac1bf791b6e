"""Nothing that a terminal obeys comes through, however the bytes are cut."""

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.terminal import Plain, plain

COLOURED = "\x1b[0;32m  OK  \x1b[0m Started nginx.\r\n\x1b]0;title\x07\x1b]52;c;bHM=\x1b\\\x1bPq\x1b\\done\x1b=\n"
SHOWN = "  OK   Started nginx.\ndone\n"


def test_plain_leaves_out_sequences_and_marks_what_else_would_be_obeyed() -> None:
    assert plain(COLOURED) == SHOWN
    assert plain("a\x08b\x9b2Jc\u202ed\ud800e\tf\ng") == "a?b?2Jc?d?e\tf\ng"
    assert plain("Grüße, 東京 …") == "Grüße, 東京 …"


def test_plain_ends_a_sequence_that_never_ends() -> None:
    assert plain("\x1b]0;" + "x" * 10) == "?]0;" + "x" * 10


@given(st.lists(st.integers(0, len(COLOURED.encode())), max_size=6))
@settings(max_examples=60)
def test_stream_cut_anywhere_shows_the_same(cuts: list[int]) -> None:
    data = COLOURED.encode()
    places = [0, *sorted(cuts), len(data)]
    stream = Plain()
    pieces = [stream.feed(data[start:end]) for start, end in itertools.pairwise(places)]
    assert b"".join([*pieces, stream.feed(b"", final=True)]).decode() == SHOWN


@given(st.lists(st.binary(max_size=40), max_size=8))
@settings(max_examples=60)
def test_stream_of_anything_lets_no_escape_through(pieces: list[bytes]) -> None:
    stream = Plain()
    shown = b"".join([*(stream.feed(piece) for piece in pieces), stream.feed(b"", final=True)]).decode()
    assert re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown) is None
