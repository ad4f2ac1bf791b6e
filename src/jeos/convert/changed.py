"""A machine's files as they will be: changes laid over a root, nothing written.

    after = Changed(root, fix.changes)
    after.read_text("etc/fstab")

Each fix is planned on what the ones before it would leave, and a second plan on the result must find nothing to do.
"""

from collections.abc import Iterable
from dataclasses import replace

from jeos.convert.changes import Append, Change, Link, Remove, Write
from jeos.core.errors import InputError
from jeos.disk.filesystems.base import CASELESS, MissingFileError, Node
from jeos.disk.root import READ_LIMIT, Place, Root
from jeos.model.tree import Kind

_PATCHED_LIMIT = 1 << 30  # bytes of a file that something is appended to: initrds


class Changed(Root):
    """A root with changes; it can be changed further by laying another over it."""

    def __init__(self, root: Root, changes: Iterable[Change] = ()) -> None:
        """Show `root` after these changes, in their order."""
        super().__init__(tuple(root.mounts.values()))
        self.shares(root)
        self._names: dict[str, dict[str, tuple[str, Node] | None]] = {}  # by folder; None for what was removed
        self._contents: dict[str, bytes] = {}
        self._number = 0  # inodes that are on no disk have negative numbers
        if isinstance(root, Changed):
            self._names = {folder: dict(names) for folder, names in root._names.items()}
            self._contents, self._number = dict(root._contents), root._number
        for change in changes:
            self._change(change)

    def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        """Return the content of a file. Raises MissingFileError, or InputError beyond `limit` bytes."""
        place = self.find(path)
        if place.path not in self._contents:
            return super().read(path, limit=limit)
        content = self._contents[place.path]
        if place.node.kind is not Kind.FILE:
            raise MissingFileError(f"/{path} is a {place.node.kind}, not a file")
        if len(content) > limit:
            raise InputError(f"/{path} has {len(content)} bytes; at most {limit} are read at once")
        return content

    def _listing(self, folder: Place) -> dict[str, tuple[str, Node]]:
        found = dict(super()._listing(folder)) if folder.node.number >= 0 else {}
        for key, entry in self._names.get(folder.path, {}).items():
            if entry is None:
                found.pop(key, None)
            else:
                found[key] = entry
        return found

    def _named(self, folder: Place, name: str) -> tuple[str, Node] | None:
        changed = self._names.get(folder.path, {})
        key = name.casefold() if folder.mounted.filesystem.kind in CASELESS else name
        if key in changed:
            return changed[key]
        return super()._named(folder, name) if folder.node.number >= 0 else None

    def _change(self, change: Change) -> None:
        match change:
            case Write(path=path, content=content, mode=mode):
                self._put(path, content, mode=mode)
            case Append(path=path, content=content, align=align):
                before = self.read(path, limit=_PATCHED_LIMIT)
                self._put(path, before + bytes(-len(before) % align) + content, mode=0o644)
            case Link(path=path, target=target):
                folder, name = self._folder_of(path)
                self._enter(folder, name, Node(self._next(), Kind.SYMLINK, mode=0o777, target=target))
            case Remove(path=path):
                trail, missing = self._walk(path, follow=False)
                if not missing:
                    self._enter(trail[-2], trail[-1].path.rpartition("/")[2], None)

    def _put(self, path: str, content: bytes, *, mode: int) -> None:
        trail, missing = self._walk(path, follow=True)
        if missing:
            folder, name = self._made(trail[-1], missing[:-1]), missing[-1]
            node = Node(self._next(), Kind.FILE, mode=mode)
        else:
            folder, name, node = trail[-2], trail[-1].path.rpartition("/")[2], trail[-1].node
        self._enter(folder, name, replace(node, size=len(content)))
        self._contents[f"{folder.path}/{name}".lstrip("/")] = content

    def _folder_of(self, path: str) -> tuple[Place, str]:
        """Return the folder of a path, made if need be, and its last part."""
        above, _, name = path.strip("/").rpartition("/")
        trail, missing = self._walk(above, follow=True)
        return self._made(trail[-1], missing), name

    def _made(self, folder: Place, names: Iterable[str]) -> Place:
        for name in names:
            node = Node(self._next(), Kind.DIRECTORY, mode=0o755)
            self._enter(folder, name, node)
            folder = Place(f"{folder.path}/{name}".lstrip("/"), node, folder.mounted)
        return folder

    def _enter(self, folder: Place, name: str, node: Node | None) -> None:
        key = name.casefold() if folder.mounted.filesystem.kind in CASELESS else name
        self._names.setdefault(folder.path, {})[key] = None if node is None else (name, node)
        self._contents.pop(f"{folder.path}/{name}".lstrip("/"), None)

    def _next(self) -> int:
        self._number -= 1
        return self._number
