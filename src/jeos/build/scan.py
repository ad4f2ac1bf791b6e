"""Read a configured root folder into a tree, and remember where each file's bytes are.

    scanned = scan(root, time=lock.date)
    scanned.paths[scanned.tree.by_path()["usr/bin/env"].digest]     # → root/usr/bin/env

Runs as root of the build's namespace: owners, device nodes and extended attributes are taken as that root sees them.
"""

import hashlib
import json
import os
import stat
import threading
import time as clock
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from jeos.core import files
from jeos.core.errors import InputError
from jeos.model.tree import KIND_OF_TYPE, Entry, Kind, Tree

WORKERS = 2  # hashing leaves Python's lock for all but small files; more threads only fight for it
READ_BYTES = 1 << 20  # fits a core's cache, so that the bytes are hashed where they were read to
# A write within the same tick of the clock as the one before leaves a file's times as they were (as in git's "racy"
# index entries): a file that young is hashed again the next time.
SETTLED_NS = 2_000_000_000
# What packages and recipes can mean to set. Anything else is the host's (SELinux labels, integrity hashes, what its
# file system adds) or, as trusted.*, seen by root only: the image must not depend on either.
KEPT_XATTRS = ("security.capability", "system.posix_acl_access", "system.posix_acl_default", "user.")
LAYER_XATTRS = "user.overlay."  # overlayfs keeps its own notes there when it is mounted without root


@dataclass(frozen=True)
class Scanned:
    """A tree, and for each content digest a file that holds it."""

    tree: Tree
    paths: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class _Found:
    """One name that the walk came by: its path in the tree, its place on disk and its status."""

    path: str
    place: str
    status: os.stat_result


class DigestCache:
    """Digests of files that did not change since they were hashed, told by device, inode, size and both times."""

    def __init__(self, path: Path) -> None:
        """Read the cache at `path`; one that is missing or damaged counts as empty."""
        self.path = path
        self._known: dict[str, str] = {}
        self._used: dict[str, str] = {}
        try:
            loaded = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return
        if isinstance(loaded, dict):
            self._known = {str(key): str(value) for key, value in loaded.items()}

    @staticmethod
    def _key(status: os.stat_result) -> str:
        return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"

    def find(self, status: os.stat_result) -> str:
        """Return the digest of an unchanged file, or "" when it must be read."""
        key = self._key(status)
        digest = self._known.get(key, "")
        if digest:
            self._used[key] = digest
        return digest

    def add(self, status: os.stat_result, digest: str) -> None:
        """Remember a digest, unless the file is so young that a later change might not show in its times."""
        if clock.time_ns() - status.st_ctime_ns > SETTLED_NS:
            self._used[self._key(status)] = digest

    def save(self) -> None:
        """Write what was asked for or added since the cache was opened; all else is forgotten."""
        if self._used != self._known:
            files.write(self.path, json.dumps(self._used), durable=False)


def scan(root: Path, *, time: int, cache: DigestCache | None = None) -> Scanned:
    """Return the tree under `root`, every time in it set to `time` (seconds since 1970).

    Names of one inode become hard links of the first of them in tree order. Mount points are walked like folders.
    Raises InputError if a file changes while it is read.
    """
    found = list(_walk(str(root)))
    first_names: dict[tuple[int, int], str] = {}
    contents: list[_Found] = []
    for one in found:
        if stat.S_ISDIR(one.status.st_mode):
            continue
        if first_names.setdefault(_inode(one.status), one.path) == one.path and stat.S_ISREG(one.status.st_mode):
            contents.append(one)
    digests = _digests(contents, cache=cache)
    entries: dict[str, Entry] = {}
    for one in found:
        first = one.path if stat.S_ISDIR(one.status.st_mode) else first_names[_inode(one.status)]
        if first == one.path:
            entries[one.path] = _entry(one, digest=digests.get(one.path, ""), time=time)
        else:
            entries[one.path] = replace(entries[first], path=one.path, hardlink=first)
    paths = {digests[one.path]: Path(one.place) for one in reversed(contents)}
    return Scanned(tree=Tree(tuple(entries.values())), paths=paths)


def _inode(status: os.stat_result) -> tuple[int, int]:
    return (status.st_dev, status.st_ino)


def _walk(root: str) -> Iterator[_Found]:
    """Yield the root and all under it in tree order: a directory right before what it holds, names as bytes."""
    yield _Found(path="", place=root, status=os.lstat(root))
    stack = [_listing(root, "")]
    while stack:
        one = next(stack[-1], None)
        if one is None:
            stack.pop()
            continue
        yield one
        if stat.S_ISDIR(one.status.st_mode):
            stack.append(_listing(one.place, f"{one.path}/"))


def _listing(folder: str, prefix: str) -> Iterator[_Found]:
    with os.scandir(folder) as listing:
        children = sorted(listing, key=lambda child: os.fsencode(child.name))
    for child in children:
        yield _Found(path=prefix + child.name, place=child.path, status=child.stat(follow_symlinks=False))


def _entry(one: _Found, *, digest: str, time: int) -> Entry:
    status = one.status
    kind = KIND_OF_TYPE[stat.S_IFMT(status.st_mode)]
    node = kind in (Kind.CHARACTER, Kind.BLOCK)
    return Entry(
        path=one.path,
        kind=kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime=time,
        size=status.st_size if kind is Kind.FILE else 0,
        digest=digest,
        # A Path would rewrite what the link holds ("./a" becomes "a").
        target=os.readlink(one.place) if kind is Kind.SYMLINK else "",  # noqa: PTH115
        device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if node else (0, 0),
        xattrs=_xattrs(one.place),
    )


def _xattrs(place: str) -> tuple[tuple[str, bytes], ...]:
    names = os.listxattr(place, follow_symlinks=False)
    return tuple(
        (name, os.getxattr(place, name, follow_symlinks=False))
        for name in sorted(names)
        if name.startswith(KEPT_XATTRS) and not name.startswith(LAYER_XATTRS)
    )


def _digests(contents: Iterable[_Found], *, cache: DigestCache | None) -> dict[str, str]:
    """Return the SHA-256 of each file by its path in the tree, hashed on several cores."""
    digests: dict[str, str] = {}
    wanted: list[_Found] = []
    for one in contents:
        known = cache.find(one.status) if cache else ""
        if known:
            digests[one.path] = known
        else:
            wanted.append(one)
    queue = iter(sorted(wanted, key=lambda one: one.status.st_size, reverse=True))  # no thread ends with a long file
    failures: list[BaseException] = []

    def work() -> None:
        buffer = memoryview(bytearray(READ_BYTES))
        try:
            for one in queue:  # a list's iterator is safe to share between threads
                digests[one.path] = _digest(one, buffer=buffer)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(WORKERS if len(wanted) > 1 else 0)]
    for thread in threads:
        thread.start()
    if not threads:
        work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    if cache:
        for one in wanted:
            cache.add(one.status, digests[one.path])
    return digests


def _digest(one: _Found, *, buffer: memoryview) -> str:
    descriptor = os.open(one.place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        done = hashlib.sha256()
        length = 0
        while got := os.readv(descriptor, [buffer]):
            done.update(buffer[:got])
            length += got
    finally:
        os.close(descriptor)
    if length != one.status.st_size:
        raise InputError(
            f"/{one.path} changed from {one.status.st_size} to {length} bytes while it was being read",
            hint="a program that was started during the build still writes there: stop it at the end of the command",
        )
    return done.hexdigest()
