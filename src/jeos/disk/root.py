"""A machine's files as the machine sees them: one tree over all of its file systems.

    root = Root([Mounted("", ext4), Mounted("boot/efi", vfat)])
    root.read("etc/fstab")
    root.glob("boot/loader/entries/*.conf")
    mounted, inner = root.locate("boot/efi/EFI/BOOT/BOOTX64.EFI")      # where to write it

Paths are the machine's, without a slash at the start; links are followed as in a chroot, across mount points. Names
on file systems that do not tell capitals from small letters are found in either form.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from jeos.core.errors import InputError
from jeos.disk.filesystems.base import CASELESS, LINKS, FileSystem, MissingFileError, Node, Searchable
from jeos.model.tree import Kind

READ_LIMIT = 16 << 20  # bytes of a file that is read as a whole: configuration, not data
_NAMES_MOST = 250_000  # in one folder that is looked at: more are data, or a trap
_FOLDER_BYTES = 32 << 20  # of names, where a file system says how many it has
_NAMES_KEPT = 8192
_FOLDERS_KEPT = 512  # listings, so that many questions about a few folders read each once


@dataclass(frozen=True, slots=True, eq=False)
class Mounted:
    """A file system at its place: `where` is "" for the root, `volume` the survey's name of what holds it.

    `subvolume` is the path from the top of the file system to what is mounted (btrfs).
    """

    where: str
    filesystem: FileSystem
    volume: str = ""
    subvolume: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """What a path leads to: `path` has no links in it, and `inner` is the path within the mounted file system."""

    path: str
    node: Node
    mounted: Mounted

    @property
    def inner(self) -> str:
        """Return the path within the file system."""
        return self.path[len(self.mounted.where) :].lstrip("/")


class Root:
    """The tree of a machine's files."""

    def __init__(self, mounts: Sequence[Mounted]) -> None:
        """Put file systems together; one of them is mounted at ""."""
        self.mounts: Mapping[str, Mounted] = {mount.where.strip("/"): mount for mount in mounts}
        if "" not in self.mounts:
            raise InputError("none of the file systems is the machine's root")
        self._folders: dict[tuple[str, Node], dict[str, tuple[str, Node]]] = {}
        self._found_before: dict[tuple[str, Node, str], tuple[str, Node] | None] = {}
        self._tops = {where: Place(where, mount.filesystem.root(), mount) for where, mount in self.mounts.items()}

    def shares(self, other: "Root") -> None:
        """Keep what was read of the same file systems together with another root."""
        self._folders, self._found_before, self._tops = other._folders, other._found_before, other._tops

    def find(self, path: str, *, follow: bool = True) -> Place:
        """Return what a path leads to; without `follow` the last part may be a link itself.

        Raises MissingFileError if there is no such path, InputError for links without an end.
        """
        trail, missing = self._walk(path, follow=follow)
        if missing:
            raise MissingFileError(f"there is no file /{path.strip('/')}")
        return trail[-1]

    def locate(self, path: str, *, follow: bool = True) -> tuple[Mounted, str]:
        """Return the file system that holds a path, or would hold it if it was made, and the path within it."""
        trail, missing = self._walk(path, follow=follow)
        parts = [part for part in [trail[-1].inner, *missing] if part]
        return trail[-1].mounted, "/".join(parts)

    def exists(self, path: str) -> bool:
        """Tell whether a path leads to something; what cannot be read is not there."""
        return self._found(path) is not None

    def is_file(self, path: str) -> bool:
        """Tell whether a path leads to a file."""
        return self._kind(path) is Kind.FILE

    def is_folder(self, path: str) -> bool:
        """Tell whether a path leads to a folder."""
        return self._kind(path) is Kind.DIRECTORY

    def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        """Return the content of a file. Raises MissingFileError, or InputError beyond `limit` bytes."""
        place = self.find(path)
        if place.node.kind is not Kind.FILE:
            raise MissingFileError(f"/{path} is a {place.node.kind}, not a file")
        if place.node.size > limit:
            raise InputError(f"/{path} has {place.node.size} bytes; at most {limit} are read at once")
        return place.mounted.filesystem.read(place.node)

    def read_text(self, path: str, *, limit: int = READ_LIMIT) -> str:
        """Return the content of a file as text; bytes that are not UTF-8 survive encoding it again (surrogates)."""
        return self.read(path, limit=limit).decode("utf-8", "surrogateescape")

    def text_or_empty(self, path: str) -> str:
        """Return the content of a file as text, "" if it is not there or cannot be read."""
        try:
            return self.read_text(path)
        except InputError:
            return ""

    def children(self, path: str) -> Iterator[tuple[str, Node]]:
        """Yield the names in a folder with their nodes, sorted; nothing if there is no such folder.

        Raises InputError for one that is damaged, or has more names than a folder of a system has.
        """
        place = self._found(path)
        if place is None or place.node.kind is not Kind.DIRECTORY:
            return
        yield from sorted(self._listing(place).values(), key=lambda item: item[0])

    def names(self, path: str) -> list[str]:
        """Return the names in a folder, sorted; none if there is no such folder."""
        return [name for name, _ in self.children(path)]

    def glob(self, pattern: str) -> list[str]:
        """Return the paths that match a pattern with `*`, `?` and `[…]` in its parts, sorted; links are followed."""
        found = [""]
        for part in (part for part in pattern.split("/") if part):
            if not any(sign in part for sign in "*?["):
                found = [path for path in (f"{top}/{part}".lstrip("/") for top in found) if self.exists(path)]
                continue
            found = [
                f"{top}/{name}".lstrip("/") for top in found for name in self.names(top) if fnmatchcase(name, part)
            ]
        return sorted(path for path in found if self.exists(path))

    def _found(self, path: str) -> Place | None:
        try:
            return self.find(path)
        except InputError:
            return None

    def _kind(self, path: str) -> Kind | None:
        place = self._found(path)
        return place.node.kind if place else None

    def _top(self) -> Place:
        return self._tops[""]

    def _walk(self, path: str, *, follow: bool) -> tuple[list[Place], list[str]]:
        """Return the places from the root to a path, and the parts of it that are not there."""
        left = _parts(path)[::-1]
        trail = [self._top()]
        followed = 0
        while left:
            part = left.pop()
            if part == "..":
                if len(trail) > 1:
                    trail.pop()
                continue
            place = self._step(trail[-1], part)
            if place is None:
                return trail, [part, *left[::-1]]
            if place.node.kind is Kind.SYMLINK and (left or follow):
                followed += 1
                if followed > LINKS:
                    raise InputError(f"/{path} leads through more than {LINKS} symbolic links")
                if place.node.target.startswith("/"):
                    del trail[1:]
                left += _parts(place.node.target)[::-1]
                continue
            trail.append(place)
        return trail, []

    def _step(self, here: Place, part: str) -> Place | None:
        path = f"{here.path}/{part}".lstrip("/")
        if path in self._tops:
            return self._tops[path]
        if here.node.kind is not Kind.DIRECTORY:
            return None
        found = self._named(here, part)
        if found is None:
            return None
        return Place(f"{here.path}/{found[0]}".lstrip("/"), found[1], here.mounted)

    def _named(self, folder: Place, name: str) -> tuple[str, Node] | None:
        """Return the true name in a folder and what it stands for, without reading all others where that can be."""
        _check_size(folder)
        filesystem = folder.mounted.filesystem
        if filesystem.kind in CASELESS:
            return self._listing(folder).get(name.casefold())
        if not isinstance(filesystem, Searchable) or (folder.mounted.where, folder.node) in self._folders:
            return self._listing(folder).get(name)
        key = (folder.mounted.where, folder.node, name)
        if key not in self._found_before:
            if len(self._found_before) >= _NAMES_KEPT:
                self._found_before.clear()
            node = filesystem.child(folder.node, name)
            self._found_before[key] = None if node is None else (name, node)
        return self._found_before[key]

    def _listing(self, folder: Place) -> dict[str, tuple[str, Node]]:
        """Return the names in a folder, as they are looked for, with the true name and its node."""
        key = (folder.mounted.where, folder.node)
        if key not in self._folders:
            if len(self._folders) >= _FOLDERS_KEPT:
                self._folders.clear()
            filesystem = folder.mounted.filesystem
            caseless = filesystem.kind in CASELESS
            _check_size(folder)
            names: dict[str, tuple[str, Node]] = {}
            for count, (name, node) in enumerate(filesystem.children(folder.node)):
                if count >= _NAMES_MOST:
                    raise InputError(f"the folder /{folder.path} has more than {_NAMES_MOST} names")
                names[name.casefold() if caseless else name] = name, node
            self._folders[key] = names
        return self._folders[key]


def _check_size(folder: Place) -> None:
    """Raise InputError for a folder that nobody configures a machine in, which may be there to waste our time."""
    if folder.node.size > _FOLDER_BYTES:
        raise InputError(f"the folder /{folder.path} has {folder.node.size} bytes of names")


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
