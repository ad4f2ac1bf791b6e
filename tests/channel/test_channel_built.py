"""What a build left is proved: every kind of damage is named, and nothing of it is taken."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import channel_builds
from jeos.build.outputs import Outputs
from jeos.channel import built
from jeos.core.errors import InputError, JeosError, TrustError
from jeos.disk import verity

FILES = {"usr/bin/app": b"app" * 5000, "etc/motd": b"hello"}


@pytest.fixture
def made(tmp_path: Path) -> Outputs:
    return channel_builds.build(tmp_path / "build", contents=FILES, trust=b'{"root": 1}')


def test_check_returns_what_the_slot_holds(made: Outputs) -> None:
    found = built.check(made.image, folder=made.folder)
    assert found.tree == made.tree()
    assert found.trust == b'{"root": 1}'
    assert found.time == channel_builds.DATE
    assert (found.system.size, found.hashes.size) == (made.image.system_size, made.image.verity_size)
    with found.filesystem() as filesystem:
        assert filesystem.read("usr/bin/app") == FILES["usr/bin/app"]
    with made.disk.open("rb") as data, made.disk.open("rb") as hashes:
        data.seek(found.system.start)
        hashes.seek(found.hashes.start)
        assert verity.verify(data, hashes, root_hash=made.image.root_hash) == found.superblock


def _flip(made: Outputs) -> None:
    start = built.check(made.image, folder=made.folder).system.start
    with made.disk.open("r+b") as disk:
        disk.seek(start + 5000)
        byte = disk.read(1)
        disk.seek(start + 5000)
        disk.write(bytes([byte[0] ^ 1]))


def _other_kernel(made: Outputs) -> None:
    other = channel_builds.build(made.folder.parent / "other", version="2.0")
    made.kernel.write_bytes(other.kernel.read_bytes())


def _other_tree(made: Outputs) -> None:
    path = made.folder / made.image.tree
    path.write_text(path.read_text().replace('"mode": 420', '"mode": 511', 1))


def _no_table(made: Outputs) -> None:
    made.disk.write_bytes(bytes(1 << 20))


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (_flip, TrustError, r"the system in hello_1\.0\.img is not what was built: block 1 of the data"),
        (_other_kernel, InputError, r"hello_1\.0\.efi does not start this system: it has roothash="),
        (_other_tree, InputError, r"hello_1\.0\.tree\.jsonl is not the tree .* they differ in /etc/hostname"),
        (_no_table, InputError, "no intact GPT"),
        (lambda made: made.kernel.unlink(), InputError, r"hello_1\.0\.efi is not there"),
        (lambda made: made.disk.unlink(), InputError, r"hello_1\.0\.img is not there"),
        (lambda made: made.kernel.write_bytes(b"MZ"), InputError, "not an EFI program"),
    ],
)
def test_check_refuses_what_does_not_belong_together(
    made: Outputs, damage: Callable[[Outputs], None], kind: type[JeosError], message: str
) -> None:
    damage(made)
    with pytest.raises(kind, match=message):
        built.check(made.image, folder=made.folder)


def test_check_refuses_an_image_that_cannot_update_itself(made: Outputs) -> None:
    with pytest.raises(InputError, match=r"hello 1\.0 cannot update itself: its recipe has no \[update\]"):
        built.check(replace(made.image, updates=False), folder=made.folder)


def test_check_refuses_another_root_hash_or_version(made: Outputs) -> None:
    with pytest.raises(InputError, match="does not start this system"):
        built.check(replace(made.image, root_hash="0" * 64), folder=made.folder)
    with pytest.raises(InputError, match=r"has no partition hello_1\.1"):
        built.check(replace(made.image, version="1.1"), folder=made.folder)
