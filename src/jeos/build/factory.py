"""/var of the system, kept where the image can hold it, and copied to the data partition at boot.

The image is read-only and /var is the data partition, which begins empty. What packages bring below /var goes to
`/usr/share/factory/var`, and a list for systemd-tmpfiles says what is to be made of it: directories and links are
made, files are copied where there is none yet, so that an update adds what is new and overwrites nothing.
"""

from collections.abc import Iterable
from dataclasses import replace

from jeos.core.errors import InputError
from jeos.model.tree import Entry, Kind, Tree

FACTORY = "usr/share/factory"
TMPFILES = "usr/lib/tmpfiles.d/jeos-var.conf"
# Seen in the image by whoever scans it unmounted, and at run time through a link.
PACKAGE_RECORDS = "var/lib/dpkg"
# What has to be there for something to be mounted on, or for systemd to fill.
MOUNT_POINTS = {"dev": 0o755, "proc": 0o555, "run": 0o755, "sys": 0o555, "tmp": 0o1777, "var": 0o755, "efi": 0o755}


def below(path: str, folder: str) -> bool:
    """Tell whether a path is a folder or lies in it."""
    return path == folder or path.startswith(f"{folder}/")


def move_var(tree: Tree, *, known: Iterable[str] = ()) -> tuple[Tree, str]:
    """Return the tree with /var's content in the factory, and the list for systemd-tmpfiles.

    `known` are the paths (with a leading slash) that the system's own tmpfiles lists take care of already.
    """
    cared_for = set(known)
    kept: list[Entry] = []
    lines = ["# Written by jeos: fills the data partition from /usr/share/factory.\n"]
    for entry in tree:
        if not entry.path.startswith("var/"):
            if below(entry.hardlink, "var") and entry.hardlink:
                entry = replace(entry, hardlink=f"{FACTORY}/{entry.hardlink}")
            kept.append(entry)
            continue
        moved = replace(entry, path=f"{FACTORY}/{entry.path}")
        if below(entry.hardlink, "var") and entry.hardlink:
            moved = replace(moved, hardlink=f"{FACTORY}/{entry.hardlink}")
        kept.append(moved)
        if below(entry.path, PACKAGE_RECORDS):
            kept.append(entry if entry.kind is Kind.DIRECTORY else replace(entry, hardlink=_first_name(moved)))
        line = _line(entry)
        if line and f"/{entry.path}" not in cared_for:
            lines.append(line)
    kept += [_folder(path, tree) for path in _parents(kept)]
    return Tree.of(kept), "".join(lines)


def _first_name(entry: Entry) -> str:
    return entry.hardlink or entry.path


def _line(entry: Entry) -> str:
    """Return the tmpfiles.d(5) line that makes an entry of /var."""
    if entry.path == PACKAGE_RECORDS:
        return f"L /{entry.path} - - - - /{FACTORY}/{entry.path}\n"
    if below(entry.path, PACKAGE_RECORDS):
        return ""
    path = _quoted(f"/{entry.path}")
    owner = f"{entry.mode:04o} {entry.uid} {entry.gid}"
    if entry.kind is Kind.DIRECTORY:
        return f"d {path} {owner} -\n"
    if entry.kind is Kind.SYMLINK:
        return f"L {path} - - - - {_escaped(entry.target)}\n"
    if entry.kind is Kind.FILE:
        return f"C {path} {owner} - {_escaped(f'/{FACTORY}/{entry.path}')}\n"
    if entry.kind is Kind.FIFO:
        return f"p {path} {owner} -\n"
    return ""


def _quoted(path: str) -> str:
    return f'"{_escaped(path)}"' if any(letter in path for letter in " \t\"'\\") else _escaped(path)


def _escaped(text: str) -> str:
    """Return text as tmpfiles.d takes it: `%` begins a specifier, a backslash an escape.

    Raises InputError for a line break, for which systemd before 254 has no escape.
    """
    if "\n" in text or "\r" in text:
        raise InputError(
            f"{text!r} in the image has a line break, and below /var it cannot be made at boot",
            hint="give it another name, or let a service make it",
        )
    return text.replace("\\", "\\\\").replace("%", "%%").replace('"', '\\"')


def _parents(entries: Iterable[Entry]) -> list[str]:
    """Return the directories that moved entries lie in and that are not there yet."""
    present = {entry.path for entry in entries}
    wanted = set()
    for path in present:
        parent = path.rpartition("/")[0]
        while parent and parent not in present:
            wanted.add(parent)
            parent = parent.rpartition("/")[0]
    return sorted(wanted)


def _folder(path: str, tree: Tree) -> Entry:
    time = tree.entries[0].mtime if len(tree) else 0
    return Entry(path=path, kind=Kind.DIRECTORY, mode=0o755, mtime=time)


def add_mount_points(tree: Tree, *, time: int) -> Tree:
    """Return the tree with every directory that something is mounted on at boot, and nothing in them but /var's."""
    emptied = [path for path in MOUNT_POINTS if path != "var"]
    left = [entry for entry in tree if not any(entry.path.startswith(f"{path}/") for path in emptied)]
    present = {entry.path for entry in left}
    missing = [
        Entry(path=path, kind=Kind.DIRECTORY, mode=mode, mtime=time)
        for path, mode in MOUNT_POINTS.items()
        if path not in present
    ]
    return Tree.of([*left, *missing])


def listed_paths(texts: Iterable[str]) -> set[str]:
    """Return the paths that tmpfiles.d texts speak of, those with specifiers left out."""
    found = set()
    for text in texts:
        for line in text.splitlines():
            words = line.split()
            if len(words) >= 2 and not line.startswith("#") and "%" not in words[1]:
                found.add(words[1].strip("\"'").rstrip("/"))
    return found
