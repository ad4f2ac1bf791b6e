"""The points of a vault by the names that people give them: "web01", "web01@latest", "web01@2", "web01@2026-11-28".

point = find(vault, "web01@2")
for point in of_machine(vault, "web01"): …      # oldest first
"""

import os
import re
import time
from collections.abc import Iterator
from typing import Protocol

from jeos.core import log
from jeos.core.errors import JeosError, UsageError
from jeos.model.snapshot import Point, parse_point

LATEST = "latest"
_OWNER_SIGNS = re.compile(r"[^A-Za-z0-9._+-]+")
_LONGEST_OWNER = 128


class Named(Protocol):
    """What has points: a vault."""

    def points(self) -> list[str]:
        """Return the names of all points."""
        ...

    def read_point(self, name: str) -> bytes:
        """Return a point's document."""
        ...


def owner_name(text: str) -> str:
    """Return the name under which the points of a machine, or of a disk's file, are kept. Raises UsageError."""
    name = _OWNER_SIGNS.sub("-", text).lstrip("._+-")[:_LONGEST_OWNER]
    if not name:
        raise UsageError(f"{text!r} cannot be the name of backups", hint="give another one: --name NAME")
    return name


def new_name(owner: str, *, now: float) -> tuple[str, str]:
    """Return the name of a point that is taken now (seconds since 1970), and its time as points say it."""
    taken = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    milliseconds = int(now * 1000) % 1000  # so that names sort by time within a second, too
    return f"{owner}/{taken.replace(':', '-')}-{milliseconds:03x}{os.urandom(1)[0] & 15:x}", taken


def names_of(vault: Named, owner: str) -> list[str]:
    """Return the names of a machine's points, oldest first."""
    return [name for name in vault.points() if name.startswith(f"{owner}/")]


def read(vault: Named, name: str) -> Point:
    """Return a point by its full name. Raises UsageError if there is none, StoreError or InputError if damaged."""
    return parse_point(vault.read_point(name), name=name)


def readable(vault: Named, owner: str = "") -> Iterator[Point]:
    """Yield the points of a machine, or of all, oldest first; those that cannot be read are only warned of."""
    for name in names_of(vault, owner) if owner else vault.points():
        try:
            yield read(vault, name)
        except JeosError as error:
            log.warn(error.message)


def newest(vault: Named, owner: str) -> Point | None:
    """Return the newest point of a machine that can be read, None if there is none."""
    for name in reversed(names_of(vault, owner)):
        try:
            return read(vault, name)
        except JeosError as error:
            log.warn(error.message)
    return None


def find(vault: Named, text: str) -> Point:
    """Return the point that a user means. Raises UsageError if there is none, or more than one."""
    owner, _, which = text.partition("/" if "/" in text else "@")
    which = which or LATEST
    names = names_of(vault, owner)
    if not names:
        raise _unknown(vault, owner)
    if which == LATEST:
        return read(vault, names[-1])
    if which.isdecimal() and len(which) < 4:  # as many digits are a year
        found = [point for point in readable(vault, owner) if point.number == int(which)]
    else:
        start = f"{owner}/{which.replace(':', '-')}"
        found = [read(vault, name) for name in names if name.startswith(start)]
    if len(found) == 1:
        return found[0]
    if found:
        which_ones = ", ".join(f"{owner}@{point.name.rpartition('/')[2]}" for point in found[:8])
        raise UsageError(f"{text} may be {len(found)} points: {which_ones}", hint="give the time of one of them")
    raise UsageError(f"{owner} has no point {which}", hint=f"`jeos backup list {owner}` shows its points")


def _unknown(vault: Named, owner: str) -> UsageError:
    owners = sorted({name.partition("/")[0] for name in vault.points()})
    there = f"there are some of {', '.join(owners[:8])}" if owners else "make the first: `jeos backup create`"
    return UsageError(f"there are no backups of {owner or 'a machine without a name'}", hint=there)


def next_number(vault: Named, owner: str) -> int:
    """Return the number of a machine's next point."""
    return max((point.number for point in readable(vault, owner)), default=0) + 1
