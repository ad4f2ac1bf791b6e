"""A tree without its contents, as text in which two releases differ in few places.

    :1
    bin l usr/bin
    etc d 755
    > hostname f 644 8
    <
    usr d 755
    …

One name a line, in tree order; `>` goes into the directory above, `<` comes back. A release's own time is left out,
so that a new date changes nothing, and a directory's name is written once, so that a new kernel's version is too.

    line   = name SP kind [SP field]…          fields: mode in octal, then what the kind has, then options
    kind   = d | f (size) | l (target) | c, b (major:minor) | p | s | h (path of the first name: nothing else follows)
    option = o UID:GID | t SECONDS | x NAME=HEX         left out: 0:0, the release's time, no attributes

Names, targets and attributes' names are bytes: all but `!` to `~` without `%` is written as `%XX`. The root is ".".
"""

import os
import re
from collections.abc import Iterator

from jeos.core.errors import InputError
from jeos.model.tree import Entry, Kind, Tree

HEADER = ":1"
MOST_ENTRIES = 1 << 20
MOST_BYTES = 16 << 20  # of an outline: 1 GiB of disk with files of 4 KiB each has less

_LETTERS = {
    Kind.DIRECTORY: "d",
    Kind.FILE: "f",
    Kind.SYMLINK: "l",
    Kind.CHARACTER: "c",
    Kind.BLOCK: "b",
    Kind.FIFO: "p",
    Kind.SOCKET: "s",
}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
_SPECIAL = re.compile(rb"[^!-$&-~]")
_ESCAPED = re.compile(rb"%([0-9A-F]{2})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_MODE = re.compile(r"[0-7]{1,4}")


def escape(text: str) -> str:
    """Return a name with everything but visible ASCII written as %XX."""
    return _SPECIAL.sub(lambda match: b"%%%02X" % match[0][0], os.fsencode(text)).decode()


def unescape(text: str) -> str:
    """Return the name that `escape` wrote."""
    return os.fsdecode(_ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), text.encode()))


def canonical(tree: Tree) -> Tree:
    """Return a tree as a file system has it: of several names of a file the first in tree order is the file."""
    first: dict[str, Entry] = {}
    entries: list[Entry] = []
    by_path = tree.by_path()
    for entry in tree:
        owner = by_path[entry.hardlink] if entry.hardlink else entry
        known = first.setdefault(owner.path, entry)
        fields = {name: getattr(owner, name) for name in _OWN}
        link = known.path if known is not entry else ""
        entries.append(Entry(path=entry.path, hardlink=link, **fields))
    return Tree(tuple(entries))


_OWN = ("kind", "mode", "uid", "gid", "mtime", "size", "digest", "target", "device", "xattrs")


def dump(tree: Tree, *, time: int) -> bytes:
    """Return a canonical tree as text; `time` (seconds since 1970) is the release's, which most entries have."""
    lines = [HEADER]
    depth = 0
    for entry in tree:
        level = entry.path.count("/") + 1 if entry.path else 0
        lines += ["<"] * (depth - level)
        mark = "> " if level > depth else ""
        lines.append(mark + _line(entry, time=time))
        depth = level
    return ("\n".join(lines) + "\n").encode()


def _line(entry: Entry, *, time: int) -> str:
    name = escape(entry.name) if entry.path else "."
    if entry.hardlink:
        return f"{name} h {escape(entry.hardlink)}"
    fields = [name, _LETTERS[entry.kind], f"{entry.mode:o}"]
    if entry.kind is Kind.FILE:
        fields.append(str(entry.size))
    elif entry.kind is Kind.SYMLINK:
        fields.append(escape(entry.target))
    elif entry.kind in (Kind.CHARACTER, Kind.BLOCK):
        fields.append(f"{entry.device[0]}:{entry.device[1]}")
    if (entry.uid, entry.gid) != (0, 0):
        fields.append(f"o{entry.uid}:{entry.gid}")
    if entry.mtime != time:
        fields.append(f"t{entry.mtime}")
    fields += [f"x{escape(key)}={value.hex()}" for key, value in entry.xattrs]
    return " ".join(fields)


def parse(text: bytes, *, time: int) -> Tree:
    """Return the tree of an outline, files without digests. Raises InputError if it is none."""
    lines = text.decode("ascii", "replace").split("\n")
    if lines[0] != HEADER or lines[-1] or len(lines) > 2 * MOST_ENTRIES:
        raise _wrong("it does not begin and end like one")
    try:
        return Tree(tuple(_entries(lines[1:-1], time=time)))
    except (ValueError, KeyError, IndexError) as error:
        raise _wrong(str(error)[:80]) from error


def _entries(lines: list[str], *, time: int) -> Iterator[Entry]:
    by_path: dict[str, Entry] = {}
    stack: list[str] = []  # the directories that the next line is in
    last: Entry | None = None
    for line in lines:
        if line == "<":
            stack.pop()
            continue
        if line.startswith("> "):
            if last is None or last.kind is not Kind.DIRECTORY:
                raise ValueError("a name in what is no directory")
            stack.append(last.path)
            line = line[2:]
        parts = line.split(" ")
        name = unescape(parts[0])
        if last is None:
            if parts[0] != ".":
                raise ValueError("no root")
            path = ""
        else:
            path = f"{stack[-1]}/{name}" if stack[-1] else name
        if path in by_path or (path and (not name or "/" in name)):
            raise ValueError(f"the name {name!r}")
        last = by_path[path] = _entry(path, parts, by_path=by_path, time=time)
        yield last


def _entry(path: str, parts: list[str], *, by_path: dict[str, Entry], time: int) -> Entry:
    if parts[1] == "h":
        first = by_path[unescape(parts[2])]
        if first.hardlink or first.kind is Kind.DIRECTORY or len(parts) > 3:
            raise ValueError("a link to a link")
        return Entry(path=path, hardlink=first.path, **{name: getattr(first, name) for name in _OWN})
    kind = _KINDS[parts[1]]
    if not _MODE.fullmatch(parts[2]):
        raise ValueError("a mode")
    size, target, device, rest = 0, "", (0, 0), 3
    if kind is Kind.FILE:
        size, rest = _number(parts[3]), 4
    elif kind is Kind.SYMLINK:
        target, rest = unescape(parts[3]), 4
    elif kind in (Kind.CHARACTER, Kind.BLOCK):
        device, rest = _pair(parts[3]), 4
    owner, mtime = (0, 0), time
    xattrs: list[tuple[str, bytes]] = []
    for option in parts[rest:]:
        if option.startswith("o"):
            owner = _pair(option[1:])
        elif option.startswith("t"):
            mtime = _number(option[1:])
        elif option.startswith("x"):
            key, _, value = option[1:].rpartition("=")
            xattrs.append((unescape(key), bytes.fromhex(value)))
        else:
            raise ValueError("an option")
    return Entry(
        path=path,
        kind=kind,
        mode=int(parts[2], 8),
        uid=owner[0],
        gid=owner[1],
        mtime=mtime,
        size=size,
        target=target,
        device=device,
        xattrs=tuple(xattrs),
    )


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"the number {text[:20]!r}")
    return int(text)


def _pair(text: str) -> tuple[int, int]:
    first, _, second = text.partition(":")
    return _number(first), _number(second)


def _wrong(reason: str) -> InputError:
    return InputError(f"this is not the outline of a tree: {reason}", hint="it is damaged: fetch it again")
