"""The members of a tar archive, read in place: which there are, and where their bytes begin.

    for member in members(blocks, source="web.ova"):
        content = Window(blocks, start=member.start, size=member.size)

The forms are ustar, pax (POSIX.1-2001) and GNU's (octal and binary sizes, long names). What an archive of disks has no
use for is refused: links, devices, sparse members, paths that lead out of it, and two members of one name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks

BLOCK = 512  # bytes; headers and contents begin at multiples of it
MOST_MEMBERS = 1000
LONGEST_EXTENSION = 64 << 10  # bytes of a long name or of pax records
NAME, SIZE, CHECKSUM, TYPE, MAGIC, PREFIX = (0, 100), (124, 136), (148, 156), 156, (257, 263), (345, 500)
REGULAR = (b"\0", b"0", b"7")
FOLDER, PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK_NAME = b"5", b"x", b"g", b"L", b"K"
REFUSED = {b"1": "a link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a pipe", b"S": "a sparse file"}
HINT = "make the archive again with the tool that exported the machine"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive: its `size` bytes begin at the byte `start`."""

    name: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    size: int
    type: bytes


def is_archive(blocks: Blocks) -> bool:
    """Tell whether there is a tar header at the beginning."""
    return blocks.size >= BLOCK and _checksum_holds(blocks.read(0, BLOCK))


def members(blocks: Blocks, *, source: str) -> Iterator[Member]:
    """Yield the files of an archive in their order. Raises InputError, naming `source`, if it is damaged or hostile."""
    names: set[str] = set()
    place, count = 0, 0
    extension: dict[str, str] = {}
    while place + BLOCK <= blocks.size:
        block = blocks.read(place, BLOCK)
        if not any(block):  # the end; what follows is padding
            break
        count += 1
        if count > MOST_MEMBERS:
            raise InputError(f"{source} has more than {MOST_MEMBERS} members", hint="an OVA has a handful")
        header = _extended(_header(block, place=place, source=source), extension)
        start = place + BLOCK
        if start + header.size > blocks.size:
            raise InputError(f"{source} is cut off in its member {header.name[:80]!r}", hint="copy it again")
        place = start + -(-header.size // BLOCK) * BLOCK
        if header.type in (PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK_NAME):
            extension |= _extension(blocks, header, start=start, source=source)
            continue
        extension = {}
        if header.type == FOLDER:
            continue
        yield Member(name=_checked(header, names, source=source), start=start, size=header.size)
    if not count:
        raise InputError(f"{source} is an empty archive", hint=HINT)


def _checksum_holds(block: bytes) -> bool:
    """Tell whether a header's sum is right: of its bytes, with the sum's own field as spaces."""
    begin, end = CHECKSUM
    digits = block[begin:end].strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        return False
    signed = sum(byte - 256 if byte > 127 else byte for byte in block[:begin] + b" " * 8 + block[end:])
    return int(digits, 8) in (
        sum(block[:begin]) + 8 * ord(" ") + sum(block[end:]),
        signed,
    )  # old tools added signed bytes


def _header(block: bytes, *, place: int, source: str) -> _Header:
    if not _checksum_holds(block):
        raise InputError(f"{source} is damaged: there is no tar header at byte {place}", hint="copy it again")
    name = _text(block[slice(*NAME)])
    if block[slice(*MAGIC)] == b"ustar\0":  # GNU's own form has other fields where ustar has the prefix
        prefix = _text(block[slice(*PREFIX)])
        name = f"{prefix}/{name}" if prefix else name
    size = _number(block[slice(*SIZE)])
    if size is None:
        raise InputError(
            f"{source} is damaged: the size of its member {name[:80]!r} is no number", hint="copy it again"
        )
    return _Header(name=name, size=size, type=block[TYPE : TYPE + 1])


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="surrogateescape")


def _number(field: bytes) -> int | None:
    """Return a number that is written in octal digits, or in binary behind a byte 0x80 (GNU); None if it is none."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    return None if digits.strip(b"01234567") else int(digits or b"0", 8)


def _extension(blocks: Blocks, header: _Header, *, start: int, source: str) -> dict[str, str]:
    """Return what a member of its own says of the next one: `path` and `size`."""
    if header.size > LONGEST_EXTENSION:
        raise InputError(f"{source} has {header.size} bytes of names and attributes before a member", hint=HINT)
    content = blocks.read(start, header.size)
    if header.type == GNU_NAME:
        return {"path": _text(content)}
    if header.type == GNU_LINK_NAME:
        return {}
    records = _records(content, source=source)
    if any(key.startswith("GNU.sparse") for key in records):
        raise InputError(f"{source} has a sparse member, which is not possible in an OVA", hint=HINT)
    if header.type == PAX_GLOBAL:
        return {}
    return {key: value for key, value in records.items() if key in ("path", "size")}


def _records(content: bytes, *, source: str) -> dict[str, str]:
    """Return pax records: each is "LENGTH KEY=VALUE\\n", and its length counts all of that."""
    records, place = {}, 0
    while place < len(content) and content[place]:
        digits, space, _ = content[place : place + 8].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = content[place + len(digits) + 1 : place + length]
        key, equals, value = record.partition(b"=")
        if not space or not equals or not record.endswith(b"\n") or place + length > len(content):
            raise InputError(f"{source} is damaged: the attributes of a member are cut off", hint="copy it again")
        records[key.decode(errors="replace")] = value[:-1].decode(errors="surrogateescape")
        place += length
    return records


def _extended(header: _Header, extension: dict[str, str]) -> _Header:
    """Return a header with what was said of it before."""
    if header.type in (PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK_NAME):
        return header
    size = extension.get("size", "")
    return replace(
        header,
        name=extension.get("path", header.name),
        size=int(size) if size.isascii() and size.isdigit() and len(size) < 20 else header.size,
    )


def _checked(header: _Header, names: set[str], *, source: str) -> str:
    """Return a member's name without "./" before it, and remember it."""
    shown = repr(header.name[:80])
    if header.type not in REGULAR:
        what = REFUSED.get(header.type, "of an unknown kind")
        raise InputError(f"the member {shown} of {source} is {what}", hint="an OVA has nothing but files")
    parts = [part for part in header.name.split("/") if part not in ("", ".")]
    if header.name.startswith("/") or ".." in parts or "\\" in header.name or not parts:
        raise InputError(f"the member {shown} of {source} would be outside of it", hint=HINT)
    name = "/".join(parts)
    if name in names:
        raise InputError(f"{source} has two members {shown}", hint=HINT)
    names.add(name)
    return name
