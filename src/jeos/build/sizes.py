"""What takes the space in a tree: by folder, by file, and against another tree. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from jeos.model.tree import Kind, Tree


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs between two trees; `before` or `after` is None where it is not there (bytes)."""

    path: str
    before: int | None
    after: int | None

    @property
    def gain(self) -> int:
        """Return by how many bytes the newer tree is larger here."""
        return (self.after or 0) - (self.before or 0)


def by_file(tree: Tree) -> dict[str, int]:
    """Return the bytes of each file; other names of a hard-linked file cost nothing."""
    return {entry.path: entry.size for entry in tree if entry.kind is Kind.FILE and not entry.hardlink}


def by_folder(tree: Tree, *, depth: int) -> dict[str, int]:
    """Return the bytes below each folder that is at most `depth` levels deep."""
    found: dict[str, int] = {}
    for path, size in by_file(tree).items():
        parts = path.split("/")[:-1]
        for level in range(1, min(depth, len(parts)) + 1):
            folder = "/".join(parts[:level])
            found[folder] = found.get(folder, 0) + size
    return found


def by_owner(tree: Tree, owner: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Return the bytes and the number of files of each package; "" stands for files of none."""
    found: dict[str, tuple[int, int]] = {}
    for path, size in by_file(tree).items():
        name = owner.get(path.removeprefix("usr/share/factory/"), "")
        bytes_, files = found.get(name, (0, 0))
        found[name] = (bytes_ + size, files + 1)
    return found


def changes(before: Tree, after: Tree) -> list[Change]:
    """Return the files that differ in content or presence, the largest change first."""
    old = {entry.path: entry for entry in before if entry.kind is Kind.FILE}
    new = {entry.path: entry for entry in after if entry.kind is Kind.FILE}
    found = []
    for path in old.keys() | new.keys():
        was, now = old.get(path), new.get(path)
        if was is None or now is None or was.digest != now.digest:
            found.append(Change(path=path, before=was.size if was else None, after=now.size if now else None))
    return sorted(found, key=lambda change: (-abs(change.gain), change.path))
