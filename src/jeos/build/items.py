"""Files to put into a root, as values, and the tar stream that carries them there.

The stream is the same on every machine: sorted, with numeric owners and one time. `tar` unpacks it inside the sandbox,
so that no link in the root can lead it out.
"""

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from jeos.core.errors import InputError
from jeos.model.tree import Kind

TYPES = {Kind.FILE: tarfile.REGTYPE, Kind.DIRECTORY: tarfile.DIRTYPE, Kind.SYMLINK: tarfile.SYMTYPE}


@dataclass(frozen=True, slots=True)
class Item:
    """A file, directory or symbolic link of the image; `path` has no slash at either end, owners are names.

    A file's bytes are `content`, or those of `source` on the host. `target` is what a link holds.
    """

    path: str
    kind: Kind = Kind.FILE
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    content: bytes = b""
    source: Path | None = None
    target: str = ""


def text(path: str, content: str, *, mode: int = 0o644) -> Item:
    """Return a file of root's with this text."""
    return Item(path=path, content=content.encode(), mode=mode)


def link(path: str, target: str) -> Item:
    """Return a symbolic link."""
    return Item(path=path, kind=Kind.SYMLINK, mode=0o777, target=target)


@dataclass(frozen=True)
class Accounts:
    """The users and groups of a root: numbers by name, as its /etc/passwd and /etc/group have them."""

    users: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, *, passwd: str, group: str) -> "Accounts":
        """Return the accounts in the texts of passwd(5) and group(5)."""
        return cls(users=_numbers(passwd), groups=_numbers(group))

    def user(self, item: Item) -> int:
        """Return the number of an item's owner; raises InputError if the image has no such user."""
        return _number(item, item.owner, self.users, what="user")

    def group(self, item: Item) -> int:
        """Return the number of an item's group; raises InputError if the image has no such group."""
        return _number(item, item.group, self.groups, what="group")


def _numbers(database: str) -> dict[str, int]:
    fields = [line.split(":") for line in database.splitlines()]
    return {line[0]: int(line[2]) for line in fields if len(line) > 2 and line[2].isdecimal()}


def _number(item: Item, name: str, known: Mapping[str, int], *, what: str) -> int:
    if name not in known:
        hint = f"the image has {', '.join(sorted(known))}; a [[user]] table makes another one"
        raise InputError(f"/{item.path} is to belong to the {what} {name}, and the image has none", hint=hint)
    return known[name]


def last_of_each(items: Iterable[Item]) -> list[Item]:
    """Return the items sorted by path; of two for one path, the later."""
    found = {item.path: item for item in items}
    return [found[path] for path in sorted(found)]


def write_tar(items: Iterable[Item], file: IO[bytes], *, accounts: Accounts, time: int) -> None:
    """Write the items as a tar archive (POSIX.1-2001), each with the modification time `time`."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for item in items:
            member = tarfile.TarInfo(item.path)
            member.type = TYPES[item.kind]
            member.mode, member.mtime = item.mode, time
            member.uid, member.gid = accounts.user(item), accounts.group(item)
            member.linkname = item.target
            if item.kind is not Kind.FILE:
                archive.addfile(member)
            elif item.source is None:
                member.size = len(item.content)
                archive.addfile(member, io.BytesIO(item.content))
            else:
                with item.source.open("rb") as source:
                    member.size = source.seek(0, io.SEEK_END)
                    source.seek(0)
                    archive.addfile(member, source)
