"""Take the kernel out of a bzImage: the ELF file `vmlinux` that a hypervisor can start without a boot loader (PVH).

A bzImage is a boot sector, a little setup code, and a program that unpacks the kernel proper. On hypervisors that
enter the kernel directly, and above all where the processor is emulated, unpacking it once on the host is cheaper.
Field offsets are those of the kernel's Documentation/arch/x86/boot.rst ("The Real-Mode Kernel Header").
"""

import lzma
import zlib
from collections.abc import Callable

from jeos.core.errors import InputError
from jeos.core.run import run
from jeos.disk import elf

_SETUP_SECTORS = 0x1F1  # one byte; 0 means 4
_MAGIC = slice(0x202, 0x206)
_VERSION = slice(0x206, 0x208)
_PAYLOAD_OFFSET = slice(0x248, 0x24C)  # from the start of the protected-mode code
_PAYLOAD_LENGTH = slice(0x24C, 0x250)
_FIRST_VERSION_WITH_PAYLOAD = 0x0208
_SECTOR = 512
_SIZE_FIELD = 4  # bytes after the packed kernel that say how large it is unpacked (also part of gzip's own format)
_LARGEST_KERNEL = 512 << 20  # bytes; the kernel's own limit is 1 GiB, and no distribution comes near

_XEN_OWNER, _PVH_ENTRY = "Xen", 18  # XEN_ELFNOTE_PHYS32_ENTRY


def payload(image: bytes) -> bytes:
    """Return the packed kernel inside a bzImage; raises InputError for anything else."""
    start, length = payload_place(image)
    return image[start : start + length + _SIZE_FIELD]


def payload_place(image: bytes) -> tuple[int, int]:
    """Return where in a bzImage the packed kernel is: offset and length, without the size that follows it.

    Raises InputError for anything else.
    """
    if image[_MAGIC] != b"HdrS" or int.from_bytes(image[_VERSION], "little") < _FIRST_VERSION_WITH_PAYLOAD:
        raise InputError(
            "not a bzImage with a kernel that can be taken out", hint="give it a vmlinuz of Linux 2.6.26 or later"
        )
    start = ((image[_SETUP_SECTORS] or 4) + 1) * _SECTOR + int.from_bytes(image[_PAYLOAD_OFFSET], "little")
    end = start + int.from_bytes(image[_PAYLOAD_LENGTH], "little")
    if not start + _SIZE_FIELD < end <= len(image):
        raise InputError(f"damaged bzImage: its kernel ends at byte {end} of {len(image)}", hint="copy it again")
    return start, end - start - _SIZE_FIELD


def vmlinux(image: bytes) -> bytes:
    """Return the kernel of a bzImage as an ELF file, its relocations after it.

    Raises InputError if the image is damaged or packed in a way that is not known here, and HostError if it is packed
    with LZ4 (Debian 12) and the program `lz4` is not there.
    """
    packed = payload(image)
    size = int.from_bytes(packed[-_SIZE_FIELD:], "little")
    if size > _LARGEST_KERNEL:
        raise InputError(f"damaged bzImage: its kernel claims {size} bytes", hint="copy it again")
    for magic, unpack in _UNPACKERS.items():
        if packed.startswith(magic):
            return _checked(unpack(packed, size), size=size)
    raise InputError(
        f"the kernel is packed in an unknown way (it starts with {packed[:4].hex()})",
        hint="zstd, LZ4, xz and gzip are known; boot it with firmware instead",
    )


def can_boot_directly(kernel: bytes) -> bool:
    """Tell whether an unpacked kernel has an entry for PVH boot, which QEMU's `-kernel` and microvm use."""
    return any(owner == _XEN_OWNER and kind == _PVH_ENTRY for owner, kind, _ in elf.notes(kernel))


def _checked(kernel: bytes, *, size: int) -> bytes:
    if len(kernel) != size:
        raise InputError(f"damaged bzImage: its kernel has {len(kernel)} bytes, not {size}", hint="copy it again")
    return kernel


def _unpack_zstd(packed: bytes, size: int) -> bytes:
    import zstandard

    try:
        return zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(packed).read(size + 1)
    except zstandard.ZstdError as error:
        raise InputError(f"damaged kernel: {error}", hint="copy it again") from error


def _unpack_gzip(packed: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(packed, size + 1)
    except zlib.error as error:
        raise InputError(f"damaged kernel: {error}", hint="copy it again") from error


def _unpack_xz(packed: bytes, size: int) -> bytes:
    try:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(packed, size + 1)
    except lzma.LZMAError as error:
        raise InputError(f"damaged kernel: {error}", hint="copy it again") from error


def _unpack_lz4(packed: bytes, size: int) -> bytes:
    return run(["lz4", "-d", "-c"], stdin=packed[:-_SIZE_FIELD]).stdout


_UNPACKERS: dict[bytes, Callable[[bytes, int], bytes]] = {
    b"\x28\xb5\x2f\xfd": _unpack_zstd,
    b"\x02\x21\x4c\x18": _unpack_lz4,  # the legacy frame
    b"\xfd7zXZ\x00": _unpack_xz,
    b"\x1f\x8b": _unpack_gzip,
}
