"""Lay unpacked packages into one folder, as dpkg would unpack them, by hard links: no byte is copied.

    composition = Composition(into=layer, below=[base])
    composition.add(package)

The links share their inodes with the cache, so the folder must only ever be the lower part of an overlay mount.
Where two packages meet, dpkg's rules hold: folders are shared and stay as the first made them, links to folders are
followed, a file belongs to one package unless the other replaces it, diversions move it.

Sources: Debian Policy 7.6 (Replaces), 10.7 (configuration files); dpkg-divert(1); dpkg-statoverride(1).
"""

import os
import re
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from jeos.build.archive import Member
from jeos.build.overlay import is_opaque, is_whiteout
from jeos.build.unpack import Unpacked
from jeos.core import rooted
from jeos.core.errors import InputError
from jeos.model.debian_version import newer
from jeos.model.tree import Kind

NEW = ".dpkg-new"  # how dpkg calls a configuration file that is not configured yet
MERGED = ("bin", "lib", "lib64", "sbin")  # what is a link into /usr since Debian 12
LINK_LIMIT = 40  # links followed in one path, as the kernel does (MAXSYMLINKS)
DATABASE = "var/lib/dpkg"


def merge_usr(packages: Sequence[Unpacked], *, into: Path) -> None:
    """Make the links /bin → usr/bin and so on in an empty folder, where the packages do not bring them.

    Up to Debian 12 they are made by whoever bootstraps a system; later they are part of base-files.
    """
    kinds = {member.path: member.kind for package in packages for member in package.members}
    for name in MERGED:
        if kinds.get(name) is Kind.DIRECTORY:
            (into / "usr" / name).mkdir(parents=True, exist_ok=True)
            (into / name).symlink_to(f"usr/{name}")


