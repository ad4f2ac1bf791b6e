"""What differs between the files of two points, found folder by folder.

    for difference in differences(old, new, "etc", notes=notes):
        difference.path, difference.change, difference.what

Contents are read where size and time leave a doubt: where the size is the same and the time is not; with `contents`,
wherever the size is the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from jeos.backup.walk import Item, children, content, walk
from jeos.core.errors import InputError, StoreError
from jeos.disk.filesystems.base import MissingFileError
from jeos.disk.root import Root
from jeos.model.tree import Kind


class Change(StrEnum):
    """What happened to a path."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Difference:
    """A path that is not what it was; `what` are the words kind, content, target, device, mode, owner and time."""

    path: str
    change: Change
    what: tuple[str, ...] = ()
    size_before: int = 0
    size: int = 0


def differences(old: Root, new: Root, path: str, *, contents: bool = False, notes: list[str]) -> Iterator[Difference]:
    """Yield what differs at a path and below it, in order; what cannot be read is said in `notes`.

    Raises MissingFileError if neither has the path.
    """
    before, after = _item(old, path), _item(new, path)
    if before is None and after is None:
        new.find(path, follow=False)  # raises
    seen: set[tuple[str, int, str, int]] = set()
    left: list[tuple[Item | None, Item | None]] = [(before, after)]
    while left:
        before, after = left.pop()
        if before is None or after is None or before.node.kind is not after.node.kind:
            if before is not None:
                yield from _all(old, before, Change.REMOVED, notes=notes)
            if after is not None:
                yield from _all(new, after, Change.ADDED, notes=notes)
            continue
        what = _compare(before, after, contents=contents, notes=notes)
        if what:
            yield Difference(after.path, Change.CHANGED, what, size_before=_size(before), size=_size(after))
        if after.node.kind is Kind.DIRECTORY and (*before.inode, *after.inode) not in seen:
            seen.add((*before.inode, *after.inode))
            left += _pairs(children(old, before, notes=notes), children(new, after, notes=notes))[::-1]


def _item(root: Root, path: str) -> Item | None:
    try:
        place = root.find(path, follow=False)
    except MissingFileError:
        return None
    return Item(place.path, place.node, place.mounted)


def _pairs(before: list[Item], after: list[Item]) -> list[tuple[Item | None, Item | None]]:
    """Return what has the same name in two folders together, by name."""
    old, new = ({item.name: item for item in items} for items in (before, after))
    return [(old.get(name), new.get(name)) for name in sorted({*old, *new})]


def _all(root: Root, top: Item, change: Change, *, notes: list[str]) -> Iterator[Difference]:
    for item in walk(root, top.path, notes=notes):
        before, after = (_size(item), 0) if change is Change.REMOVED else (0, _size(item))
        yield Difference(item.path, change, size_before=before, size=after)


def _size(item: Item) -> int:
    return item.node.size if item.node.kind is Kind.FILE else 0


def _compare(before: Item, after: Item, *, contents: bool, notes: list[str]) -> tuple[str, ...]:
    old, new = before.node, after.node
    what = []
    if new.kind is Kind.FILE:
        doubt = contents or old.mtime != new.mtime
        if old.size != new.size or (doubt and not _same(before, after, notes=notes)):
            what.append("content")
    if old.target != new.target:
        what.append("target")
    if old.device != new.device:
        what.append("device")
    if old.mode != new.mode:
        what.append("mode")
    if (old.uid, old.gid) != (new.uid, new.gid):
        what.append("owner")
    if not what and new.kind is Kind.FILE and old.mtime != new.mtime:
        what.append("time")
    return tuple(what)


def _same(before: Item, after: Item, *, notes: list[str]) -> bool:
    """Tell whether two files hold the same; what cannot be read counts as another content."""
    try:
        return all(one == other for one, other in zip_longest(content(before), content(after)))
    except (InputError, StoreError) as error:
        notes.append(f"/{after.path} cannot be compared: {error.message}")
        return False
