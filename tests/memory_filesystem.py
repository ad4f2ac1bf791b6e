"""A file system in memory, for tests of what only looks at files: the same protocol as those on disks.

    MemoryFileSystem({"etc/fstab": b"…", "bin": Link("usr/bin"), "tty": Device(Kind.CHARACTER, (5, 0))})
    memory_root({"etc/fstab": b"…"}, {"boot": {"grub/grub.cfg": b"…"}})

Bytes and text are files, None is a folder; folders above a path need not be named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from jeos.core.errors import InputError
from jeos.disk.filesystems.base import Node
from jeos.disk.root import Mounted, Root
from jeos.model.tree import Kind


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Device:
    """A device node."""

    kind: Kind
    number: tuple[int, int]


Content = bytes | str | Link | Device | None


class MemoryFileSystem:
    """Files by their paths."""

    def __init__(self, files: Mapping[str, Content], *, kind: str = "ext4", label: str = "", uuid: str = "") -> None:
        self.kind, self.label, self.uuid = kind, label, uuid
        self._nodes: list[Node] = []
        self._contents: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, int]] = {}
        self._make(None)
        for path, content in files.items():
            self._add(path, content)

    def _make(self, content: Content) -> int:
        number = len(self._nodes) + 1
        if content is None:
            node = Node(number=number, kind=Kind.DIRECTORY, mode=0o755)
            self._folders[number] = {}
        elif isinstance(content, Link):
            node = Node(number=number, kind=Kind.SYMLINK, mode=0o777, target=content.target, size=len(content.target))
        elif isinstance(content, Device):
            node = Node(number=number, kind=content.kind, device=content.number)
        else:
            data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
            node = Node(number=number, kind=Kind.FILE, size=len(data))
            self._contents[number] = data
        self._nodes.append(node)
        return number

    def _add(self, path: str, content: Content) -> None:
        here = 1
        *above, name = path.strip("/").split("/")
        for part in above:
            folder = self._folders[here]
            if part not in folder:
                folder[part] = self._make(None)
            here = folder[part]
        if content is not None or name not in self._folders[here]:
            self._folders[here][name] = self._make(content)

    def chmod(self, path: str, mode: int) -> None:
        """Give a file or folder other permission bits."""
        here = 1
        for part in path.strip("/").split("/"):
            here = self._folders[here][part]
        self._nodes[here - 1] = replace(self._nodes[here - 1], mode=mode)

    def root(self) -> Node:
        return self._nodes[0]

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        for name, number in self._folders[folder.number].items():
            yield name, self._nodes[number - 1]

    def read(self, node: Node, *, offset: int = 0, length: int | None = None) -> bytes:
        if node.number not in self._contents:
            raise InputError(f"inode {node.number} is no file")
        data = self._contents[node.number]
        return data[offset:] if length is None else data[offset : offset + length]


def memory_root(files: Mapping[str, Content], mounts: Mapping[str, Mapping[str, Content]] | None = None) -> Root:
    """Return a machine of one file system, and of more at their mount points ("boot/efi" is FAT)."""
    more = [
        Mounted(where, MemoryFileSystem(inside, kind="vfat" if where.endswith("efi") else "ext4"), volume=where)
        for where, inside in (mounts or {}).items()
    ]
    return Root([Mounted("", MemoryFileSystem(files), volume="root"), *more])
