"""A disk as bytes at offsets: files with holes, windows, streams."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.disk import blocks


def sparse(path: Path) -> bytes:
    """Write a file of 1 MiB with data at its start, in the middle and right at the end; return its content."""
    with path.open("wb") as file:
        file.write(b"a" * 4096)
        file.seek(512 << 10)
        file.write(b"b" * 8192)
        file.truncate(1 << 20)
        file.seek((1 << 20) - 3)
        file.write(b"end")
    return path.read_bytes()


def test_file_reads_what_is_there_and_tells_its_data(tmp_path: Path) -> None:
    content = sparse(tmp_path / "disk")
    with blocks.File(tmp_path / "disk") as disk:
        assert disk.size == 1 << 20
        assert disk.read(4000, 200) == content[4000:4200]
        rebuilt = bytearray(disk.size)
        for start, end in disk.data(0, disk.size):
            rebuilt[start:end] = disk.read(start, end - start)
        assert bytes(rebuilt) == content
        assert all(5000 <= start < end <= 600_000 for start, end in disk.data(5000, 600_000))


def test_file_that_is_a_hole_has_no_data(tmp_path: Path) -> None:
    with (tmp_path / "disk").open("wb") as file:
        file.truncate(1 << 20)
    with blocks.File(tmp_path / "disk") as disk:
        assert list(disk.data(0, disk.size)) == []
        assert disk.read(0, 16) == bytes(16)


def test_reading_beyond_the_end_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"1234")
    with blocks.File(tmp_path / "disk") as disk, pytest.raises(InputError) as caught:
        disk.read(2, 3)
    assert caught.value.message == f"{tmp_path}/disk has 4 bytes, and does not reach to byte 5"


def test_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        blocks.File(tmp_path / "none")
    assert caught.value.message == f"{tmp_path}/none cannot be read: No such file or directory"


def test_window_shows_a_part(tmp_path: Path) -> None:
    content = sparse(tmp_path / "disk")
    with blocks.File(tmp_path / "disk") as disk:
        window = blocks.Window(disk, start=(512 << 10) - 100, size=9000)
        assert window.size == 9000
        assert window.read(0, 9000) == content[(512 << 10) - 100 : (512 << 10) - 100 + 9000]
        assert all(0 <= start < end <= 9000 for start, end in window.data(0, 9000))
        with pytest.raises(InputError):
            window.read(8999, 2)
        with pytest.raises(InputError):
            blocks.Window(disk, start=disk.size - 10, size=11)


@given(st.binary(max_size=300), st.lists(st.tuples(st.integers(0, 320), st.integers(0, 64))))
def test_stream_reads_as_a_file_does(content: bytes, moves: list[tuple[int, int]]) -> None:
    stream = blocks.stream(blocks.Memory(content))
    for position, length in moves:
        stream.seek(position)
        assert stream.read(length) == content[position : position + length]
    assert stream.seek(0, os.SEEK_END) == len(content)


@given(st.lists(st.tuples(st.integers(0, 40), st.binary(min_size=1, max_size=9))), st.integers(1, 16))
def test_pieces_give_the_disk_back(writes: list[tuple[int, bytes]], size: int) -> None:
    content = bytearray(50)
    for at, what in writes:
        content[at : at + len(what)] = what
    rebuilt = bytearray(len(content))
    for offset, piece in blocks.pieces(blocks.Memory(content), size=size):
        assert offset % size == 0
        assert any(piece)
        rebuilt[offset : offset + len(piece)] = piece
    assert rebuilt == content
