"""Two small releases for the tests of patches: real slots, and kernel images as jeos makes them."""

import hashlib
import io
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from erofs_trees import TIME, UUID, Maker, Sample
from jeos.build import initrd
from jeos.channel import packs
from jeos.channel.source import Source
from jeos.disk import cpio, erofs, lz4_library, uki, verity
from jeos.model.release import Blob, Release, System
from jeos.model.tree import Entry, Kind, Tree
from pe_files import stub

SALT = b"salt"
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
SETUP = 512 * 5  # of a bzImage: a boot sector and four sectors of setup


@dataclass(frozen=True)
class Built:
    """A release in a folder: its source, description, slot and hashes."""

    source: Source
    release: Release
    system: Path
    hashes: Path


def program(seed: int, *, size: int = 60_000) -> bytes:
    """Return what looks like a program: the same seed gives the same bytes."""
    return b"\x7fELF\x02\x01" + random.Random(seed).randbytes(size)


def words(seed: int, *, count: int) -> bytes:
    """Return what compresses, and the better the longer one looks for matches."""
    chosen = random.Random(seed)
    known = [chosen.randbytes(length) for length in range(6, 200)]
    return b"".join(chosen.choice(known) for _ in range(count))


def patched(data: bytes, *, step: int = 997) -> bytes:
    """Return a program that differs in single bytes everywhere, as one does whose addresses have moved."""
    changed = bytearray(data)
    for at in range(64, len(changed), step):
        changed[at] = (changed[at] + 4) & 0xFF
    return bytes(changed)


def bzimage(kernel: bytes) -> bytes:
    """Return a bzImage whose kernel is packed with LZ4, as Debian 12 does."""
    blocks = (kernel[at : at + lz4_library.BLOCK] for at in range(0, len(kernel), lz4_library.BLOCK))
    packed = b"".join(lz4_library.pack(blocks)) + len(kernel).to_bytes(4, "little")
    image = bytearray(SETUP)
    image[0x1F1] = 4
    image[0x202:0x208] = b"HdrS" + (0x20F).to_bytes(2, "little")
    image[0x248:0x250] = (64).to_bytes(4, "little") + len(packed).to_bytes(4, "little")
    return bytes(image) + bytes(64) + packed + b"end" * 50


def archive(files: Mapping[str, bytes], *, date: int) -> bytes:
    """Return an initial file system, packed as the build packs it."""
    digests = {hashlib.sha256(data).hexdigest(): data for data in files.values()}
    entries = [
        Entry(path=name, kind=Kind.FILE, mtime=date, size=len(data), digest=hashlib.sha256(data).hexdigest())
        for name, data in files.items()
    ]
    out = io.BytesIO()
    cpio.write(Tree.of(entries), content=digests.__getitem__, out=out)
    return initrd.compress(out.getvalue(), library=LIBRARIES / "libzstd.so.1")


def sample(version: int) -> Sample:
    """Return the tree of a release: version 2 has a new kernel, changed programs and texts, and things that moved."""
    make = Maker()
    for path in ("etc", "usr", "usr/bin", "usr/lib", "usr/lib/x86_64-linux-gnu", "usr/share", f"usr/lib/6.1.{version}"):
        make.add(path, Kind.DIRECTORY)
    alter = patched if version == 2 else bytes
    for name in ("libzstd.so.1", "liblz4.so.1"):
        found = (LIBRARIES / name).resolve()
        make.file(f"usr/lib/x86_64-linux-gnu/{found.name}", found.read_bytes())
        make.add(f"usr/lib/x86_64-linux-gnu/{name}", Kind.SYMLINK, mode=0o777, target=found.name)
    make.file("usr/bin/same", program(1))
    make.file("usr/bin/changed", alter(program(2)), mode=0o4755)
    for number in range(5):
        make.file(f"usr/lib/6.1.{version}/module{number}.ko", alter(program(10 + number, size=20_000 + number)))
    make.file(f"usr/lib/libthing.so.1.{version}", alter(program(3)), xattrs=(("user.note", b"x"),))
    lines = [f"line {number} says something" for number in range(400)]
    make.file("usr/share/text", "\n".join([*lines, f"version {version}", *lines[::-1]]).encode())
    make.file(f"usr/share/{'moved' if version == 2 else 'other'}-name", "\n".join(lines[::3]).encode())
    make.file("etc/small", f"version={version}\n".encode())
    make.file("etc/empty", b"")
    make.file("usr/share/zero", bytes(70_000))
    make.file("usr/share/copy-of-zero", bytes(70_000))
    make.link("usr/share/z-link", "usr/bin/changed")
    if version == 2:
        make.file("usr/bin/unlike", program(99))
        make.file("usr/share/odd \udcff% name", b"new in 2")
    return make.sample()


def build(folder: Path, version: int) -> Built:
    """Make a release below `folder`."""
    folder.mkdir(parents=True)
    made = sample(version)
    time = TIME + version
    tree = Tree(tuple(_dated(entry, time) for entry in made.tree))
    system, hashes, kernel = folder / "system", folder / "hashes", folder / "kernel.efi"
    with system.open("wb") as out:
        size = erofs.write(tree, out, read=made.read, uuid=UUID, time=time, label="pair")
    with hashes.open("wb") as out:
        root_hash = verity.write_tree(system, size=size, out=out, salt=SALT, uuid=UUID)
    alter = patched if version == 2 else bytes
    module = made.contents[made.tree.by_path()[f"usr/lib/6.1.{version}/module0.ko"].digest]
    sections = {
        ".osrel": f"VERSION_ID={version}\n".encode(),
        ".cmdline": f"roothash={root_hash}".encode(),
        ".linux": bzimage(alter(words(50, count=4000))),
        ".initrd": archive({"init": b"#!/bin/true\n" * 300, "module0.ko": module}, date=time),
    }
    with kernel.open("wb") as out:
        uki.write(out, stub=stub(), sections=sections)
    source = Source(
        version=f"{version}.0",
        root_hash=root_hash,
        time=time,
        tree=tree,
        read=made.contents.__getitem__,
        kernel=kernel,
    )
    packed = packs.make(source)
    for data in (*packed.new, packed.index, kernel.read_bytes()):
        (folder / hashlib.sha256(data).hexdigest()).write_bytes(data)
    release = Release(
        name="pair",
        version=f"{version}.0",
        architecture="amd64",
        date=time,
        root_hash=root_hash,
        system=System(
            size=size,
            uuid=UUID,
            label="pair",
            time=time,
            hashes_size=hashes.stat().st_size,
            hashes_uuid=UUID,
            salt=SALT.hex(),
        ),
        kernel=blob(kernel.read_bytes()),
        index=blob(packed.index),
        packs=packed.packs,
    )
    return Built(source=source, release=release, system=system, hashes=hashes)


def _dated(entry: Entry, time: int) -> Entry:
    return replace(entry, mtime=time) if entry.mtime == TIME else entry


def blob(data: bytes) -> Blob:
    """Return the blob that some bytes are."""
    return Blob(sha256=hashlib.sha256(data).hexdigest(), length=len(data))
