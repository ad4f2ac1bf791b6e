import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.disk import module_index

KEYS = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12)
VALUES = st.text(st.characters(min_codepoint=1, max_codepoint=0xD7FF), max_size=12)
DEPENDENCIES = [
    ("virtio", "kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko"),
    ("virtio_ring", "kernel/drivers/virtio/virtio_ring.ko:"),
    ("virtio_blk", "kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko"),
    ("xfs", "kernel/fs/xfs/xfs.ko:"),
]


@given(st.lists(st.tuples(KEYS, VALUES, st.integers(0, 2**32 - 1)), max_size=30))
def test_build_read_again_gives_the_same(entries: list[tuple[str, str, int]]) -> None:
    found = list(module_index.read(module_index.build(entries)))
    assert sorted(found) == sorted((key, value) for key, value, _ in entries)


def test_build_of_one_key_puts_the_smaller_priority_first() -> None:
    index = module_index.build([("pci:v1", "second", 7), ("pci:v1", "first", 2)])
    assert list(module_index.read(index)) == [("pci:v1", "first"), ("pci:v1", "second")]


def test_build_has_the_documented_form() -> None:
    index = module_index.build([("ab", "x", 1), ("ac", "y", 2)])
    leaf = b"\0\0\0\1\0\0\0\1x\0", b"\0\0\0\1\0\0\0\2y\0"
    header = bytes.fromhex("b007f457 00020001") + (12 + 20 | 0xA0000000).to_bytes(4, "big")
    children = b"bc" + (12 | 0x40000000).to_bytes(4, "big") + (22 | 0x40000000).to_bytes(4, "big")
    assert index == header + leaf[0] + leaf[1] + b"a\0" + children


@pytest.mark.skipif(shutil.which("modprobe", path="/usr/sbin:/sbin:/usr/bin") is None, reason="no kmod")
def test_build_is_read_by_kmod(tmp_path: Path) -> None:
    folder = tmp_path / "lib/modules/6.1.0"
    folder.mkdir(parents=True)
    # Names that the kernel here cannot have loaded: modprobe leaves out those.
    entries = [
        ("ring_of_test", "kernel/ring-of-test.ko:", 0),
        ("bus_of_test", "kernel/bus-of-test.ko: kernel/ring-of-test.ko", 1),
        ("disk_of_test", "kernel/disk-of-test.ko: kernel/bus-of-test.ko kernel/ring-of-test.ko", 2),
    ]
    (folder / "modules.dep.bin").write_bytes(module_index.build(entries))
    aliases = [("test:d00000002v*", "disk_of_test", 0), ("fs_test", "ring_of_test", 1)]
    (folder / "modules.alias.bin").write_bytes(module_index.build(aliases))
    (folder / "kernel").mkdir()
    for name in ("ring", "bus", "disk"):  # kmod looks for what it is about to load
        (folder / f"kernel/{name}-of-test.ko").touch()
    for name in ("symbols", "builtin.alias", "builtin"):
        (folder / f"modules.{name}.bin").write_bytes(module_index.build([]))

    def shown(*names: str) -> list[str]:
        argv = ["modprobe", "-d", str(tmp_path), "-S", "6.1.0", "--show-depends", *names]
        environment = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}
        lines = subprocess.run(argv, capture_output=True, check=True, env=environment).stdout.decode().splitlines()
        return [line.strip().rpartition("/")[2] for line in lines]

    assert shown("test:d00000002v00001AF4") == ["ring-of-test.ko", "bus-of-test.ko", "disk-of-test.ko"]
    assert shown("fs-test") == ["ring-of-test.ko"]


@given(st.binary(max_size=200), st.integers(0, 11), st.integers(0, 255))
def test_read_of_anything_ends(noise: bytes, at: int, value: int) -> None:
    damaged = bytearray(module_index.build([(key, text, 0) for key, text in DEPENDENCIES]) + noise)
    damaged[at] = value
    for hostile in (bytes(damaged), noise):
        try:
            list(module_index.read(hostile))
        except InputError as error:
            assert error.message


def test_read_of_a_circle_is_refused() -> None:
    circle = bytes.fromhex("b007f457 00020001 2000000c") + b"aa" + bytes.fromhex("2000000c")
    with pytest.raises(InputError, match="in a circle"):
        list(module_index.read(circle))
