"""What an ELF file says about itself: which libraries it needs, and what its sections hold.

    elf.needed(Path("/bin/ls").read_bytes())  →  ("libselinux.so.1", "libc.so.6")

Reads little-endian 64-bit files, which is all that amd64 and arm64 have. After the System V ABI (gABI 4.1), chapters
4 and 5; `man 5 elf` has the same tables. Anything that is damaged raises InputError, never another error.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from jeos.core.errors import InputError

MAGIC = b"\x7fELF"
_CLASS_64, _LITTLE_ENDIAN = 2, 1

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_DYNAMIC = struct.Struct("<qQ")
_NOTE = struct.Struct("<III")

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_NOTE = 1, 2, 3, 4
_SHT_NOBITS = 8
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 10, 14, 15, 29

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Dynamic:
    """What the dynamic linker reads: `rpath` holds the folders of DT_RUNPATH, or of DT_RPATH where that is not set."""

    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def is_elf(data: bytes) -> bool:
    """Tell whether a file begins like a 64-bit little-endian ELF file; its first 6 bytes are enough."""
    return data[:4] == MAGIC and data[4:6] == bytes([_CLASS_64, _LITTLE_ENDIAN])


def needed(data: bytes) -> tuple[str, ...]:
    """Return the names of the shared libraries that a program or library asks for, in its own order."""
    return dynamic(data).needed


def soname(data: bytes) -> str | None:
    """Return the name that a shared library wants to be found by."""
    return dynamic(data).soname


def rpath(data: bytes) -> tuple[str, ...]:
    """Return the folders that are searched before the system's, as written: `$ORIGIN` is not replaced."""
    return dynamic(data).rpath


def dynamic(data: bytes) -> Dynamic:
    """Return what the dynamic linker reads; a static program has nothing for it. Raises InputError if damaged."""
    return _careful(data, _read_dynamic)


def interpreter(data: bytes) -> str | None:
    """Return the path of the dynamic linker that a program asks for; libraries and static programs have none."""
    return _careful(data, _read_interpreter)


def sections(data: bytes) -> dict[str, bytes]:
    """Return the content of all sections by name; of two with one name, the first."""
    return _careful(data, _read_sections)


def notes(data: bytes) -> tuple[tuple[str, int, bytes], ...]:
    """Return the notes (owner, type, content) of a program, such as Xen's 18, the entry point of PVH boot."""
    return _careful(data, _read_notes)


def dynamic_entries(data: bytes) -> list[tuple[int, int, int]]:
    """Return place, tag and value of each entry of the dynamic section, the one that ends it excluded."""
    return _careful(data, _read_entries)


def file_offset(data: bytes, address: int) -> int:
    """Return the place in the file of what is loaded at an address. Raises InputError if nothing is."""
    return _careful(data, lambda data: _file_offset(tuple(_segments(data)), address))


def _careful(data: bytes, read: Callable[[bytes], _Result]) -> _Result:
    if not is_elf(data):
        raise InputError("not a 64-bit little-endian ELF file", hint="jeos knows amd64 and arm64 files")
    try:
        return read(data)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise InputError(f"damaged ELF file: {error}", hint="compare its digest with the package's") from error


def _segments(data: bytes) -> Iterator[_Segment]:
    header = _HEADER.unpack_from(data)
    offset, size, count = header[5], header[9], header[10]
    for index in range(count):
        kind, _, position, address, _, length, _, _ = _SEGMENT.unpack_from(data, offset + index * size)
        yield _Segment(kind=kind, offset=position, address=address, size=length)


def _slice(data: bytes, offset: int, size: int) -> bytes:
    if offset + size > len(data):
        raise ValueError(f"bytes {offset} to {offset + size} are beyond its end at {len(data)}")
    return data[offset : offset + size]


def _text(table: bytes, offset: int) -> str:
    return table[offset : table.index(b"\0", offset)].decode("utf-8", "surrogateescape")


def _read_interpreter(data: bytes) -> str | None:
    for segment in _segments(data):
        if segment.kind == _PT_INTERP:
            return _text(_slice(data, segment.offset, segment.size), 0)
    return None


def _read_entries(data: bytes) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    table = next((segment for segment in _segments(data) if segment.kind == _PT_DYNAMIC), None)
    if table is not None:
        for position in range(table.offset, table.offset + table.size, _DYNAMIC.size):
            tag, value = _DYNAMIC.unpack_from(data, position)
            if tag == _DT_NULL:
                break
            found.append((position, tag, value))
    return found


def _read_dynamic(data: bytes) -> Dynamic:
    segments = tuple(_segments(data))
    tags: dict[int, list[int]] = {}
    for _, tag, value in _read_entries(data):
        tags.setdefault(tag, []).append(value)
    if _DT_STRTAB not in tags:
        return Dynamic()
    strings = _slice(data, _file_offset(segments, tags[_DT_STRTAB][0]), tags.get(_DT_STRSZ, [0])[0])
    names = {tag: [_text(strings, value) for value in tags.get(tag, [])] for tag in (_DT_NEEDED, _DT_SONAME)}
    paths = [_text(strings, value) for value in tags.get(_DT_RUNPATH) or tags.get(_DT_RPATH) or []]
    return Dynamic(
        needed=tuple(names[_DT_NEEDED]),
        soname=next(iter(names[_DT_SONAME]), None),
        rpath=tuple(folder for path in paths for folder in path.split(":") if folder),
    )


def _file_offset(segments: tuple[_Segment, ...], address: int) -> int:
    for segment in segments:
        if segment.kind == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    raise ValueError(f"address {address:#x} is in no segment")


def _read_sections(data: bytes) -> dict[str, bytes]:
    header = _HEADER.unpack_from(data)
    offset, size, count, names_index = header[6], header[11], header[12], header[13]
    if count == 0:
        return {}
    table = [_SECTION.unpack_from(data, offset + index * size) for index in range(count)]
    names = _slice(data, table[names_index][4], table[names_index][5])
    found: dict[str, bytes] = {}
    for name, kind, _, _, position, length, *_ in table:
        content = b"" if kind == _SHT_NOBITS else _slice(data, position, length)
        found.setdefault(_text(names, name), content)
    return found


def _read_notes(data: bytes) -> tuple[tuple[str, int, bytes], ...]:
    found = []
    for segment in _segments(data):
        if segment.kind != _PT_NOTE:
            continue
        block = _slice(data, segment.offset, segment.size)
        position = 0
        while position + _NOTE.size <= len(block):
            name_size, content_size, kind = _NOTE.unpack_from(block, position)
            name_start = position + _NOTE.size
            content_start = name_start + _aligned(name_size)
            owner = _slice(block, name_start, name_size).rstrip(b"\0").decode("utf-8", "replace")
            found.append((owner, kind, _slice(block, content_start, content_size)))
            position = content_start + _aligned(content_size)
    return tuple(found)


def _aligned(size: int) -> int:
    return (size + 3) & ~3
