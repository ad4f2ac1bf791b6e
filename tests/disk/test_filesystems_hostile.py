"""File systems whose bytes were turned or cut end in an error or a result, after a bounded number of reads."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filesystem_trees import Counting, make_tree, walk
from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks, File, check_range, pieces
from jeos.disk.filesystems.detect import open_volume
from jeos.model.tree import Kind

READS = 200_000  # of 4 KiB: an honest walk over these images takes fewer than a thousand


def tool(*argv: str | Path) -> None:
    subprocess.run([str(word) for word in argv], check=True, capture_output=True)


def ext(*options: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, image: Path) -> None:
        with image.open("wb") as file:
            file.truncate(4 << 20)
        tool("mke2fs", "-q", *options, "-d", folder, image)

    return make


def fat(*options: str, size: int) -> Callable[[Path, Path], None]:
    def make(folder: Path, image: Path) -> None:
        with image.open("wb") as file:
            file.truncate(size)
        tool("mkfs.vfat", *options, image)
        things = sorted(path for path in folder.iterdir() if path.name.isascii())
        tool("mcopy", "-s", "-i", image, *things, "::")

    return make


def xfs(*options: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, image: Path) -> None:
        with image.open("wb") as file:
            file.truncate(XFS_SIZE)
        files = [f"file-{number:03}-with-a-name ---644 0 0 {folder / 'block'}" for number in range(200)]
        inner = [f"f{number} ---644 0 0 {folder / 'short'}" for number in range(5)]
        link = f"link l--777 0 0 {'./' * 300}short"
        lines = ["boot 0 0", "d--755 0 0", *inner, "many d--755 0 0", *files, "$", link, "$", "$"]
        image.with_suffix(".proto").write_text("\n".join(lines) + "\n")
        tool("mkfs.xfs", "-q", *options, "-p", image.with_suffix(".proto"), image)

    return make


def btrfs(folder: Path, image: Path) -> None:
    with image.open("wb") as file:
        file.truncate(128 << 20)
    tool("mkfs.btrfs", "-q", "--nodesize", "4096", "--rootdir", folder, image)


XFS_SIZE = 300 << 20  # mkfs.xfs makes none that is smaller
MAKERS: dict[str, Callable[[Path, Path], None]] = {
    "ext4": ext("-t", "ext4", "-b", "1024"),
    "ext4-inline": ext("-t", "ext4", "-O", "inline_data", "-I", "256"),
    "ext2": ext("-t", "ext2", "-b", "1024"),
    "vfat12": fat("-F", "12", "-s", "8", size=12 << 20),
    "vfat32": fat("-F", "32", "-s", "1", size=36 << 20),
    "xfs": xfs(),
    "btrfs": btrfs,
    "erofs": lambda folder, image: tool("mkfs.erofs", image, folder),
    "xfs-v4": xfs("-m", "crc=0", "-b", "size=1024"),
}


class Turned:
    """A disk with some of its bytes changed, and its end cut off."""

    def __init__(self, blocks: Blocks, changes: Mapping[int, bytes], *, size: int | None = None) -> None:
        self._blocks, self._changes = blocks, changes
        self.size = blocks.size if size is None else size

    def read(self, offset: int, length: int) -> bytes:
        check_range(self, offset, length)
        found = bytearray(self._blocks.read(offset, length))
        for place, content in self._changes.items():
            start, end = max(offset, place), min(offset + length, place + len(content))
            if start < end:
                found[start - offset : end - offset] = content[start - place : end - place]
        return bytes(found)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        yield start, min(end, self.size)


@pytest.fixture(scope="module", params=MAKERS)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[File]:
    place = tmp_path_factory.mktemp("hostile")
    make_tree(place / "tree", many=40, large=2000, plain=request.param.startswith("vfat"))
    MAKERS[request.param](place / "tree", place / "image")
    with File(place / "image") as file:
        yield file


@pytest.fixture(scope="module")
def places(image: File) -> list[int]:
    """Return the offsets of what is not zeros in pieces of 64 bytes: mostly metadata."""
    found = []
    for start, piece in pieces(image):
        found += [start + at for at in range(0, len(piece), 64) if piece[at : at + 64].count(0) not in (64, 0)]
    return found


def look(blocks: Blocks) -> int:
    """Walk over a file system and read a little of every file; return how many nodes there were."""
    _, filesystem = open_volume(blocks)
    if filesystem is None:
        return 0
    count = 0
    for _, node in walk(filesystem, most=2000, depth=24):
        count += 1
        if node.kind is Kind.FILE:
            filesystem.read(node, offset=max(0, node.size - 5000), length=20_000)
    return count


def test_walk_over_the_honest_image_is_short(image: File) -> None:
    assert look(Counting(image, most=20_000)) > 40


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_turned_bytes_end_in_an_error_or_a_result(image: File, places: list[int], data: st.DataObject) -> None:
    changes = {}
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.sampled_from(places)) + data.draw(st.integers(0, 63))
        value = data.draw(st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF])))
        changes[at] = bytes([value])
    try:
        look(Counting(Turned(image, changes), most=READS))
    except InputError as error:
        assert error.message


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_cut_image_ends_in_an_error_or_a_result(image: File, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, image.size))
    try:
        look(Counting(Turned(image, {}, size=length), most=READS))
    except InputError as error:
        assert error.message


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_blocks_in_each_others_places_end_in_an_error_or_a_result(
    image: File, places: list[int], data: st.DataObject
) -> None:
    changes = {}
    for _ in range(data.draw(st.integers(1, 4))):
        source, target = data.draw(st.sampled_from(places)), data.draw(st.sampled_from(places))
        changes[target // 1024 * 1024] = image.read(source // 1024 * 1024, 1024)
    try:
        look(Counting(Turned(image, changes), most=READS))
    except InputError as error:
        assert error.message
