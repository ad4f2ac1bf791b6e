import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.model import sparse
from jeos.model.sparse import Decoder, encode


def decoded(data: bytes, *, piece: int) -> bytes:
    gaps, lengths, others = encode(data)
    decoder = Decoder(iter(gaps), iter(lengths), io.BytesIO(others).read)
    return b"".join(decoder.read(min(piece, len(data) - at)) for at in range(0, len(data), piece))


@given(st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=9)), max_size=60), st.integers(1, 500))
def test_sparse_bytes_come_back_in_any_pieces(runs: list[tuple[int, bytes]], piece: int) -> None:
    data = b"".join(bytes(zeros) + others for zeros, others in runs)
    assert decoded(data, piece=piece) == data


def test_long_runs_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "LONGEST", 10)
    monkeypatch.setattr(sparse, "MOST_BYTES", 15)
    data = bytes(35) + b"x" * 33 + bytes(7) + b"y"
    gaps, lengths, others = encode(data)
    assert max(gaps + lengths) <= 10
    assert others == b"x" * 33 + b"y"
    assert decoded(data, piece=9) == data


def test_run_that_is_too_long_is_refused() -> None:
    decoder = Decoder(iter([1 << 40]), iter([1]), io.BytesIO(b"x").read)
    with pytest.raises(InputError, match="too long"):
        decoder.read(1)


def test_small_example() -> None:
    assert encode(b"\0\0\0ab\0c\0") == ([3, 1], [2, 1], b"abc")
