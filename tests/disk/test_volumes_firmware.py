"""Which firmware a disk is made for."""

import io
import struct

import pytest

from jeos.disk import gpt
from jeos.disk.blocks import Memory
from jeos.disk.volumes import firmware
from jeos.model.image import TYPE_ESP, TYPE_LINUX, Partition

MEBIBYTE = 1 << 20
UUID = "6b7f0c1e-0000-4000-8000-0000000abcde"


def gpt_disk(kind: str, *, code: bytes = b"") -> Memory:
    """Return a disk with one partition of a type, and code in its first sector."""
    out = io.BytesIO()
    gpt.write(out, [Partition(1, "one", kind, UUID, MEBIBYTE, MEBIBYTE)], size=4 * MEBIBYTE, disk_uuid=UUID)
    content = bytearray(out.getvalue())
    content[: len(code)] = code
    return Memory(content)


def mbr_disk(kind: int, *, code: bytes = b"") -> Memory:
    """Return a disk with an MBR and one partition."""
    entry = struct.pack("<B3sB3sII", 0x80, bytes(3), kind, bytes(3), 2048, 2048)
    return Memory(code.ljust(446, b"\0") + entry + bytes(48) + b"\x55\xaa" + bytes(4 * MEBIBYTE))


@pytest.mark.parametrize(
    ("disk", "wanted"),
    [
        (gpt_disk(TYPE_ESP), "uefi"),
        (gpt_disk(TYPE_ESP, code=b"\xeb\x63\x90"), "uefi"),
        (gpt_disk(TYPE_LINUX, code=b"\xeb\x63\x90"), "bios"),
        (gpt_disk(TYPE_LINUX), ""),
        (mbr_disk(0xEF), "uefi"),
        (mbr_disk(0x83, code=b"\xeb\x63\x90"), "bios"),
        (mbr_disk(0x83), ""),
        (Memory(b""), ""),
        (Memory(bytes(100)), ""),
    ],
)
def test_firmware_that_a_disk_wants(disk: Memory, wanted: str) -> None:
    assert firmware.wanted(disk) == wanted
