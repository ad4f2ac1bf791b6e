"""A part of a file as a file of its own."""

import io
import os
from pathlib import Path

from jeos.disk.shifted import shifted


def test_shifted_is_a_file_from_there_on(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"head")
        part = shifted(file, 4)
        assert part.tell() == 0
        assert part.write(b"0123456789") == 10
        assert (part.seek(2), part.read(3), part.tell()) == (2, b"234", 5)
        assert (part.seek(1, os.SEEK_CUR), part.seek(-1, os.SEEK_END)) == (6, 9)
        assert part.truncate(8) == 8
        part.seek(3)
        part.write(b"x")
        part.flush()
        assert (tmp_path / "file").read_bytes() == b"head012x4567"
        part.seek(5)
        part.truncate()
        assert (part.seek(0, io.SEEK_END), file.seek(0, io.SEEK_END)) == (5, 9)
