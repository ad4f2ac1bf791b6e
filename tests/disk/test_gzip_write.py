"""Gzip files that are written on several processors, as gzip reads them."""

import gzip
import io
import random
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.disk import gzip_write
from jeos.disk.blocks import Memory
from jeos.disk.gzip_blocks import Gzip


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_write_is_one_member_that_gzip_reads(level: int) -> None:
    source = random.Random(level)
    pieces = [source.randbytes(70_000), bytes(1 << 20), b"text" * 5000, bytes(1 << 20), bytes(10)]
    file = io.BytesIO()
    gzip_write.write(pieces, file, level=level)
    done = subprocess.run(["gzip", "-dc"], input=file.getvalue(), capture_output=True, check=True)
    assert done.stdout == b"".join(pieces)
    assert Gzip(Memory(file.getvalue()), name="a").size == len(done.stdout)
    assert file.getvalue().count(gzip_write.HEADER) == 1


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=30), st.integers(0, 3))
def test_write_of_any_pieces_comes_back(pieces: list[bytes], level: int) -> None:
    file = io.BytesIO()
    gzip_write.write(pieces, file, level=level)
    assert gzip.decompress(file.getvalue()) == b"".join(pieces)
