import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.disk import cpio, initramfs, lz4_library
from jeos.model.tree import Entry, Kind, Tree

MICROCODE = b"microcode" * 99
MODULES = b"nvme\n"


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    entries = [Entry(path="etc", kind=Kind.DIRECTORY), Entry(path="lib", kind=Kind.SYMLINK, target="usr/lib")]
    entries += [Entry(path=path, kind=Kind.FILE, digest=path) for path in files]
    cpio.write(Tree.of(entries), content=files.__getitem__, out=out)
    return out.getvalue()


EARLY = archive({"kernel/x86/microcode/GenuineIntel.bin": MICROCODE})
MAIN = archive({"conf/modules": MODULES, "init": b"#!/bin/sh\n" * 3000, "empty": b""})
FILES = {
    "lib": None,
    "kernel/x86/microcode/GenuineIntel.bin": None,
    "conf/modules": MODULES,
    "init": None,
    "empty": None,
}


def pack_lzma(data: bytes) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_ALONE)


def pack_lz4(data: bytes) -> bytes:
    return b"".join(lz4_library.pack([data]))


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "lzma": pack_lzma,
    "xz": lzma.compress,
    "lz4": pack_lz4,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("kind", PACKERS)
def test_read_of_archives_behind_each_other(kind: str) -> None:
    gap = bytes(-len(EARLY) % 512)
    data = EARLY + gap + PACKERS[kind](MAIN)
    contents = initramfs.read(data, wanted=lambda path: path == "conf/modules")
    assert contents == initramfs.Initramfs(
        files=FILES, folders=frozenset({"etc"}), packing=("", kind), starts=(0, len(EARLY + gap))
    )


@pytest.mark.parametrize("kind", [kind for kind in PACKERS if kind])
def test_read_goes_on_behind_what_is_packed(kind: str) -> None:
    data = PACKERS[kind](MAIN)
    data += bytes(-len(data) % 4 + 4) + archive({"conf/modules": b"virtio_blk\n"})
    contents = initramfs.read(data, wanted=lambda path: path == "conf/modules")
    assert (contents.packing, contents.files["conf/modules"]) == ((kind, ""), b"virtio_blk\n")


@pytest.mark.parametrize("kind", [kind for kind in PACKERS if kind])
def test_unpack_gives_the_archive_and_its_end(kind: str) -> None:
    packed = PACKERS[kind](MAIN)
    unpacked, end = initramfs.unpack(EARLY + packed + bytes(8), len(EARLY))
    assert (unpacked, end) == (MAIN, len(EARLY + packed))


@pytest.mark.parametrize("kind", PACKERS)
def test_read_of_a_cut_initrd_is_refused(kind: str) -> None:
    packed = PACKERS[kind](MAIN)
    with pytest.raises(InputError, match=r"damaged|unknown"):
        initramfs.read(packed[: len(packed) // 2])


def test_read_of_lzo_says_what_to_do() -> None:
    with pytest.raises(InputError) as caught:
        initramfs.read(b"\x89LZO\x00\r\n\x1a\n")
    assert str(caught.value) == (
        "the initrd is packed with lzo, which is not read\nhint: make it anew with gzip or zstd"
    )


def test_read_of_a_bomb_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initramfs, "UNPACKED_LIMIT", 8 << 20)
    bomb = zlib.compressobj(wbits=31)
    packed = bomb.compress(archive({"init": bytes(16 << 20)})) + bomb.flush()
    with pytest.raises(InputError, match="unpacks to far more bytes"):
        initramfs.read(packed)


@given(
    st.sampled_from(sorted(PACKERS)),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=8),
    st.binary(max_size=40),
)
def test_read_of_anything_ends(kind: str, damage: list[tuple[int, int]], noise: bytes) -> None:
    hostile = bytearray(PACKERS[kind](MAIN) + noise)
    for at, value in damage:
        hostile[at % len(hostile)] = value
    try:
        initramfs.read(bytes(hostile), wanted=lambda path: True)
    except InputError as error:
        assert error.message
