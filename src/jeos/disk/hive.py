"""A hive of Windows's registry, read in place: keys by their path, whatever the case, and what they hold.

    hive = Hive(Contents(filesystem, node))                      # …\\System32\\config\\SOFTWARE
    key = hive.key("Microsoft\\\\Windows NT\\\\CurrentVersion")
    key.text("ProductName")                                      # "Windows Server 2019 Standard"

Only the cells that are asked for are read. Source of the format: the layout that Windows writes (regf 1.3 to 1.6), as
hivex and the Samba and Wine projects describe it. Whatever the hive says, reading ends: a list of subkeys is at most
two levels deep, and counts are checked against the hive's size.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from jeos.core.errors import InputError
from jeos.disk.blocks import Blocks

NONE, TEXT, EXPANDED, BINARY, NUMBER, BIG_ENDIAN, LINK, TEXTS = range(8)  # REG_NONE, REG_SZ, …, REG_MULTI_SZ
LONG_NUMBER = 11  # REG_QWORD

_BASE = 4096  # bytes before the first bin; the places of cells count from there
_NOWHERE = 0xFFFFFFFF
_KEY_BYTES = 80  # of the smallest key
_NAMED_BYTES = 66_000  # of a key's or value's cell: names have less than 64 KiB
_NARROW = 0x0020  # of a key: its name is in Latin-1
_INLINE = 0x80000000  # of a value's length: the value stands in place of where it is
_SEGMENT = 16344  # bytes of each piece of a large value
_LARGEST_VALUE = 16 << 20  # far above what Windows stores in one value


def damaged(what: str) -> InputError:
    """Return the error for a hive that contradicts itself."""
    return InputError(f"a hive of the registry is damaged: {what}", hint="start Windows once, shut it down, try again")


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a key; "" is the name of the default one."""

    name: str
    type: int
    data: bytes

    @property
    def text(self) -> str:
        """Return a text without its end; a list of texts is joined by spaces."""
        return " ".join(self.texts)

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the texts of a list (REG_MULTI_SZ), or the only one; none where it holds something else."""
        if self.type not in (TEXT, EXPANDED, LINK, TEXTS):
            return ()
        whole = self.data.decode("utf-16-le", "replace")
        parts = whole.split("\0") if self.type == TEXTS else [whole.partition("\0")[0]]
        return tuple(part for part in parts if part)

    @property
    def number(self) -> int | None:
        """Return a number, None where it holds something else."""
        if self.type == BIG_ENDIAN and len(self.data) == 4:
            return int.from_bytes(self.data, "big")
        if (self.type, len(self.data)) in ((NUMBER, 4), (LONG_NUMBER, 8)):
            return int.from_bytes(self.data, "little")
        return None


class Key:
    """A key of a hive."""

    def __init__(self, hive: "Hive", cell: bytes) -> None:
        """Read the key's cell. Raises InputError if it is none."""
        if cell[:2] != b"nk" or len(cell) < 0x4C:
            raise damaged("a cell is not the key that it should be")
        self._hive = hive
        (flags,) = struct.unpack_from("<H", cell, 2)
        self._subkeys, _, self._list = struct.unpack_from("<III", cell, 0x14)
        self._values, self._value_list = struct.unpack_from("<II", cell, 0x24)
        length = struct.unpack_from("<H", cell, 0x48)[0]
        self.name = _name(cell[0x4C : 0x4C + length], narrow=bool(flags & _NARROW))

    def subkeys(self) -> Iterator["Key"]:
        """Yield the keys below, in the order of the hive: by name."""
        if self._subkeys and self._list != _NOWHERE:
            for number, place in enumerate(self._hive.subkeys(self._list)):
                if number * _KEY_BYTES > self._hive.size:
                    raise damaged("a key has more keys than fit into the hive")
                yield Key(self._hive, self._hive.cell(place, most=_NAMED_BYTES))

    def key(self, path: str) -> "Key | None":
        """Return the key at a path below this one, whatever its case; None if there is none."""
        here: Key | None = self
        for part in (part for part in path.split("\\") if part):
            if here is None:
                return None
            here = next((key for key in here.subkeys() if key.name.casefold() == part.casefold()), None)
        return here

    def values(self) -> Iterator[Value]:
        """Yield what the key holds."""
        left = self._hive.size
        for cell in self._value_cells():
            value = self._hive.value(cell)
            left -= len(value.data)
            if left < 0:
                raise damaged("a key has larger values than fit into the hive")
            yield value

    def value(self, name: str) -> Value | None:
        """Return the value of that name, whatever its case."""
        wanted = name.casefold()
        found = next((cell for cell in self._value_cells() if value_name(cell).casefold() == wanted), None)
        return None if found is None else self._hive.value(found)

    def _value_cells(self) -> Iterator[bytes]:
        if not self._values or self._value_list == _NOWHERE:
            return
        places = self._hive.cell(self._value_list)
        if len(places) < 4 * self._values:
            raise damaged(f"a key of {self._values} values has a list of {len(places) // 4}")
        for (place,) in struct.iter_unpack("<I", places[: 4 * self._values]):
            yield self._hive.cell(place, most=_NAMED_BYTES)

    def text(self, name: str) -> str:
        """Return the text of a value, "" if there is none."""
        value = self.value(name)
        return value.text if value else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts of a value, none if there is none."""
        value = self.value(name)
        return value.texts if value else ()

    def number(self, name: str) -> int | None:
        """Return the number of a value, None if there is none."""
        value = self.value(name)
        return value.number if value else None


class Hive:
    """A hive that is open for reading."""

    def __init__(self, blocks: Blocks) -> None:
        """Read the base block. Raises InputError if this is no hive."""
        self._blocks = blocks
        base = blocks.read(0, min(512, blocks.size))
        if base[:4] != b"regf" or len(base) < 512:
            raise damaged("it does not start as one")
        first, second = struct.unpack_from("<II", base, 4)
        self._root, self.size = struct.unpack_from("<II", base, 0x24)
        self.clean = first == second  # the numbers differ while a write is under way

    def root(self) -> Key:
        """Return the key at the top."""
        return Key(self, self.cell(self._root))

    def key(self, path: str) -> Key | None:
        """Return the key at a path, whatever its case; None if there is none."""
        return self.root().key(path)

    def cell(self, place: int, *, most: int | None = None) -> bytes:
        """Return what a cell holds, the first `most` bytes of it.

        Raises InputError for one that is free, or outside of the hive.
        """
        if place % 8 or place + 4 > self.size:
            raise damaged(f"there is no cell at {place}")
        (size,) = struct.unpack("<i", self._blocks.read(_BASE + place, 4))
        if size > -8 or place - size > self.size:
            raise damaged(f"the cell at {place} has {-size} bytes")
        length = -size - 4
        return self._blocks.read(_BASE + place + 4, length if most is None else min(most, length))

    def subkeys(self, place: int, *, nested: bool = False) -> Iterator[int]:
        """Yield the places of the keys in a list, or in a list of lists."""
        cell = self.cell(place)
        kind, count = cell[:2], struct.unpack_from("<H", cell, 2)[0]
        step = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}.get(kind)
        if step is None or (kind == b"ri" and nested) or len(cell) < 4 + count * step:
            raise damaged("a list of keys is none")
        for number in range(count):
            (item,) = struct.unpack_from("<I", cell, 4 + number * step)
            if kind == b"ri":
                yield from self.subkeys(item, nested=True)
            else:
                yield item

    def value(self, cell: bytes) -> Value:
        """Read a value's cell."""
        name = value_name(cell)
        size, place, kind = struct.unpack_from("<III", cell, 4)
        if size & _INLINE:
            return Value(name, kind, cell[8 : 8 + min(4, size & ~_INLINE)])
        return Value(name, kind, self._data(place, size) if size else b"")

    def _data(self, place: int, size: int) -> bytes:
        """Return a value's bytes: from one cell, or from pieces where it is too large for one."""
        if size > _LARGEST_VALUE:
            raise damaged(f"a value of {size} bytes")
        cell = self.cell(place)
        if size > _SEGMENT and cell[:2] == b"db" and len(cell) >= 8:
            count, places = struct.unpack_from("<HI", cell, 2)
            listed = self.cell(places)
            if count * _SEGMENT < size or len(listed) < 4 * count:
                raise damaged("a large value is cut off")
            wanted = -(-size // _SEGMENT)
            cell = b"".join(self.cell(item)[:_SEGMENT] for (item,) in struct.iter_unpack("<I", listed[: 4 * wanted]))
        if len(cell) < size:
            raise damaged("a value is cut off")
        return cell[:size]


def value_name(cell: bytes) -> str:
    """Return the name in a value's cell."""
    if cell[:2] != b"vk" or len(cell) < 0x14:
        raise damaged("a cell is not the value that it should be")
    length, flags = struct.unpack_from("<H", cell, 2)[0], struct.unpack_from("<H", cell, 0x10)[0]
    return _name(cell[0x14 : 0x14 + length], narrow=bool(flags & 1))


def _name(raw: bytes, *, narrow: bool) -> str:
    return raw.decode("latin-1") if narrow else raw.decode("utf-16-le", "replace")
