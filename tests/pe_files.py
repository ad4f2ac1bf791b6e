"""A small EFI program made by hand, for tests: headers with room for more sections, and one section of code."""

import struct


def stub(*, room: int = 12, text: bytes = b"\xc3" * 100) -> bytes:
    """Return a PE32+ file whose headers have room for so many sections; it does nothing but return."""
    optional_size, headers = 112 + 16 * 8, 64 + 24 + 112 + 16 * 8 + room * 40
    headers += -headers % 512
    raw = len(text) + -len(text) % 512
    dos = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 1, 0, 0, 0, optional_size, 0x0022)
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, raw, 0, 0, 0x1000, 0x1000)
    optional += struct.pack("<QIIHHHHHHIIIIHH", 0x140000000, 4096, 512, 0, 0, 0, 0, 0, 0, 0, 0x2000, headers, 0, 10, 0)
    optional += struct.pack("<QQQQII", 0, 0, 0, 0, 0, 16) + bytes(16 * 8)
    section = struct.pack("<8sIIIIIIHHI", b".text", len(text), 0x1000, raw, headers, 0, 0, 0, 0, 0x60000020)
    return (dos + coff + optional + section).ljust(headers, b"\0") + text.ljust(raw, b"\0")
