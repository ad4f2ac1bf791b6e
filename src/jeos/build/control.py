"""What a package says of itself: the files of its control archive, and what of them becomes names of files of ours.

Sources: deb(5); deb-control(5); deb-triggers(5), whose names of triggers are files in dpkg's database.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from jeos.build.archive import ArchiveError, Deb, members
from jeos.model import deb822
from jeos.model.tree import Kind

LIMIT = 64 << 20  # bytes; the control files of any package take a small part of it

# As strict as dpkg itself; these stand in paths, and in a script that runs in the sandbox.
_FORMS = {
    "Package": r"[A-Za-z0-9][A-Za-z0-9+._-]*",
    "Version": r"[A-Za-z0-9][A-Za-z0-9.+~:-]*",
    "Architecture": r"[a-z0-9][a-z0-9-]*",
}
_TRIGGER = re.compile(r"/[^\s]*|[^\s/.][^\s/]*")


@dataclass(frozen=True, slots=True)
class ControlFile:
    """A maintainer script or another file of a control archive."""

    content: bytes
    mode: int


def read(deb: Deb) -> dict[str, ControlFile]:
    """Return the control files of a package by name.

    Raises ArchiveError for an archive that is not flat, too large, or has names in it that cannot be such.
    """
    found: dict[str, ControlFile] = {}
    total = 0
    stream = deb.control()
    for member in members(stream):
        total += member.size
        if member.kind is Kind.DIRECTORY and not member.path:
            continue
        if member.kind is not Kind.FILE or member.hard or "/" in member.path or not member.path or total > LIMIT:
            raise ArchiveError(f"{member.path} has no place in a control archive")
        found[member.path] = ControlFile(content=stream.read(member.size), mode=member.mode)
    if "control" not in found:
        raise ArchiveError("its control archive has no file control")
    _check_names(fields(found))
    if "triggers" in found:
        _check_triggers(_text(found["triggers"]))
    return found


def fields(files: Mapping[str, ControlFile]) -> dict[str, str]:
    """Return the fields of the file `control`, in their order, as they are written."""
    return deb822.written(_text(files["control"]))


def _text(file: ControlFile) -> str:
    return file.content.decode(errors="surrogateescape")


def _check_names(found: Mapping[str, str]) -> None:
    for field, form in _FORMS.items():
        if not re.fullmatch(form, found.get(field, "")):
            raise ArchiveError(f"its control file has the {field} {found.get(field, '')!r}")


def _check_triggers(text: str) -> None:
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words and not (len(words) == 2 and _TRIGGER.fullmatch(words[1])):
            raise ArchiveError(f"its file triggers has the line {line!r}")
