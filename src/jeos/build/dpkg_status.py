"""What dpkg's database in a tree says, and the form of it that scanners of small images expect.

An image without a package manager keeps `var/lib/dpkg/status.d/NAME` (the stanza) and `NAME.md5sums`, the form that
scanners know from images that were slimmed in the same way.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from jeos.build.contents import Contents
from jeos.core.errors import InputError
from jeos.model import deb822
from jeos.model.tree import Kind, Tree

STATUS = "var/lib/dpkg/status"
INFO = "var/lib/dpkg/info"
STATUS_FOLDER = "var/lib/dpkg/status.d"

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # deb-control(5); it becomes a file's name


@dataclass(frozen=True, slots=True)
class Records:
    """What dpkg noted down of the packages that it calls installed: all by the package's name.

    `stanzas` are the entries of its status file, `lists` the texts of the lists of files, `sums` the files of
    checksums.
    """

    stanzas: Mapping[str, str]
    lists: Mapping[str, str]
    sums: Mapping[str, bytes]


def read(tree: Tree, contents: Contents) -> Records:
    """Return dpkg's records in a tree; none if there is no dpkg. Raises InputError for a name that no package has.

    What maintainer scripts and commands left in the root is read as the tree has it: links are not followed.
    """
    stanzas: dict[str, str] = {}
    lists: dict[str, str] = {}
    sums: dict[str, bytes] = {}
    for entry in tree:
        if entry.kind is not Kind.FILE:
            continue
        stem, _, suffix = entry.name.rpartition(".")
        name = stem.partition(":")[0]  # of packages that several architectures may have: "libc6:amd64"
        if entry.path == STATUS:
            stanzas = installed(contents.read(entry).decode(errors="replace"))
        elif entry.parent == INFO and suffix == "list":
            lists.setdefault(name, contents.read(entry).decode(errors="surrogateescape"))
        elif entry.parent == INFO and suffix == "md5sums":
            sums.setdefault(name, contents.read(entry))
    return Records(stanzas=stanzas, lists=lists, sums=sums)


def installed(status: str) -> dict[str, str]:
    """Return the stanza of each package that a status file calls installed, by name. Raises as `read`."""
    found = {}
    for stanza in deb822.stanzas(status):
        values = deb822.fields(stanza)
        if values.get("status", "").split()[-1:] == ["installed"]:
            name = values.get("package", "")
            if not _NAME.fullmatch(name):
                raise InputError(
                    f"dpkg's status file in the image names the package {name!r}", hint="a command or script damaged it"
                )
            found[name] = stanza
    return found


def dependencies(values: Mapping[str, str]) -> list[list[str]]:
    """Return what a package depends on (Depends and Pre-Depends), each as a list of alternatives without versions."""
    both = ",".join(filter(None, (values.get("pre-depends", ""), values.get("depends", ""))))
    groups = []
    for group in both.split(","):
        names = [re.split(r"[\s(:\[]", choice.strip(), maxsplit=1)[0] for choice in group.split("|")]
        names = [name for name in names if name]
        if names:
            groups.append(names)
    return groups


def provided(values: Mapping[str, str]) -> list[str]:
    """Return the names that a package provides beside its own."""
    names = [re.split(r"[\s(:]", item.strip(), maxsplit=1)[0] for item in values.get("provides", "").split(",")]
    return [name for name in names if name]


def status_files(stanzas: Mapping[str, str], sums: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files for `status.d`, by path: each package's stanza, and its checksums where there are any."""
    found: dict[str, bytes] = {}
    for name, stanza in stanzas.items():
        found[f"{STATUS_FOLDER}/{name}"] = f"{stanza.strip()}\n".encode()
        if name in sums:
            found[f"{STATUS_FOLDER}/{name}.md5sums"] = sums[name]
    return found
