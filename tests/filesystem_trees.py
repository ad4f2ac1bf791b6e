"""A tree of files with all that file systems find hard, and what a reader should see of it.

make_tree(folder); assert seen(filesystem) == expected(folder)
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jeos.disk.blocks import Blocks
from jeos.disk.filesystems.base import FileSystem, Node
from jeos.model.tree import Kind

KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
}
TIME = 1_700_000_000


@dataclass(frozen=True)
class Seen:
    """What is compared of one path; `content` is a digest, a target or a device's numbers."""

    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime: int
    links: int
    content: str


def make_tree(folder: Path, *, plain: bool = False, many: int = 1200, large: int = 300_000) -> None:
    """Fill a folder; `plain` leaves out what FAT does not hold, `many` and `large` say how much there is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "empty").write_bytes(b"")
    (folder / "short").write_bytes(b"hello\n")
    (folder / "sixty-one").write_bytes(b"x" * 61)
    (folder / "block").write_bytes(bytes(range(256)) * 16)
    (folder / "large").write_bytes(b"".join(number.to_bytes(8, "little") for number in range(large)))
    (folder / "text").write_bytes(b"the same line, again and again\n" * (large // 20))
    (folder / ("long-" * 50)).write_bytes(b"a long name")
    (folder / "ünïcödé 文件 🙂").write_bytes(b"unicode")
    (folder / "two words.and.dots.txt").write_bytes(b"x")
    deep = folder.joinpath(*(f"level{depth}" for depth in range(20)))
    deep.mkdir(parents=True)
    (deep / "bottom").write_bytes(b"found")
    (folder / "many").mkdir()
    for number in range(many):
        (folder / "many" / f"file-{number:05}-with-a-name").write_bytes(b"%d" % number if number % 7 == 0 else b"")
    with (folder / "sparse").open("wb") as file:
        for offset in (0, 200_000, 1_000_000, 5_999_900):
            file.seek(offset)
            file.write(b"data at %d" % offset)
    with (folder / "holes").open("wb") as file:  # more pieces than an inode, or one block, has room for
        for number in range(large // 500):
            file.seek(number * 8192)
            file.write(b"%8d" % number * 512)
    if not plain:
        _make_unix_things(folder)
    for name in sorted(folder.rglob("*"), reverse=True):
        os.utime(name, (TIME, TIME + len(name.name)), follow_symlinks=False)
    os.utime(folder, (TIME, TIME))


def _make_unix_things(folder: Path) -> None:
    (folder / "link").symlink_to("short")
    (folder / "long-link").symlink_to("./" * 60 + "short")
    (folder / "very-long-link").symlink_to("./" * 400 + "short")
    (folder / "hard").hardlink_to(folder / "text")
    (folder / "script").write_bytes(b"#!/bin/sh\n")
    (folder / "script").chmod(0o4755)
    os.mkfifo(folder / "fifo")
    (folder / "private").mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.mknod(folder / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(folder / "disk", stat.S_IFBLK | 0o660, os.makedev(259, 70_000))
        os.chown(folder / "short", 70_000, 80_000)


def expected(folder: Path) -> dict[str, Seen]:
    """Return what a reader should see of a folder."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        if path.name == "lost+found":
            continue
        status = path.lstat()
        kind = KINDS[stat.S_IFMT(status.st_mode)]
        if kind is Kind.FILE:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        elif kind is Kind.SYMLINK:
            content = os.readlink(path)  # a Path would leave out "./"
        elif kind in (Kind.CHARACTER, Kind.BLOCK):
            content = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        else:
            content = ""
        found[str(path.relative_to(folder))] = Seen(
            kind=kind,
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            mtime=int(status.st_mtime // 1),
            links=status.st_nlink if kind is not Kind.DIRECTORY else 0,
            content=content,
        )
    return found


def walk(filesystem: FileSystem, *, most: int = 100_000, depth: int = 64) -> Iterator[tuple[str, Node]]:
    """Yield paths and nodes; `most` and `depth` end what hostile file systems would go on with."""
    stack = [(".", filesystem.root(), 0)]
    while stack and most:
        path, node, level = stack.pop()
        most -= 1
        yield path, node
        if node.kind is Kind.DIRECTORY and level < depth:
            for name, child in filesystem.children(node):
                if name != "lost+found" or path != ".":
                    stack.append((name if path == "." else f"{path}/{name}", child, level + 1))
                if len(stack) > most:
                    return


def digest(filesystem: FileSystem, node: Node) -> str:
    """Return the digest of a file that is read in pieces of an odd size."""
    state = hashlib.sha256()
    for offset in range(0, node.size, 777_777):
        state.update(filesystem.read(node, offset=offset, length=777_777))
    return state.hexdigest()


def seen(filesystem: FileSystem) -> dict[str, Seen]:
    """Return what a reader sees."""
    found = {}
    for path, node in walk(filesystem):
        content = ""
        if node.kind is Kind.FILE:
            content = digest(filesystem, node)
        elif node.kind is Kind.SYMLINK:
            content = node.target
        elif node.kind in (Kind.CHARACTER, Kind.BLOCK):
            content = f"{node.device[0]}:{node.device[1]}"
        links = node.links if node.kind is not Kind.DIRECTORY else 0
        found[path] = Seen(node.kind, node.mode, node.uid, node.gid, node.mtime, links, content)
    return found


class Counting:
    """A disk that ends the test when far more is read from it than there is any need for."""

    def __init__(self, blocks: Blocks, *, most: int) -> None:
        self._blocks, self.left = blocks, most

    @property
    def size(self) -> int:
        return self._blocks.size

    def read(self, offset: int, length: int) -> bytes:
        self.left -= 1 + length // 4096
        assert self.left > 0, "the reader takes in far more than the file system has"
        return self._blocks.read(offset, length)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        return self._blocks.data(start, end)
