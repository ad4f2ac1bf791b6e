"""Which program the kernel runs to load another: the interpreter that an ELF file names, elf(5), "PT_INTERP"."""

import struct
from pathlib import Path

IDENTITY = b"\x7fELF\x02\x01"  # 64 bits, little-endian
HEADER = struct.Struct("<16xHHIQQQIHHH")
SEGMENT = struct.Struct("<IIQQQQ")
PT_INTERP = 3
LONGEST = 4096


def interpreter(program: Path) -> Path | None:
    """Return the interpreter of an ELF program, None for one that needs none or is something else."""
    with program.open("rb") as file:
        start = file.read(64)
        if len(start) < 64 or not start.startswith(IDENTITY):
            return None
        _, _, _, _, place, _, _, _, size, count = HEADER.unpack_from(start)
        file.seek(place)
        table = file.read(size * count)
        for number in range(count):
            kind, _, offset, _, _, length = SEGMENT.unpack_from(table, number * size)
            if kind == PT_INTERP and length <= LONGEST:
                file.seek(offset)
                return Path(file.read(length).rstrip(b"\0").decode())
    return None
