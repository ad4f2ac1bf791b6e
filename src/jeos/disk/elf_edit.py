"""Take a shared library away from a program that does not call it.

    without_library(Path("/usr/bin/luajit").read_bytes(), "libm.so.6")

The program no longer asks for the library, and what it would take from there is marked as weak: the dynamic linker
then leaves such an address at 0 instead of refusing to start. The file keeps its size and its code. After the System V
ABI (gABI 4.1), chapter 5, and the Linux Standard Base 5.0, "Symbol Versioning".
"""

import struct
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk import elf

_DYNAMIC = struct.Struct("<qQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_VERSION_NEED = struct.Struct("<HHIII")  # version, number of auxiliary entries, file, first of these, next
_VERSION = struct.Struct("<IHHII")  # hash, flags, index, name, next
_INDEX = struct.Struct("<H")

_DT_NEEDED, _DT_STRTAB, _DT_SYMTAB = 1, 5, 6
_DT_VERSYM, _DT_VERNEED, _DT_VERNEEDNUM = 0x6FFFFFF0, 0x6FFFFFFE, 0x6FFFFFFF
_GLOBAL, _WEAK = 1, 2  # a symbol's binding, in the upper half of its second byte
_VERSION_MASK, _ANY_VERSION = 0x7FFF, 1


@dataclass(slots=True)
class _File:
    """A file that is edited: its bytes, and the place of each entry of its dynamic section, by tag."""

    data: bytearray
    entries: list[tuple[int, int, int]]  # place, tag, value

    def value(self, tag: int) -> int:
        return next(value for _, found, value in self.entries if found == tag)

    def place(self, tag: int) -> int:
        return elf.file_offset(bytes(self.data), self.value(tag))

    def name(self, offset: int) -> str:
        start = self.place(_DT_STRTAB) + offset
        return self.data[start : self.data.index(b"\0", start)].decode()


def without_library(data: bytes, name: str) -> bytes:
    """Return a program that does without a library, or the same bytes if it does not ask for it.

    Whatever calls a function of the library afterwards ends with a segmentation fault. Raises InputError for a damaged
    file, and for one that tells no versions, by which alone it is known what comes from the library.
    """
    if name not in elf.needed(data):
        return data
    file = _File(data=bytearray(data), entries=elf.dynamic_entries(data))
    try:
        versions = _forget_versions(file, name)
        _weaken(file, versions)
        _forget_need(file, name)
    except (struct.error, StopIteration, ValueError, IndexError) as error:
        raise InputError(f"cannot take {name} from a program: {error}", hint="is the program Debian's?") from error
    return bytes(file.data)


def _forget_versions(file: _File, name: str) -> set[int]:
    """Unlink the library from the list of versions, and return the indexes of those that it had."""
    first = place = file.place(_DT_VERNEED)
    before: int | None = None
    for _ in range(file.value(_DT_VERNEEDNUM)):
        _, count, library, auxiliary, step = _VERSION_NEED.unpack_from(file.data, place)
        if file.name(library) == name:
            found, at = set(), place + auxiliary
            for _ in range(count):
                _, _, index, _, after = _VERSION.unpack_from(file.data, at)
                found.add(index & _VERSION_MASK)
                at += after
            _unlink(file, place, step=step, before=before)
            return found
        before, place = place, place + step
    raise ValueError(f"no version of it is named from {first:#x}")


def _unlink(file: _File, place: int, *, step: int, before: int | None) -> None:
    for at, tag, value in file.entries:
        if tag == _DT_VERNEEDNUM:
            _DYNAMIC.pack_into(file.data, at, tag, value - 1)
        if tag == _DT_VERNEED and before is None:
            _DYNAMIC.pack_into(file.data, at, tag, value + step)
    if before is not None:
        version, count, library, auxiliary, own_step = _VERSION_NEED.unpack_from(file.data, before)
        _VERSION_NEED.pack_into(file.data, before, version, count, library, auxiliary, own_step + step if step else 0)


def _weaken(file: _File, versions: set[int]) -> None:
    """Mark what has one of these versions as weak and without a version."""
    symbols, indexes = file.place(_DT_SYMTAB), file.place(_DT_VERSYM)
    # The table of symbols has no length of its own; the list of versions has an index for each, and the table of
    # strings follows the symbols in whatever a linker writes.
    count = (file.place(_DT_STRTAB) - symbols) // _SYMBOL.size
    if count <= 0:
        raise ValueError("its strings stand before its symbols")
    for number in range(count):
        at = indexes + number * _INDEX.size
        if _INDEX.unpack_from(file.data, at)[0] & _VERSION_MASK in versions:
            _INDEX.pack_into(file.data, at, _ANY_VERSION)
            info = symbols + number * _SYMBOL.size + 4
            if file.data[info] >> 4 == _GLOBAL:
                file.data[info] = _WEAK << 4 | file.data[info] & 0xF


def _forget_need(file: _File, name: str) -> None:
    """Close the gap that the library leaves in the dynamic section; each entry after it moves up."""
    at = next(at for at, tag, value in file.entries if tag == _DT_NEEDED and file.name(value) == name)
    last = file.entries[-1][0]
    file.data[at:last] = file.data[at + _DYNAMIC.size : last + _DYNAMIC.size]
    _DYNAMIC.pack_into(file.data, last, 0, 0)
