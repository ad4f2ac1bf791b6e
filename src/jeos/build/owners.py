"""Which package a path belongs to, from dpkg's own lists."""

from collections.abc import Mapping
from pathlib import Path

# Where dpkg's lists say /bin, the tree of a system with merged /usr says /usr/bin.
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def merged(path: str) -> str:
    """Return where a path is once /usr is merged: "bin/sh" is "usr/bin/sh"."""
    first, slash, _ = path.partition("/")
    return f"usr/{path}" if slash and first in MERGED else path


def owners(root: Path) -> Mapping[str, str]:
    """Return the package of each path that dpkg knows in a root; a directory of many packages has any one of them."""
    found: dict[str, str] = {}
    for listing in sorted((root / "var/lib/dpkg/info").glob("*.list")):
        package = listing.name.removesuffix(".list").partition(":")[0]
        for line in listing.read_text(errors="surrogateescape").splitlines():
            path = line.strip("/")
            if path and path != ".":
                found[merged(path)] = package
    return found
