"""Shared libraries: what files are linked to, and which libraries nothing in a tree is linked to.

A package often brings libraries for uses of which an appliance has none: a module of its login system that keeps users
in a Berkeley DB, say. Once the module is gone, nobody asks for the library.
"""

from collections.abc import Callable, Collection, Iterable

from jeos.build.contents import Contents
from jeos.disk import elf
from jeos.model.tree import Entry, Kind

HEAD = 128  # bytes that tell an ELF file


def linked_in(contents: Contents) -> Callable[[Entry], tuple[str, ...]]:
    """Return a function that tells the names of the libraries that a file is linked to; each file is read once."""
    known: dict[str, tuple[str, ...]] = {}

    def linked(entry: Entry) -> tuple[str, ...]:
        if entry.path not in known:
            is_elf = elf.is_elf(contents.head(entry, size=HEAD))
            known[entry.path] = elf.needed(contents.read(entry)) if is_elf else ()
        return known[entry.path]

    return linked


def idle(
    entries: Iterable[Entry], candidates: Collection[str], *, linked: Callable[[Entry], Iterable[str]]
) -> set[str]:
    """Return the paths among the candidates that nothing which stays needs, directly or through another library.

    `linked` returns the names of the libraries that a file is linked to; it is called for what looks like a program or
    a library. A link that stays keeps what it points to.
    """
    left = set(candidates)
    by_name: dict[str, list[Entry]] = {}
    staying = []
    for entry in entries:
        if entry.path in left:
            by_name.setdefault(entry.name, []).append(entry)
        else:
            staying.append(entry)
    while staying and left:
        for name in _asked_for(staying.pop(), linked):
            needed = by_name.pop(name, [])
            left.difference_update(entry.path for entry in needed)
            staying += needed
    return left


def _asked_for(entry: Entry, linked: Callable[[Entry], Iterable[str]]) -> Iterable[str]:
    if entry.kind is Kind.SYMLINK:
        return (entry.target.rpartition("/")[2],)
    if entry.hardlink:
        return (entry.hardlink.rpartition("/")[2],)
    return linked(entry) if looks_linked(entry) else ()


def looks_linked(entry: Entry) -> bool:
    """Tell whether an entry may be linked to libraries, by its mode and name alone."""
    return entry.kind is Kind.FILE and not entry.hardlink and bool(entry.mode & 0o111 or ".so" in entry.name)
