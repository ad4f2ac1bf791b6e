"""Discs that xorriso and genisoimage make, with and without Joliet; and discs that nobody should."""

import contextlib
import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.disk import blocks
from jeos.disk.filesystems import base, iso9660
from jeos.model.tree import Kind

COMMANDS = {
    "genisoimage, Joliet": ["genisoimage", "-quiet", "-J", "-R", "-V", "virtio-win", "-o"],
    "genisoimage, plain": ["genisoimage", "-quiet", "-iso-level", "3", "-V", "virtio-win", "-o"],
    "xorriso, Joliet": ["xorriso", "-as", "mkisofs", "-quiet", "-J", "-V", "virtio-win", "-o"],
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("iso") / "source"
    driver = folder / "viostor" / "w10" / "amd64"
    driver.mkdir(parents=True)
    chance = random.Random(1)
    (driver / "viostor.sys").write_bytes(chance.randbytes(70_001))
    (driver / "viostor.inf").write_bytes(b"[Version]\r\n")
    (folder / "empty").write_bytes(b"")
    many = folder / "many"
    many.mkdir()
    for number in range(300):
        (many / f"file{number}.txt").write_bytes(b"%d" % number)
    for path in folder.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return folder


def files(filesystem: iso9660.Iso9660) -> dict[str, tuple[int, bytes]]:
    found = {}
    left = [("", filesystem.root())]
    while left:
        path, folder = left.pop()
        for name, node in filesystem.children(folder):
            where = f"{path}/{name}".lstrip("/")
            if node.kind is Kind.DIRECTORY:
                left.append((where, node))
            else:
                found[where.casefold()] = (node.mtime, filesystem.read(node))
    return found


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_disc_holds_what_was_put_on_it(source: Path, tmp_path: Path, command: list[str]) -> None:
    image = tmp_path / "disc.iso"
    subprocess.run([*command, image, source], check=True, capture_output=True)
    with blocks.File(image) as disk:
        filesystem = iso9660.open_filesystem(disk)
        assert filesystem.label == "virtio-win" if "-J" in command else "VIRTIO-WIN"
        assert files(filesystem) == {
            str(path.relative_to(source)): (1_700_000_000, path.read_bytes())
            for path in source.rglob("*")
            if path.is_file()
        }
        driver = base.find(filesystem, "VIOSTOR/W10/AMD64/VIOSTOR.SYS")
        whole = (source / "viostor/w10/amd64/viostor.sys").read_bytes()
        assert filesystem.read(driver, offset=40_000, length=5000) == whole[40_000:45_000]
        assert filesystem.read(driver, offset=70_000, length=5000) == whole[70_000:]
        said = subprocess.run(
            ["blkid", "-p", "-o", "export", image],
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": "/sbin:/usr/sbin"},
        ).stdout
        assert f"UUID={filesystem.uuid}\n" in said


def test_file_of_several_parts_is_read_as_one(tmp_path: Path) -> None:
    """Files of 4 GiB and more are in parts; made here of two small ones that follow each other."""
    image = tmp_path / "disc.iso"
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.bin").write_bytes(b"a" * 2048)
    (tmp_path / "source" / "b.bin").write_bytes(b"b" * 100)
    subprocess.run([*COMMANDS["xorriso, Joliet"], image, tmp_path / "source"], check=True, capture_output=True)
    content = bytearray(image.read_bytes())
    name = "a.bin".encode("utf-16-be")
    record = content.index(name) - 33
    content[record + 25] |= 0x80
    filesystem = iso9660.open_filesystem(blocks.Memory(content))
    (name_found, node), *rest = filesystem.children(filesystem.root())
    assert (name_found, node.size, rest) == ("b.bin", 2148, [])
    assert filesystem.read(node) == b"a" * 2048 + b"b" * 100
    assert filesystem.read(node, offset=2000, length=100) == b"a" * 48 + b"b" * 52
    assert filesystem.read(node, offset=2100) == b"b" * 48


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("small")
    (folder / "source" / "one" / "two").mkdir(parents=True)
    (folder / "source" / "one" / "two" / "three.txt").write_bytes(b"three")
    (folder / "source" / "four.txt").write_bytes(b"four")
    subprocess.run(
        [*COMMANDS["xorriso, Joliet"], folder / "disc.iso", folder / "source"], check=True, capture_output=True
    )
    return (folder / "disc.iso").read_bytes()[: 200 << 10]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_discs_end_in_an_error(small: bytes, data: st.DataObject) -> None:
    changed = bytearray(small)
    places = st.integers(32768, 32768 + 40 * 2048) | st.integers(0, len(changed) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=10)):
        changed[min(place, len(changed) - 1)] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):
        filesystem = iso9660.open_filesystem(blocks.Memory(changed))
        left, seen = [filesystem.root()], 0
        while left and seen < 1000:
            for _, node in filesystem.children(left.pop()):
                seen += 1
                if node.kind is Kind.DIRECTORY:
                    left.append(node)
                else:
                    filesystem.read(node)


def test_probe_refuses_other_content() -> None:
    assert not iso9660.probe(blocks.Memory(bytes(100)))
    assert not iso9660.probe(blocks.Memory(bytes(100_000)))
