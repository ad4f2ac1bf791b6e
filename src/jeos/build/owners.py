"""Which package a path belongs to, from dpkg's own lists."""

from collections.abc import Mapping

# Where dpkg's lists say /bin, the tree of a system with merged /usr says /usr/bin.
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def merged(path: str) -> str:
    """Return where a path is once /usr is merged: "bin/sh" is "usr/bin/sh"."""
    first, slash, _ = path.partition("/")
    return f"usr/{path}" if slash and first in MERGED else path


def owners(lists: Mapping[str, str]) -> dict[str, str]:
    """Return the package of each path in dpkg's lists, which are given by package; a folder has the last of its own."""
    found: dict[str, str] = {}
    for package in sorted(lists):
        for line in lists[package].splitlines():
            path = line.strip("/")
            if path and path != ".":
                found[merged(path)] = package
    return found
