"""Unpack each package once, ever: into a folder of the cache that is named by the package's SHA-256.

    for package in unpack_all(packages, cache):
        package.data / "usr/bin/env"

    <cache>/unpacked/<key>/data/        the files, with their owners and modes
                           control/     control, maintainer scripts, md5sums …
                           members      what is in `data`, in the package's order, and what was skipped

Runs in the build's namespace: owners are set. Documentation can be left out (`Skip`) while unpacking, which is
cheaper than removing it later; packages then still list it, as they do with dpkg's `--path-exclude`.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple, dataclass
from functools import cached_property
from pathlib import Path

from jeos.build import control, digests, namespace
from jeos.build.archive import Member, members, open_deb
from jeos.build.patterns import matcher
from jeos.build.stream import ArchiveError, Stream
from jeos.core import files, log
from jeos.core.errors import InputError
from jeos.model import deb822
from jeos.model.tree import Kind
from jeos.store.caches import CacheFolder

# What decides how a folder of the same package comes out.
CODE = (
    "build.archive",
    "build.control",
    "build.patterns",
    "build.stream",
    "build.unpack",
    "model.deb822",
)


@dataclass(frozen=True, slots=True)
class Skip:
    """Files that are not unpacked: those below `patterns`, without those below `spare`. Folders always are."""

    patterns: tuple[str, ...] = ()
    spare: tuple[str, ...] = ()


NOTHING = Skip()


@dataclass(frozen=True)
class Package:
    """A package file to unpack: its SHA-256 in hexadecimal is taken on trust, whoever fetched it has checked it."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Unpacked:
    """An unpacked package."""

    folder: Path

    @property
    def data(self) -> Path:
        """Return the folder with the package's files."""
        return self.folder / "data"

    @property
    def scripts(self) -> Path:
        """Return the folder with maintainer scripts and the rest of the control archive."""
        return self.folder / "control"

    @cached_property
    def control(self) -> dict[str, str]:
        """Return the fields of the package's control file, in their order, as they are written."""
        return deb822.written((self.scripts / "control").read_text(errors="surrogateescape"))

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Return what the package holds, in its order, also what was skipped."""
        rows = json.loads((self.folder / "members").read_text())["members"]
        return tuple(Member(row[0], Kind(row[1]), *row[2:]) for row in rows)

    @cached_property
    def skipped(self) -> dict[str, int]:
        """Return path and size in bytes of what was not written."""
        found: dict[str, int] = json.loads((self.folder / "members").read_text())["skipped"]
        return found

    @property
    def name(self) -> str:
        """Return the package's name."""
        return self.control["Package"]

    def lines(self, name: str) -> list[str]:
        """Return the lines of a control file, comments and empty ones left out; none if there is no such file."""
        path = self.scripts / name
        text = path.read_text(errors="surrogateescape") if path.exists() else ""
        stripped = (
            line.partition("#")[0].strip() if name == "triggers" else line.strip() for line in text.splitlines()
        )
        return [line for line in stripped if line]


def key(sha256: str, skip: Skip = NOTHING) -> str:
    """Return the name of an unpacked package in the cache: its digest, and what else shapes the folder."""
    words = json.dumps([digests.of_code(*CODE), namespace.mapping(), asdict(skip)])
    return f"{sha256}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


def unpack_all(packages: Sequence[Package], cache: CacheFolder, *, skip: Skip = NOTHING) -> list[Unpacked]:
    """Return the packages unpacked, in the given order; those that the cache lacks are unpacked on all processors.

    Raises ArchiveError for a package that is damaged or hostile, HostError if the disk is full.
    """
    keys = [key(package.sha256, skip) for package in packages]
    missing = [
        (package, name) for package, name in zip(packages, keys, strict=True) if not cache.lookup("unpacked", name)
    ]
    # The largest take longest: started last, they would keep one processor busy alone.
    missing.sort(key=lambda item: item[0].path.stat().st_size, reverse=True)
    ready = [Unpacked(cache.entry("unpacked", name)) for name in keys]
    if not missing:
        return ready

    def work(item: tuple[Package, str]) -> None:
        package, name = item
        with cache.create("unpacked", name) as folder:
            if folder is not None:
                unpack(package.path, into=folder, skip=skip)

    with log.step("unpack") as step, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for number, _ in enumerate(pool.map(work, missing), 1):
            step.update(f"{number} of {len(missing)} packages")
        step.done(f"{len(missing)} packages, {len(packages) - len(missing)} from the cache")
    return ready


