"""Unified kernel images: the boot stub, kernel, initial file system and command line in one EFI program.

    write(path, stub=stub, sections={".osrel": …, ".cmdline": …, ".linux": …, ".initrd": …})
    sections(path.read_bytes())[".cmdline"]

After the UAPI group's unified kernel image specification (UAPI.5) and Microsoft's PE format. The sections are appended
to those of systemd's stub; the name of each says what it is. Nothing is compressed or changed on the way.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from jeos.core.errors import InputError

# In the order in which they are written: what changes with each release stands before the large, stable ones.
ORDER = (".osrel", ".cmdline", ".uname", ".sbat", ".linux", ".initrd")

_PE_OFFSET = 0x3C  # where the DOS header says where the PE header is
_COFF = struct.Struct("<4sHHIIIHH")  # with the signature in front
_SECTION = struct.Struct("<8sIIIIIIHHI")
_OPTIONAL_MAGIC = {0x10B, 0x20B}  # PE32 and PE32+
# Offsets in the optional header, the same in both forms.
_SECTION_ALIGNMENT, _FILE_ALIGNMENT, _IMAGE_SIZE, _HEADERS_SIZE, _CHECKSUM = 32, 36, 56, 60, 64
_INITIALIZED_DATA_SIZE = 8

_PAGE = 4096  # bytes; stubs before systemd 254 give a smaller alignment, at which the kernel must not start
_LARGEST_SECTION = 1 << 28  # bytes; a header that says more is damaged, or meant to exhaust memory
_READABLE_DATA = 0x40000040  # IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    virtual_size: int
    virtual_address: int
    raw_size: int
    raw_offset: int


@dataclass(frozen=True, slots=True)
class _Headers:
    optional: int  # where the optional header starts
    table: int  # where the section table starts
    section_alignment: int
    file_alignment: int
    headers_size: int
    sections: tuple[_Section, ...]


def write(out: BinaryIO, *, stub: bytes, sections: Mapping[str, bytes]) -> None:
    """Write the stub with these sections added, those of `ORDER` first and in its order.

    Raises InputError if the stub is no PE file, has a section of the same name, or has no room for their headers.
    """
    headers = _read_headers(stub)
    taken = {section.name for section in headers.sections} & sections.keys()
    if taken:
        raise InputError(
            f"the boot stub has a section {', '.join(sorted(taken))} already", hint="use systemd's plain stub"
        )
    names = sorted(sections, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    table_end = headers.table + (len(headers.sections) + len(names)) * _SECTION.size
    if table_end > min(headers.headers_size, _first_content(headers)):
        raise InputError(
            f"the boot stub has no room for {len(names)} more section headers",
            hint="use systemd-boot-efi of Debian 12 or later",
        )
    file = bytearray(stub)
    memory_end = max(section.virtual_address + section.virtual_size for section in headers.sections)
    file_end = _aligned(len(stub), headers.file_alignment)
    entry = headers.table + len(headers.sections) * _SECTION.size
    placed: list[tuple[int, bytes]] = []
    for name in names:
        content = sections[name]
        address = _aligned(memory_end, max(headers.section_alignment, _PAGE))
        raw_size = _aligned(len(content), headers.file_alignment)
        header = (name.encode(), len(content), address, raw_size, file_end, 0, 0, 0, 0, _READABLE_DATA)
        _SECTION.pack_into(file, entry, *header)
        placed.append((file_end, content))
        memory_end, file_end, entry = address + len(content), file_end + raw_size, entry + _SECTION.size
    _update_headers(file, headers, added=names, memory_end=memory_end, raw=file_end - len(stub))
    out.write(file)
    position = len(file)
    for start, content in (*placed, (file_end, b"")):
        out.write(bytes(start - position))
        out.write(content)
        position = start + len(content)


def sections(data: bytes) -> dict[str, bytes]:
    """Return the sections of an EFI program by name; raises InputError if it is none, or is cut short."""
    found = {}
    for section in _read_headers(data).sections:
        size = min(section.virtual_size or section.raw_size, section.raw_size)
        if section.raw_offset + size > len(data):
            raise InputError(f"the EFI program ends inside its section {section.name}", hint="copy it again")
        found[section.name] = data[section.raw_offset : section.raw_offset + size]
    return found


def section(file: BinaryIO, name: str) -> bytes:
    """Return one section of an EFI program without reading the others; raises InputError if it has none of that name.

    The headers are taken to end within the first page, as those of systemd's stub do.
    """
    file.seek(0)
    for found in _read_headers(file.read(_PAGE)).sections:
        if found.name == name:
            file.seek(found.raw_offset)
            return file.read(min(found.virtual_size or found.raw_size, found.raw_size, _LARGEST_SECTION))
    raise InputError(f"the EFI program has no section {name}", hint="it is no unified kernel image")


def places(file: BinaryIO) -> dict[str, tuple[int, int]]:
    """Return where in an EFI program the bytes of each section are: offset and length.

    The headers are taken to end within the first page. Raises InputError if it is no EFI program.
    """
    file.seek(0)
    return {
        one.name: (one.raw_offset, min(one.virtual_size or one.raw_size, one.raw_size))
        for one in _read_headers(file.read(_PAGE)).sections
    }


def _aligned(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment


def _first_content(headers: _Headers) -> int:
    return min((section.raw_offset for section in headers.sections if section.raw_size), default=headers.headers_size)


def _read_headers(data: bytes) -> _Headers:
    try:
        (start,) = struct.unpack_from("<I", data, _PE_OFFSET)
        signature, _, count, _, _, _, optional_size, _ = _COFF.unpack_from(data, start)
        optional = start + _COFF.size
        (magic,) = struct.unpack_from("<H", data, optional)
        if data[:2] != b"MZ" or signature != b"PE\0\0" or magic not in _OPTIONAL_MAGIC:
            raise InputError("not an EFI program (PE file)", hint="systemd's stub is linuxx64.efi.stub")
        section_alignment, file_alignment = struct.unpack_from("<II", data, optional + _SECTION_ALIGNMENT)
        (headers_size,) = struct.unpack_from("<I", data, optional + _HEADERS_SIZE)
        table = optional + optional_size
        entries = [_SECTION.unpack_from(data, table + index * _SECTION.size) for index in range(count)]
    except struct.error as error:
        raise InputError("not an EFI program (PE file): its headers are cut short", hint="copy it again") from error
    if not entries or section_alignment < 1 or file_alignment < 1:
        raise InputError("damaged EFI program: it has no sections or no alignment", hint="copy it again")
    return _Headers(
        optional=optional,
        table=table,
        section_alignment=section_alignment,
        file_alignment=file_alignment,
        headers_size=headers_size,
        sections=tuple(
            _Section(
                name=entry[0].rstrip(b"\0").decode("ascii", "replace"),
                virtual_size=entry[1],
                virtual_address=entry[2],
                raw_size=entry[3],
                raw_offset=entry[4],
            )
            for entry in entries
        ),
    )


def _update_headers(file: bytearray, headers: _Headers, *, added: list[str], memory_end: int, raw: int) -> None:
    count_offset = headers.optional - _COFF.size + 6
    struct.pack_into("<H", file, count_offset, len(headers.sections) + len(added))
    (initialized,) = struct.unpack_from("<I", file, headers.optional + _INITIALIZED_DATA_SIZE)
    struct.pack_into("<I", file, headers.optional + _INITIALIZED_DATA_SIZE, initialized + raw)
    image_size = _aligned(memory_end, headers.section_alignment)
    struct.pack_into("<I", file, headers.optional + _IMAGE_SIZE, image_size)
    struct.pack_into("<I", file, headers.optional + _CHECKSUM, 0)  # firmware does not read it; sbsign sets it
