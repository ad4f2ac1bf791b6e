"""File systems whose bytes were turned or cut end in an error or a result, after a bounded number of reads."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filesystem_trees import Counting, make_tree, walk
from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks, Memory
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


MAKERS: dict[str, Callable[[Path, Path], None]] = {
    "ext4": ext("-t", "ext4", "-b", "1024"),
    "ext4-inline": ext("-t", "ext4", "-O", "inline_data", "-I", "256"),
    "ext2": ext("-t", "ext2", "-b", "1024"),
}


@pytest.fixture(scope="module", params=MAKERS)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    place = tmp_path_factory.mktemp("hostile")
    make_tree(place / "tree", many=40, large=2000, plain=request.param.startswith("vfat"))
    MAKERS[request.param](place / "tree", place / "image")
    return (place / "image").read_bytes()


def interesting(image: bytes) -> list[int]:
    """Return the offsets of what is not zeros in pieces of 64 bytes, the first 16 MiB of it: mostly metadata."""
    return [at for at in range(0, min(len(image), 16 << 20), 64) if image[at : at + 64].count(0) not in (64, 0)]


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


def test_walk_over_the_honest_image_is_short(image: bytes) -> None:
    assert look(Counting(Memory(image), most=5000)) > 40


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_turned_bytes_end_in_an_error_or_a_result(image: bytes, data: st.DataObject) -> None:
    places = interesting(image)
    changed = bytearray(image)
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.sampled_from(places)) + data.draw(st.integers(0, 63))
        value = data.draw(st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF])))
        changed[at : at + 1] = bytes([value])
    try:
        look(Counting(Memory(changed), most=READS))
    except InputError as error:
        assert error.message


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_cut_image_ends_in_an_error_or_a_result(image: bytes, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(image)))
    try:
        look(Counting(Memory(image[:length]), most=READS))
    except InputError as error:
        assert error.message


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_blocks_in_each_others_places_end_in_an_error_or_a_result(image: bytes, data: st.DataObject) -> None:
    places = sorted({at // 1024 * 1024 for at in interesting(image)})
    changed = bytearray(image)
    for _ in range(data.draw(st.integers(1, 4))):
        source, target = data.draw(st.sampled_from(places)), data.draw(st.sampled_from(places))
        changed[target : target + 1024] = image[source : source + 1024]
    try:
        look(Counting(Memory(changed), most=READS))
    except InputError as error:
        assert error.message