def unpack(deb: Path, *, into: Path, skip: Skip = NOTHING) -> Unpacked:
    """Unpack a .deb file into an empty folder. Raises as `unpack_all` does."""
    try:
        with open_deb(deb) as archive:
            _write_control(control.read(archive), into / "control")
            sums = None if (into / "control/md5sums").exists() else dict[str, str]()
            try:
                extraction = _Extraction(into / "data", skip=skip, sums=sums)
                extraction.run(archive.data())
            except _NeededError:
                files.remove_tree(into / "data")
                extraction = _Extraction(into / "data", skip=NOTHING, sums=sums)
                extraction.run(archive.data())
    except OSError as error:
        if files.out_of_room(error):
            raise files.full_disk(into) from error
        raise InputError(
            f"{deb.name} cannot be unpacked: {error}", hint="`jeos doctor` tells what this host lacks"
        ) from error
    if sums is not None:  # as dpkg does for a package that brings none
        (into / "control/md5sums").write_text(
            "".join(f"{sums[path]}  {path}\n" for path in sums), errors="surrogateescape"
        )
    found = {"members": [astuple(member) for member in extraction.members], "skipped": extraction.skipped}
    (into / "members").write_text(json.dumps(found, separators=(",", ":")))
    return Unpacked(into)


def _write_control(found: Mapping[str, control.ControlFile], folder: Path) -> None:
    folder.mkdir()
    for name, file in found.items():
        (folder / name).write_bytes(file.content)
        (folder / name).chmod(file.mode)


class _NeededError(Exception):
    """Something that was to be skipped has another name, by a hard link, that is wanted."""


class _Extraction:
    """One data archive on its way into a new folder.

    The folder is ours alone, so that what is in it is known from the members so far: a path is written only if its
    parent is a folder made here, and so never through a link.
    """

    def __init__(self, folder: Path, *, skip: Skip, sums: dict[str, str] | None) -> None:
        """Note where to write; `sums` takes up each file's MD5, as dpkg wants it."""
        self.root = str(folder)
        self.members: list[Member] = []
        self.skipped: dict[str, int] = {}
        self._kinds: dict[str, Kind] = {"": Kind.DIRECTORY}
        self._sums = sums
        self._skips, self._spares = matcher(skip.patterns), matcher(skip.spare)
        folder.mkdir()

    def run(self, stream: Stream) -> None:
        """Extract all members."""
        for member in members(stream):
            self._require_parent(member.path)
            known = self._kinds.get(member.path)
            if known is not None and not known is member.kind is Kind.DIRECTORY:
                raise ArchiveError(f"{member.path} is in it twice")
            self._kinds[member.path] = member.kind
            self.members.append(member)
            if member.kind is not Kind.DIRECTORY and self._skips(member.path) and not self._spares(member.path):
                self.skipped[member.path] = member.size
                stream.skip(member.size)
            else:
                self._make(member, f"{self.root}/{member.path}", stream)
        for member in reversed(self.members):  # a folder's time changes when something is made in it
            if member.kind is Kind.DIRECTORY:
                _set_time(f"{self.root}/{member.path}", member.mtime)

    def _require_parent(self, path: str) -> None:
        """Raise ArchiveError if the parent is no folder; make one that the package forgot."""
        missing = []
        parent = path.rpartition("/")[0]
        while (kind := self._kinds.get(parent)) is not Kind.DIRECTORY:
            if kind is not None:
                raise ArchiveError(f"{path} would be written through {parent}, which is no folder")
            missing.append(parent)
            path, parent = parent, parent.rpartition("/")[0]
        for folder in reversed(missing):
            os.mkdir(f"{self.root}/{folder}", 0o755)  # noqa: PTH102 (called for each of ten thousand files)
            self._kinds[folder] = Kind.DIRECTORY

    def _make(self, member: Member, place: str, stream: Stream) -> None:
        if member.kind is Kind.FILE and not member.hard:
            self._write(member, place, stream)
            return
        if member.hard:
            self._link(member, place)
            return
        if member.kind is Kind.SYMLINK:
            os.symlink(member.target, place)  # noqa: PTH211
        elif member.kind is Kind.FIFO:
            os.mkfifo(place)
        else:
            with contextlib.suppress(FileExistsError):  # the root, and folders named twice
                os.mkdir(place)  # noqa: PTH102
        if member.uid or member.gid:
            os.lchown(place, member.uid, member.gid)
        if member.kind is not Kind.SYMLINK:
            os.chmod(place, member.mode)  # noqa: PTH101
        _set_time(place, member.mtime)

    def _link(self, member: Member, place: str) -> None:
        """Make a hard link to a file that came before."""
        if member.target in self.skipped:
            raise _NeededError
        if self._kinds.get(member.target) is not Kind.FILE:
            raise ArchiveError(f"{member.path} is a hard link to {member.target!r}, which is no file of the package")
        os.link(f"{self.root}/{member.target}", place, follow_symlinks=False)

    def _write(self, member: Member, place: str, stream: Stream) -> None:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            digest = hashlib.md5(usedforsecurity=False) if self._sums is not None else None
            for piece in stream.pieces(member.size):
                if digest:
                    digest.update(piece)
                while piece:
                    piece = piece[os.write(descriptor, piece) :]
            if digest and self._sums is not None:
                self._sums[member.path] = digest.hexdigest()
            if member.uid or member.gid:
                os.fchown(descriptor, member.uid, member.gid)
            os.fchmod(descriptor, member.mode)
            os.utime(descriptor, (member.mtime, member.mtime))
        finally:
            os.close(descriptor)


def _set_time(place: str, mtime: int) -> None:
    os.utime(place, (mtime, mtime), follow_symlinks=False)
