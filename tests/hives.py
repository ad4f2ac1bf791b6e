"""Hives of the registry for tests: an empty one written by hand, filled by hivexregedit from a .reg text."""

import struct
import subprocess
from pathlib import Path

BIN = 4096
# A security descriptor (self-relative) that only names its owner and group: the local system, S-1-5-18.
_SID = bytes([1, 1]) + bytes(5) + b"\x05" + struct.pack("<I", 18)
SECURITY = struct.pack("<BBHIIII", 1, 0, 0x8000, 20, 32, 0, 0) + _SID + _SID


def _cell(content: bytes) -> bytes:
    size = -(-(len(content) + 4) // 8) * 8
    return struct.pack("<i", -size) + content.ljust(size - 4, b"\0")


def empty() -> bytes:
    """Return a hive with nothing but a root key, as regf 1.3."""
    root = 0x20
    key = b"nk" + struct.pack(
        "<HQIIIIIIIIII", 0x2C, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0, 0xFFFFFFFF
    )
    key += bytes(20) + struct.pack("<HH", 4, 0) + b"ROOT"
    key_cell = _cell(key)
    place = root + len(key_cell)
    key_cell = key_cell[: 4 + 0x2C] + struct.pack("<I", place) + key_cell[4 + 0x30 :]
    security = _cell(b"sk" + struct.pack("<HIIII", 0, place, place, 1, len(SECURITY)) + SECURITY)
    used = root + len(key_cell) + len(security)
    free = struct.pack("<i", BIN - used).ljust(BIN - used, b"\0")
    body = b"hbin" + struct.pack("<IIQQI", 0, BIN, 0, 0, 0) + key_cell + security + free
    base = b"regf" + struct.pack("<IIQIIIIIII", 1, 1, 0, 1, 3, 0, 1, root, BIN, 1)
    base = base.ljust(508, b"\0")
    total = 0
    for (word,) in struct.iter_unpack("<I", base):
        total ^= word
    return (base + struct.pack("<I", total)).ljust(4096, b"\0") + body


def make(path: Path, reg: str) -> Path:
    """Make a hive in a file and merge a .reg text whose keys start with "HIVE"; keys above them are made."""
    path.write_bytes(empty())
    lines = ["Windows Registry Editor Version 5.00", ""]
    for line in reg.splitlines():
        parts = line.strip("[]").split("\\") if line.startswith("[") else []
        lines += ["[" + "\\".join(parts[:depth]) + "]\n" for depth in range(2, len(parts))]
        lines.append(line)
    text = "\n".join(lines) + "\n"
    subprocess.run(["hivexregedit", "--merge", "--prefix", "HIVE", path], input=text.encode(), check=True, timeout=120)
    return path


def export(path: Path, key: str = "\\") -> str:
    """Return what hivexregedit reads below a key, as .reg text."""
    command: list[str | Path] = ["hivexregedit", "--export", "--unsafe-printable-strings", path, key]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
