"""What LVM2 writes at the start of a physical volume: its label, and an area in which the group is described, as text.

    found = label(blocks)                                  # None where this is no physical volume
    data, descriptions = found.areas()
    read(blocks, start=4096, size=1044480).text            # the newest state of the group, as sections

After LVM2's lib/format_text/layout.h, and libblkid's superblocks/lvm.c.
"""

import struct
import zlib
from dataclasses import dataclass

from jeos.disk.blocks import Blocks
from jeos.disk.volumes.lvm_text import Section, damaged, parse
from jeos.model.image import SECTOR

_LABEL_SECTORS = 4  # the label is in one of the first sectors
_LABEL = struct.Struct("<8sQII8s")
_LABEL_ID, _LABEL_TYPE = b"LABELONE", b"LVM2 001"
_SUMMED_FROM, _SUM_AT = 20, 16  # bytes of the label's sector
_IDENTITY_BYTES = 32
_SIZE_BYTES = 8
_CHECKSUM_START = 0xF597A6CF  # lib/misc/crc.h
_PLACE = struct.Struct("<QQ")
_PLACES_MOST = 16  # areas of data or metadata that a label lists

_AREA = struct.Struct("<I16sIQQ")
_AREA_MAGIC = b" LVM2 x[5A%r0N*>"
HEADER_BYTES = 512  # of an area; the ring of texts follows
_TEXT = struct.Struct("<QQII")
_TEXT_MOST = 16 << 20  # bytes of metadata; groups of a thousand volumes have one


@dataclass(frozen=True, slots=True)
class Label:
    """A physical volume's label: its sector, where that is, and where in it the volume's own part begins."""

    start: int
    sector: bytes
    header: int

    @property
    def identity(self) -> str:
        """Return the physical volume's UUID, without dashes."""
        return self.sector[self.header : self.header + _IDENTITY_BYTES].decode("ascii", "replace")

    def areas(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return where data is, and where descriptions are, as offset and size; a size of 0 means to the end."""
        position, data = self._places(self.header + _IDENTITY_BYTES + _SIZE_BYTES)
        return data, self._places(position)[1]

    def _places(self, position: int) -> tuple[int, list[tuple[int, int]]]:
        """Return a list of places that ends with zeros, and where it ends."""
        found: list[tuple[int, int]] = []
        for _ in range(_PLACES_MOST):
            if position + _PLACE.size > len(self.sector):
                break
            start, size = _PLACE.unpack_from(self.sector, position)
            position += _PLACE.size
            if not start:
                return position, found
            found.append((start, size))
        raise damaged("its label lists areas without an end")

    def resized(self, size: int) -> bytes:
        """Return the sector for a physical volume of `size` bytes."""
        changed = bytearray(self.sector)
        struct.pack_into("<Q", changed, self.header + _IDENTITY_BYTES, size)
        struct.pack_into("<I", changed, _SUM_AT, checksum_of(bytes(changed[_SUMMED_FROM:])))
        return bytes(changed)


def label(blocks: Blocks) -> Label | None:
    """Return a physical volume's label, None if this is none."""
    length = min(blocks.size // SECTOR, _LABEL_SECTORS) * SECTOR
    head = blocks.read(0, length)
    for start in range(0, length, SECTOR):
        sector = head[start : start + SECTOR]
        if sector[:8] != _LABEL_ID:
            continue
        _, number, checksum, offset, kind = _LABEL.unpack_from(sector)
        if kind == _LABEL_TYPE and number * SECTOR == start and checksum_of(sector[_SUMMED_FROM:]) == checksum:
            return Label(start, sector, offset)
    return None


def checksum_of(data: bytes) -> int:
    """Return LVM's checksum: CRC-32 with another start, and without turning the bits at its ends."""
    return zlib.crc32(data, _CHECKSUM_START ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Area:
    """An area of descriptions: `size` bytes from `start` on, the newest text at `offset` in it, `length` bytes long.

    `text` is empty where nothing is described yet.
    """

    start: int
    size: int
    header: bytes
    offset: int = 0
    length: int = 0
    text: Section | None = None

    def next_place(self, length: int) -> int | None:
        """Return where the next text can stand without touching this one, None if there is no room for it.

        LVM itself lets a text go around the end of the ring; one that does not is read as well.
        """
        end = self.offset + self.length
        wrapped = end > self.size
        after = -(-(end - self.size + HEADER_BYTES if wrapped else end) // SECTOR) * SECTOR
        if after + length <= (self.offset if wrapped else self.size):
            return after
        return HEADER_BYTES if not wrapped and HEADER_BYTES + length <= self.offset else None

    def pointing(self, offset: int, text: bytes) -> bytes:
        """Return the header for a text at another place in the area."""
        changed = bytearray(self.header)
        _TEXT.pack_into(changed, _AREA.size, offset, len(text), checksum_of(text), 0)
        changed[_AREA.size + _TEXT.size : _AREA.size + 2 * _TEXT.size] = bytes(_TEXT.size)  # of a change under way
        struct.pack_into("<I", changed, 0, checksum_of(bytes(changed[4:])))
        return bytes(changed)


def read(blocks: Blocks, *, start: int) -> Area:
    """Return an area with its newest text. Raises InputError if it is damaged."""
    header = blocks.read(start, HEADER_BYTES)
    checksum, magic, _, own, size = _AREA.unpack_from(header)
    if magic != _AREA_MAGIC or checksum_of(header[4:]) != checksum:
        raise damaged("the header of its metadata does not sum up")
    if own != start or size > blocks.size:
        raise damaged(f"an area of {size} bytes at {own}")
    offset, length, expected, _ = _TEXT.unpack_from(header, _AREA.size)
    if not offset or not length:
        return Area(start, size, header)
    if length > min(_TEXT_MOST, size) or not HEADER_BYTES <= offset < size:
        raise damaged(f"{length} bytes of text at {offset}, in an area of {size}")
    ahead = min(length, size - offset)
    text = blocks.read(start + offset, ahead)
    if ahead < length:
        text += blocks.read(start + HEADER_BYTES, length - ahead)
    if checksum_of(text) != expected:
        raise damaged("its text does not sum up")
    return Area(start, size, header, offset, length, parse(text.rstrip(b"\0").decode("utf-8", "replace")))
