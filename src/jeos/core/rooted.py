"""Paths in a folder that is a root: links in it are followed as though that folder were /, so that none leads out.

    place(root, "etc/os-release")       # root/usr/lib/os-release: that of the root, whatever its links say

What packages and commands left in a root may be anything, and the build, which may be root itself, reads and writes
there from outside. Nothing may run in the root meanwhile: a program could make a new link between look and use.
"""

import os
from pathlib import Path

from jeos.core.errors import InputError

LINK_LIMIT = 40  # links followed in one path, as the kernel does (MAXSYMLINKS)


def place(root: Path, name: str) -> Path:
    """Return where a path of a root really is; what is not there keeps its name.

    No part of the path returned, below `root`, is a link. Raises InputError if links go round in a circle.
    """
    left = name.split("/")[::-1]
    done: list[str] = []
    links = 0
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        if part == "..":
            done = done[:-1]
            continue
        try:
            target = os.readlink(Path(root, *done, part))  # noqa: PTH115 - a Path would rewrite what the link holds
        except OSError:  # no link, or nothing at all
            done.append(part)
            continue
        links += 1
        if links > LINK_LIMIT:
            raise InputError(f"the links at /{name} go round in a circle", hint="a package or command made them so")
        if target.startswith("/"):
            done = []
        left += target.split("/")[::-1]
    return Path(root, *done)
