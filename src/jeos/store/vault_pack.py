"""A pack: some hundreds of chunks in one file that is written once, with a directory at its end.

    offset 0   "jeospk1\\n"
    8          chunks, one behind the other, each sealed (`vault_seal`)
    …          the directory, a document: chunk, offset, stored length with the form in its top bit, for each
    -12        length of the directory, 4 bytes
    -8         "jeosend\\n"

Numbers are big-endian. The indexes of a vault say the same; the directory is what they are made of again when lost.
"""

import os
import struct

from jeos.store.codec import Form
from jeos.store.places.place import Reader
from jeos.store.vault_errors import DamagedFileError
from jeos.store.vault_index import ID_SIZE, PACKED_BIT, Entry, Location
from jeos.store.vault_seal import Bytes, Seal, SealError

MAGIC, END_MAGIC = b"jeospk1\n", b"jeosend\n"
TAIL = struct.Struct(">I8s")
RECORD = struct.Struct(f">{ID_SIZE}sII")
PACK_SIZE = 12 << 20  # bytes after which a pack is closed: few files, and little to write again when it is half empty
ROOM = 256 << 10  # bytes that a pack takes beyond that, usually: its last chunk, and its directory
PACK_LIMIT = 1 << 30  # no pack is as long; what says so is damaged
FOLDER = "packs/"


def name_of(pack: bytes) -> str:
    """Return the name of a pack's file."""
    return f"{FOLDER}{pack[:1].hex()}/{pack.hex()}"


def id_of(name: str) -> bytes | None:
    """Return the pack that a file is by its name, or None if it is foreign."""
    digits = name.rpartition("/")[2]
    try:
        pack = bytes.fromhex(digits)
    except ValueError:
        return None
    return pack if name == name_of(pack) else None


class PackBuilder:
    """A pack that is being filled, in memory: in `buffer`, which may be that of a pack that is written."""

    def __init__(self, seal: Seal, *, buffer: bytearray | None = None) -> None:
        self.pack = os.urandom(12)
        self.buffer = bytearray(PACK_SIZE + ROOM) if buffer is None else buffer
        self.entries: list[Entry] = []
        self._seal = seal
        self._length = 0
        self._append(MAGIC)

    def add(self, chunk_id: bytes, packed: Bytes, *, form: Form) -> int:
        """Append a packed chunk; return how many bytes it takes."""
        offset = self._length
        sealed = self._seal.close_chunk(self.pack, offset, chunk_id, packed)
        self._append(sealed)
        self.entries.append((chunk_id, Location(pack=self.pack, offset=offset, length=len(sealed), form=form)))
        return len(sealed)

    def full(self) -> bool:
        """Tell whether it is time to write it."""
        return self._length >= PACK_SIZE

    def finish(self) -> memoryview:
        """Append the directory and return the whole file, which is there as long as nobody else fills the buffer."""
        directory = b"".join(
            RECORD.pack(chunk_id, at.offset, at.length | (PACKED_BIT if at.form is Form.ZSTD else 0))
            for chunk_id, at in self.entries
        )
        document = self._seal.close(name_of(self.pack), directory)
        self._append(document + TAIL.pack(len(document), END_MAGIC))
        return memoryview(self.buffer)[: self._length]

    def _append(self, data: Bytes) -> None:
        self.buffer[self._length : self._length + len(data)] = data  # which grows, should it not suffice
        self._length += len(data)


def read_directory(place: Reader, pack: bytes, *, size: int, seal: Seal) -> list[Entry]:
    """Return what a pack of `size` bytes holds, from its directory.

    Raises DamagedFileError if it is cut off or changed, MissingFileError if it is gone.
    """
    name = name_of(pack)

    def damaged(reason: str) -> DamagedFileError:
        return DamagedFileError(name, where=place.place, reason=reason)

    tail = place.get(name, offset=max(0, size - TAIL.size), limit=TAIL.size)
    if len(tail) < TAIL.size or tail[4:] != END_MAGIC:
        raise damaged("its end is missing")
    length, _ = TAIL.unpack(tail)
    start = size - TAIL.size - length
    if start < len(MAGIC):
        raise damaged("its directory is longer than the file")
    try:
        directory = seal.open(name, place.get(name, offset=start, limit=length))
        records = list(RECORD.iter_unpack(directory))
    except SealError as error:
        raise damaged(f"its directory: {error}") from None
    except struct.error:
        raise damaged("its directory is no whole number of records") from None
    entries = []
    for chunk_id, offset, stored in records:
        form = Form.ZSTD if stored & PACKED_BIT else Form.PLAIN
        at = Location(pack=pack, offset=offset, length=stored & ~PACKED_BIT, form=form)
        if offset < len(MAGIC) or at.end > start:
            raise damaged(f"its directory names bytes {offset} to {at.end}, outside of the chunks")
        entries.append((chunk_id, at))
    return entries
