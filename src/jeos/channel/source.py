"""One release as publishing sees it: what is in its slot, where the bytes are, and its kernel image."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jeos.model import outline
from jeos.model.tree import Entry, Kind, Tree

Read = Callable[[str], bytes]


@dataclass(frozen=True)
class Source:
    """A release whose contents can be read: `read` returns the bytes that have a SHA-256 (hexadecimal).

    `time` is that of its EROFS, in seconds since 1970; `kernel` is the unified kernel image.
    """

    version: str
    root_hash: str
    time: int
    tree: Tree
    read: Read
    kernel: Path


def contents(tree: Tree) -> list[Entry]:
    """Return the files of a tree that hold something, in tree order: what patches and indexes number, from 0 on.

    A hard link is not among them, nor an empty file.
    """
    return [entry for entry in tree if entry.kind is Kind.FILE and entry.size and not entry.hardlink]


def outlined(source: Source) -> bytes:
    """Return a release's tree as the text that patches start from."""
    return outline.dump(outline.canonical(source.tree), time=source.time)