class Composition:
    """A folder that packages are laid into, above other folders that are not changed."""

    def __init__(self, *, into: Path, below: Sequence[Path] = ()) -> None:
        self.into, self.below = into, tuple(below)
        self.lists: dict[str, list[str]] = {}  # the paths of each package added, as dpkg lists them
        self.taken: dict[str, list[str]] = {}  # paths that packages of the folders below lost to new ones
        self._ready = False
        self._packages: dict[str, Unpacked] = {}
        self._owners: dict[str, str] = {}
        self._places: dict[str, str] = {}  # folders as packages call them → where they are
        self._status: dict[str, os.stat_result | None] = {}
        self._opaque: dict[tuple[Path, str], bool] = {}
        self._diversions: dict[str, tuple[str, str]] = {}
        self._overrides: dict[str, tuple[int, int, int]] = {}

    def refresh(self) -> None:
        """Forget what is known of the folder, after programs changed it."""
        self._places.clear()
        self._status.clear()
        self._opaque.clear()
        self._diversions = self._read_diversions()
        self._overrides = self._read_overrides()

    def add(self, package: Unpacked, *, ready: bool = False) -> None:
        """Lay one package into the folder, its configuration files to be configured.

        `ready` lays these also where they belong: the first packages of a system are used before they are configured.
        Raises InputError if a file of it belongs to another package.
        """
        self._packages[package.name] = package
        self._ready = ready
        conffiles = {line.lstrip("/") for line in package.lines("conffiles") if line.startswith("/")}
        listed = self.lists[package.name] = ["/."]
        for member in package.members:
            if not member.path:
                continue
            if member.kind is Kind.DIRECTORY:
                self._add_folder(package, member)
            elif member.path not in package.skipped and not self._add_file(
                package, member, conffile=member.path in conffiles
            ):
                continue
            listed.append(f"/{member.path}")

    def _add_folder(self, package: Unpacked, member: Member) -> None:
        place = self._place(member.path)
        status = self._look(place)
        if status is not None and stat.S_ISLNK(status.st_mode):
            place = self._follow(place)
            status = self._look(place)
        if status is None:
            self._make_parents(place)
            self._make_folder(place, like=os.lstat(package.data / member.path))
        elif not stat.S_ISDIR(status.st_mode):
            raise InputError(
                f"{package.name} has the folder /{member.path}, which is something else in another package",
                hint="these packages cannot be in one appliance; ask their makers",
            )

    def _add_file(self, package: Unpacked, member: Member, *, conffile: bool) -> bool:
        """Link a file, and tell whether it is the package's now: it is not if another package replaces it."""
        diversion = self._diversions.get(member.path)
        diverted = diversion is not None and diversion[1] != package.name
        place = self._place(diversion[0] if diversion and diverted else member.path)
        owner = self._owner(place) if self._look(place) is not None or place in self._owners else ""
        if owner and owner != package.name and not diverted:
            if _replaces(self._packages.get(owner), package):
                return False
            self._take_over(place, member, package, owner=owner)
        self._owners[place] = package.name
        self._make_parents(place)
        for target in [place + NEW, *([place] if self._ready else [])] if conffile else [place]:
            self._clear(target, package, member)
            self._link(package.data / member.path, target, override=self._overrides.get(member.path))
        return True

    def _take_over(self, place: str, member: Member, package: Unpacked, *, owner: str) -> None:
        """Let a package have a file that was another's; raise InputError if it may not."""
        other = self._packages.get(owner)
        if not _names(package.control.get("Replaces", ""), owner, other):
            raise InputError(
                f"the packages {owner} and {package.name} both have the file /{member.path}",
                hint=f"leave one of them out, or ask the maker of {package.name} for a version that replaces {owner}",
            )
        if other is not None:
            self.lists[owner].remove(f"/{member.path}")
        else:
            self.taken.setdefault(owner, []).append(f"/{member.path}")

    def _clear(self, place: str, package: Unpacked, member: Member) -> None:
        status = self._look(place)
        if status is None:
            return
        if stat.S_ISDIR(status.st_mode):
            raise InputError(
                f"{package.name} has the file /{member.path}, which is a folder in another package",
                hint="these packages cannot be in one appliance; ask their makers",
            )
        (self.into / place).unlink(missing_ok=True)

    def _link(self, source: Path, place: str, *, override: tuple[int, int, int] | None) -> None:
        target = f"{self.into}/{place}"
        if override is not None:  # another owner needs another inode
            uid, gid, mode = override
            shutil.copy2(source, target, follow_symlinks=False)
            os.chown(target, uid, gid, follow_symlinks=False)
            if not Path(target).is_symlink():
                Path(target).chmod(mode)
        else:
            os.link(source, target, follow_symlinks=False)
        self._status[place] = os.lstat(target)

    def _make_parents(self, place: str) -> None:
        """Make the folders that lead to a place, where so far only folders below have them, as they are there."""
        parent = place.rpartition("/")[0]
        if not parent or (self.into / parent).is_dir():
            return
        self._make_parents(parent)
        status = self._look(parent)
        self._make_folder(parent, like=status if status is not None else os.lstat(self.into))

    def _make_folder(self, place: str, *, like: os.stat_result) -> None:
        folder = self.into / place
        whiteout = folder.is_char_device()
        if whiteout:
            folder.unlink()
        folder.mkdir()
        os.chown(folder, like.st_uid, like.st_gid)
        folder.chmod(stat.S_IMODE(like.st_mode))
        self._status[place] = folder.lstat()

    # Where things are

    def _look(self, place: str) -> os.stat_result | None:
        """Return the status of a place (no link among its parents), or None if nothing is there."""
        if place not in self._status:
            self._status[place] = self._look_up(place)
        return self._status[place]

    def _look_up(self, place: str) -> os.stat_result | None:
        for folder in (self.into, *self.below):
            try:
                status = os.lstat(f"{folder}/{place}")
            except (FileNotFoundError, NotADirectoryError):
                if self.below and self._is_hidden(folder, place.rpartition("/")[0]):
                    return None
                continue
            return None if is_whiteout(status) else status
        return None

    def _is_hidden(self, folder: Path, parent: str) -> bool:
        """Tell whether a layer hides what layers below it have in a folder."""
        known = self._opaque.get((folder, parent))
        if known is None:
            above = parent.rpartition("/")[0]
            known = is_opaque(folder / parent) or bool(parent and self._is_hidden(folder, above))
            self._opaque[(folder, parent)] = known
        return known

    def _place(self, path: str) -> str:
        """Return where a path of a package is: links among its parents are followed."""
        parent, _, name = path.rpartition("/")
        if not parent:
            return name
        if parent not in self._places:
            self._places[parent] = self._follow(parent)
        return f"{self._places[parent]}/{name}".lstrip("/")

    def _follow(self, path: str) -> str:
        """Return a path without links, all of it followed, inside the root whatever the links say."""
        left = path.split("/")[::-1]
        done: list[str] = []
        links = 0
        while left:
            part = left.pop()
            if part == "..":
                done = done[:-1]
                continue
            if part in ("", "."):
                continue
            place = "/".join([*done, part])
            status = self._look(place)
            if status is None or not stat.S_ISLNK(status.st_mode):
                done.append(part)
                continue
            links += 1
            if links > LINK_LIMIT:
                raise InputError(f"the links at /{path} go round in a circle", hint="a package is broken: leave it out")
            target = self._read_link(place)
            if target.startswith("/"):
                done = []
            left += target.split("/")[::-1]
        return "/".join(done)

    def _read_link(self, place: str) -> str:
        for folder in (self.into, *self.below):
            path = folder / place
            if path.is_symlink():
                return str(path.readlink())
        return ""

    def _file(self, place: str) -> str:
        """Return the text of a file, "" if there is none."""
        for folder in (self.into, *self.below):
            path = rooted.place(folder, place)
            if path.is_file():
                return path.read_text(errors="surrogateescape")
        return ""

    def _owner(self, place: str) -> str:
        """Return the package that a file belongs to, also one of the folders below; "" if it is nobody's."""
        if place in self._owners:
            return self._owners[place]
        for folder in self.below:
            for listing in sorted(rooted.place(folder, f"{DATABASE}/info").glob("*.list")):
                if f"/{place}\n" in listing.read_text(errors="surrogateescape"):
                    return listing.name.removesuffix(".list").partition(":")[0]
        return ""

    # What the administrator, or a maintainer script, told dpkg

    def _read_diversions(self) -> dict[str, tuple[str, str]]:
        lines = self._file(f"{DATABASE}/diversions").splitlines()
        triples = zip(lines[0::3], lines[1::3], lines[2::3], strict=False)
        return {path.lstrip("/"): (to.lstrip("/"), package) for path, to, package in triples}

    def _read_overrides(self) -> dict[str, tuple[int, int, int]]:
        found = {}
        for line in self._file(f"{DATABASE}/statoverride").splitlines():
            words = re.fullmatch(r"(\S+) (\S+) ([0-7]{1,5}) /(.+)", line)
            if not words:
                raise InputError(f"dpkg's statoverride has the line {line!r}", hint="leave that package out")
            user, group, mode, path = words.groups()
            uid, gid = self._number("etc/passwd", user), self._number("etc/group", group)
            found[path] = (uid, gid, int(mode, 8))
        return found

    def _number(self, table: str, name: str) -> int:
        if re.fullmatch(r"#[0-9]{1,5}", name):
            return int(name[1:])
        found = re.search(rf"^{re.escape(name)}:[^:]*:(\d+):", self._file(table), re.MULTILINE)
        if not found:
            raise InputError(f"dpkg's statoverride names {name}, who is not in /{table}", hint="leave that package out")
        return int(found[1])


def _replaces(package: Unpacked | None, other: Unpacked) -> bool:
    return package is not None and _names(package.control.get("Replaces", ""), other.name, other)


def _names(relations: str, name: str, package: Unpacked | None) -> bool:
    """Tell whether relations ("a (<< 2), b") name a package in the version that it has; an unknown version fits."""
    for relation in relations.split(","):
        found = re.fullmatch(r"\s*([^\s(:]+)(?::\w+)?\s*(?:\(\s*([<>=]+)\s*([^\s)]+)\s*\))?\s*", relation)
        if found and found[1] == name:
            return not found[2] or package is None or _holds(package.control["Version"], found[2], found[3])
    return False


def _holds(version: str, operator: str, wanted: str) -> bool:
    less, more = newer(wanted, version), newer(version, wanted)
    return {"<<": less, "<=": not more, "=": not less and not more, ">=": not less, ">>": more}.get(operator, False)
