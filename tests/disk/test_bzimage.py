import gzip
import lzma
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from jeos.core.errors import InputError
from jeos.disk import bzimage

KERNEL = b"\x7fELF" + bytes(range(256)) * 400


def bzimage_of(packed: bytes, *, setup_sectors: int = 3, offset: int = 0x2C1) -> bytes:
    head = bytearray((setup_sectors + 1) * 512)
    head[0x1F1] = setup_sectors
    head[0x202:0x208] = b"HdrS\x0f\x02"
    head[0x248:0x24C] = offset.to_bytes(4, "little")
    head[0x24C:0x250] = len(packed).to_bytes(4, "little")
    return bytes(head) + bytes(offset) + packed + b"the program that unpacks"


def sized(packed: bytes, *, size: int = len(KERNEL)) -> bytes:
    return packed + size.to_bytes(4, "little")


PACKED = {
    "zstd": sized(zstandard.ZstdCompressor(write_content_size=False).compress(KERNEL)),
    "xz": sized(lzma.compress(KERNEL, check=lzma.CHECK_CRC32)),
    "gzip": gzip.compress(KERNEL),
}


@pytest.mark.parametrize("how", PACKED)
def test_vmlinux_unpacks(how: str) -> None:
    assert bzimage.vmlinux(bzimage_of(PACKED[how])) == KERNEL


@pytest.mark.skipif(shutil.which("lz4") is None, reason="lz4 is not installed")
def test_vmlinux_unpacks_lz4() -> None:
    packed = subprocess.run(["lz4", "-l", "-9", "-c"], input=KERNEL, capture_output=True, check=True).stdout
    assert bzimage.vmlinux(bzimage_of(sized(packed))) == KERNEL


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "not a bzImage"),
        (b"MZ" + bytes(2000), "not a bzImage"),
        (bzimage_of(PACKED["zstd"])[:2000], "damaged bzImage: its kernel ends"),
        (bzimage_of(sized(b"BZh9 something")), r"packed in an unknown way \(it starts with 425a6839\)"),
        (bzimage_of(PACKED["zstd"][:-4] + (7).to_bytes(4, "little")), "has 8 bytes, not 7"),
        (bzimage_of(PACKED["zstd"][:-4] + (2**31).to_bytes(4, "little")), "claims 2147483648 bytes"),
        (bzimage_of(sized(PACKED["xz"][:20] + bytes(100))), "damaged kernel"),
        (bzimage_of(sized(PACKED["zstd"][:8] + bytes(100))), "damaged"),
    ],
)
def test_vmlinux_refuses(image: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        bzimage.vmlinux(image)


def test_can_boot_directly_needs_the_note() -> None:
    assert not bzimage.can_boot_directly(Path(sys.executable).resolve().read_bytes())
