"""Roots: what a store must keep. A root is a named list of objects; garbage collection spares what a root lists.

refs/<kind>/<name>      for example refs/release/hello_1.2
    jeos root 1
    index 3b1f…         an index: the object itself, and every chunk that it lists
    object 9c0e…        an object
    end 51aa…           SHA-256 of all lines above, so that a damaged root is noticed before anything is deleted
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jeos.core import files
from jeos.core.errors import StoreError
from jeos.model.index import ChunkIndex, from_bytes
from jeos.store.base import MissingObjectError, checked_digest
from jeos.store.local import LocalStore

_HEADER = "jeos root 1"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~:@-]{0,199}")


@dataclass(frozen=True, slots=True)
class Root:
    """A named list of objects, and of indexes whose chunks are kept with them; digests in hexadecimal, sorted."""

    kind: str
    name: str
    objects: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()


def write_root(
    store: LocalStore, *, kind: str, name: str, objects: Iterable[str] = (), indexes: Iterable[str] = ()
) -> Root:
    """Name objects and indexes under a root, in place of what it named before; they are on the disk first.

    Hold `store.lease()` from before the objects are written until the root is. Raises MissingObjectError if one of
    them is not there, InputError if what is said to be an index is none.
    """
    root = Root(kind=kind, name=name, objects=tuple(sorted(set(objects))), indexes=tuple(sorted(set(indexes))))
    path = _path(store, kind=kind, name=name)
    for digest in (*root.objects, *root.indexes):
        if not store.has(digest):
            raise MissingObjectError(digest, where=str(store.folder))
    for digest in root.indexes:
        read_index(store, digest)  # what is no index must not stand in the way of every later collection
    store.flush()  # of durable objects the bytes are on the disk, but perhaps not the names
    files.write(path, _encode(root))
    return root


def read_root(store: LocalStore, *, kind: str, name: str) -> Root:
    """Return a root; raises StoreError if there is none, or if it is damaged."""
    path = _path(store, kind=kind, name=name)
    try:
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        raise StoreError(f"the store has no root {kind}/{name}", hint="`jeos store stats` counts the roots") from None
    return _decode(text, kind=kind, name=name, path=path)


def delete_root(store: LocalStore, *, kind: str, name: str) -> None:
    """Forget a root; its objects go with the next collection. Nothing happens if it is not there."""
    _path(store, kind=kind, name=name).unlink(missing_ok=True)


def roots(store: LocalStore) -> Iterator[Root]:
    """Yield every root; raises StoreError if one is damaged."""
    for path in sorted((store.folder / "refs").glob("*/*")):
        if path.name.startswith("."):  # being written
            continue
        try:
            text = path.read_text(errors="replace")
        except FileNotFoundError:  # deleted since we listed it
            continue
        yield _decode(text, kind=path.parent.name, name=path.name, path=path)


def read_index(store: LocalStore, digest: str) -> ChunkIndex:
    """Return an index that is kept as an object; raises InputError if the object is none."""
    return from_bytes(b"".join(store.stream(digest)))


def _path(store: LocalStore, *, kind: str, name: str) -> Path:
    for word in (kind, name):
        if not _NAME.fullmatch(word):
            raise StoreError(
                f"a root cannot be called {word[:80]!r}", hint="use letters, digits and ._+~:@-, no more than 200"
            )
    return store.folder / "refs" / kind / name


def _encode(root: Root) -> str:
    lines = [_HEADER, *(f"index {digest}" for digest in root.indexes), *(f"object {digest}" for digest in root.objects)]
    body = "".join(f"{line}\n" for line in lines)
    return f"{body}end {hashlib.sha256(body.encode()).hexdigest()}\n"


def _decode(text: str, *, kind: str, name: str, path: Path) -> Root:
    found: dict[str, list[str]] = {"object": [], "index": []}
    body, _, end = text.rpartition("end ")
    whole = end == hashlib.sha256(body.encode()).hexdigest() + "\n"
    if not whole or not body.startswith(_HEADER + "\n"):
        raise StoreError(
            f"the root {path} is damaged",
            hint="restore it or delete it; until then nothing is collected, for what it named cannot be known",
        )
    for line in body.splitlines()[1:]:
        what, _, digest = line.partition(" ")
        found.setdefault(what, []).append(checked_digest(digest))
    if found.keys() != {"object", "index"}:
        raise StoreError(f"the root {path} was written by a newer version of jeos", hint="use that version")
    return Root(kind=kind, name=name, objects=tuple(found["object"]), indexes=tuple(found["index"]))
