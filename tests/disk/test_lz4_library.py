import io
import random
import shutil
import subprocess
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import HostError, InputError
from jeos.disk import lz4_library
from jeos.disk.lz4_library import BLOCK, pack, unpack

DATA = random.Random(1).randbytes(1000) * 9000  # a block and a bit


def packed(data: bytes) -> bytes:
    return b"".join(pack(data[at : at + BLOCK] for at in range(0, len(data), BLOCK)))


def test_frame_is_that_of_the_program_bit_for_bit() -> None:
    if shutil.which("lz4") is None:
        pytest.skip("the program lz4 is not here")
    made = subprocess.run(["lz4", "-l", "-9", "-c"], input=DATA, check=True, capture_output=True).stdout
    assert packed(DATA) == made


def test_frame_round_trip() -> None:
    frame = packed(DATA)
    assert b"".join(unpack(io.BytesIO(frame).read, length=len(frame))) == DATA


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_hostile_frames_raise_only_input_error(data: bytes) -> None:
    frame = lz4_library.MAGIC + data
    with suppress(InputError):
        for block in unpack(io.BytesIO(frame).read, length=len(frame)):
            assert len(block) <= BLOCK


def test_missing_library_is_told() -> None:
    with pytest.raises(HostError, match="libnothing"):
        list(pack([b"x"], path="libnothing.so.9"))
