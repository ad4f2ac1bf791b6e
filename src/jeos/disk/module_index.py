"""The binary indexes beside a kernel's modules (`modules.dep.bin`, `modules.alias.bin`), which are all that kmod reads.

    build([("virtio_blk", "kernel/drivers/block/virtio_blk.ko: kernel/…", 0)])
    dict(read(data))["virtio_blk"]

An index is a trie over 7-bit characters: the magic number and version, where its root is, then nodes, each behind its
children. Where a node is says in the upper four bits what it has: the characters that all below it share, children by
the next character, values with their priorities (the smaller wins). All numbers are big-endian.
The format is described by kmod's `shared`/`libkmod/libkmod-index.h`; `depmod` writes it.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os.path import commonprefix

from jeos.core.errors import InputError

_MAGIC = 0xB007F457
_VERSION = 0x00020001
_HAS_PREFIX, _HAS_VALUES, _HAS_CHILDREN = 0x80000000, 0x40000000, 0x20000000
_PLACE = 0x0FFFFFFF  # the bits of a node's place that say where it is
_LARGEST_CHARACTER = 127
_LONGEST = 256  # characters of a key; those of Debian's kernels have at most 98
_DEEPEST = 4096  # characters of the longest key that is followed; real ones have a few hundred


@dataclass(slots=True)
class _Node:
    prefix: str = ""
    values: list[tuple[int, str]] = field(default_factory=list)
    children: dict[str, "_Node"] = field(default_factory=dict)


def build(entries: Iterable[tuple[str, str, int]]) -> bytes:
    """Return an index of keys, values and priorities; a key may come more than once.

    Keys with other characters than ASCII are left out, since an index has no place for them, and so are those of more
    than 256 characters: a trap for what walks an index. Real ones are shorter.
    """
    by_key: dict[str, list[tuple[int, str]]] = {}
    for key, value, priority in entries:
        if len(key) <= _LONGEST and all(0 < ord(character) <= _LARGEST_CHARACTER for character in key):
            by_key.setdefault(key, []).append((priority, value))
    for values in by_key.values():
        values.sort(key=lambda value: value[0])
    out = bytearray(struct.pack(">III", _MAGIC, _VERSION, 0))
    root = _write(_trie(by_key), out)
    struct.pack_into(">I", out, 8, root)
    return bytes(out)


def _trie(by_key: dict[str, list[tuple[int, str]]]) -> _Node:
    """Return the trie of these keys: each node holds what its keys share, and branches at the next character."""
    shared = commonprefix(list(by_key)) if by_key else ""  # noqa: RUF071 characters are what is meant
    node = _Node(prefix=shared, values=by_key.get(shared, []))
    branches: dict[str, dict[str, list[tuple[int, str]]]] = {}
    for key, values in by_key.items():
        if len(key) > len(shared):
            branches.setdefault(key[len(shared)], {})[key[len(shared) + 1 :]] = values
    node.children = {character: _trie(branch) for character, branch in branches.items()}
    return node


def _write(node: _Node, out: bytearray) -> int:
    """Append a node behind its children and return its place."""
    places = {character: _write(child, out) for character, child in sorted(node.children.items())}
    place = len(out)
    if node.prefix:
        place |= _HAS_PREFIX
        out += node.prefix.encode("ascii") + b"\0"
    if places:
        place |= _HAS_CHILDREN
        first, last = ord(min(places)), ord(max(places))
        out += bytes((first, last))
        out += b"".join(struct.pack(">I", places.get(chr(number), 0)) for number in range(first, last + 1))
    if node.values:
        place |= _HAS_VALUES
        out += struct.pack(">I", len(node.values))
        out += b"".join(struct.pack(">I", priority) + value.encode() + b"\0" for priority, value in node.values)
    return place


def read(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of an index, aliases with their wildcards. Raises InputError if it is damaged."""
    try:
        magic, version, root = struct.unpack_from(">III", data)
        if magic != _MAGIC or version >> 16 != _VERSION >> 16:
            raise InputError(f"not an index of kernel modules: it starts with {data[:8].hex()}")
        seen: set[int] = set()
        pending = [(root, "")]
        while pending:
            place, key = pending.pop()
            at = place & _PLACE
            if at in seen or len(key) > _DEEPEST:  # each node has one parent
                raise InputError("an index of kernel modules is damaged: it leads in a circle")
            seen.add(at)
            if place & _HAS_PREFIX:
                prefix, at = _text(data, at)
                key += prefix
            if place & _HAS_CHILDREN:
                first, last = data[at], data[at + 1]
                count = max(0, last - first + 1)
                places = struct.unpack_from(f">{count}I", data, at + 2)
                pending += [(child, key + chr(first + number)) for number, child in enumerate(places) if child]
                at += 2 + 4 * count
            if place & _HAS_VALUES:
                (count,) = struct.unpack_from(">I", data, at)
                at += 4
                for _ in range(count):
                    value, at = _text(data, at + 4)
                    yield key, value
    except (struct.error, IndexError) as error:
        raise InputError("an index of kernel modules is damaged: it ends within a node") from error


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    if end < 0:
        raise InputError("an index of kernel modules is damaged: a text does not end")
    return data[at:end].decode("utf-8", "replace"), end + 1
