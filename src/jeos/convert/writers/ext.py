"""Write to ext2, ext3 and ext4 with debugfs: no root, no mount, no kernel.

A file that is there gets a new inode with the old one's owner, mode and extended attributes (SELinux labels among
them); a new one gets the label of its folder, as the kernel would give it. debugfs reports failures only in words, so
that whoever calls reads everything back; `e2fsck` then has the last word on the file system.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jeos.convert.writers.base import Delete, Edit, Folder, Place, Put, Symlink, check_path, parent
from jeos.core import files
from jeos.core.errors import InputError, ProcessError
from jeos.core.run import Completed, find_program, run

PROGRAMS = ("debugfs", "e2fsck")
TIMEOUT = 3600.0  # seconds; e2fsck reads all inodes, of which a large disk has a hundred million
LABEL = "security.selinux"
_CLEAN, _MENDED = 0, 1  # what e2fsck ends with, e2fsck(8)
_ATTRIBUTE = re.compile(r"^ {2}(\S+) \(\d+\)")
_LINE_MOST = 2048  # bytes; debugfs reads commands into a buffer of 8 KiB
_QUIET = re.compile(r"^debugfs [\d.]+ \(.*\)$|^$")


def check_host() -> None:
    """Raise HostError if e2fsprogs is not installed."""
    for name in PROGRAMS:
        find_program(name)


def settle(place: Place, *, kind: str) -> None:
    """Replay the journal, of a file system that is a whole file."""
    assert not place.offset
    done = run(["e2fsck", "-E", "journal_only", "-y", _device(place)], check=False, timeout=TIMEOUT)
    if done.status not in (_CLEAN, _MENDED):
        raise _damaged(done)


def edit(place: Place, edits: Sequence[Edit], *, kind: str) -> None:
    """Make the changes, and prove that the file system is clean."""
    for one in edits:
        check_path(one.path)
    with files.temporary_folder(place.path.parent, prefix="ext-") as work:
        attributes = _attributes(place, edits, work)
        lines: list[str] = []
        for number, one in enumerate(edits):
            lines += _commands(one, work / f"put-{number}", attributes)
        _debugfs(place, lines, work, write=True)
    done = run(["e2fsck", "-f", "-n", _device(place)], check=False, timeout=TIMEOUT)
    if done.status != _CLEAN:
        raise _damaged(done)


def grow(place: Place) -> None:
    """Let the file system take all of its place, which is a whole file."""
    assert not place.offset
    done = run(["e2fsck", "-f", "-p", _device(place)], check=False, timeout=TIMEOUT)
    if done.status not in (_CLEAN, _MENDED):
        raise _damaged(done)
    run(["resize2fs", _device(place), f"{place.size // 1024}K"], timeout=TIMEOUT)
    os.truncate(place.path, place.size)  # it cuts a file where the last whole block ends


def _device(place: Place) -> str:
    """Return how e2fsprogs is told of a file system inside of a file."""
    return f"{place.path}?offset={place.offset}" if place.offset else str(place.path)


def _damaged(done: Completed) -> InputError:
    said = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
    shown = "".join(f"\n  {line}" for line in said[:12])
    return InputError(f"the file system has errors{shown}", hint="check it on its own machine (e2fsck -f), then again")


def _commands(one: Edit, staged: Path, attributes: Mapping[str, Mapping[str, Path]]) -> Iterator[str]:
    path = f"/{one.path}"
    match one:
        case Delete():
            yield f"rm {_quoted(path)}"
        case Folder(mode=mode):
            yield f"mkdir {_quoted(path)}"
            yield f"set_inode_field {_quoted(path)} mode 0{stat.S_IFDIR | mode:o}"
        case Symlink(target=target, exists=exists):
            if exists:
                yield f"rm {_quoted(path)}"
            yield f"symlink {_quoted(path)} {_quoted(target)}"
        case Put(content=content, mode=mode, uid=uid, gid=gid, exists=exists):
            staged.write_bytes(content)
            if exists:
                yield f"rm {_quoted(path)}"
            yield f"cd {_quoted('/' + parent(one.path))}"  # `write` takes a name in the folder it stands in
            yield f"write {_quoted(str(staged))} {_quoted(path.rpartition('/')[2])}"
            yield "cd /"
            for field, value in (("mode", f"0{stat.S_IFREG | mode:o}"), ("uid", str(uid)), ("gid", str(gid))):
                yield f"set_inode_field {_quoted(path)} {field} {value}"
    if not isinstance(one, Delete):
        for name, value_file in attributes.get(one.path, {}).items():
            yield f"ea_set -f {_quoted(str(value_file))} {_quoted(path)} {name}"


def _quoted(text: str) -> str:
    """Return a word as debugfs takes it (libss: a quotation mark inside of quotation marks is doubled)."""
    if any(ord(sign) < 32 for sign in text) or len(text.encode()) > _LINE_MOST:
        raise InputError(f"{text[:200]!r} is a name that jeos cannot give a file of this file system")
    return '"' + text.replace('"', '""') + '"'


def _attributes(place: Place, edits: Sequence[Edit], work: Path) -> dict[str, dict[str, Path]]:
    """Return the extended attributes that each path gets, as files: its own, or its folder's label."""
    new = {one.path for one in edits if isinstance(one, Folder)}
    sources: dict[str, str] = {}
    for one in edits:
        if isinstance(one, Delete):
            continue
        source = one.path
        if not (isinstance(one, Put) and one.exists):
            source = parent(one.path)
            while source in new:
                source = parent(source)
        sources[one.path] = source
    wanted = sorted(set(sources.values()))
    lists = [_names(_debugfs(place, [f"ea_list {_quoted('/' + path)}"], work).text) for path in wanted]
    found: dict[str, dict[str, Path]] = {path: {} for path in wanted}
    lines = []
    for number, (path, names) in enumerate(zip(wanted, lists, strict=True)):
        for index, name in enumerate(names):
            found[path][name] = kept = work / f"attribute-{number}-{index}"
            lines.append(f"ea_get -f {_quoted(str(kept))} {_quoted('/' + path)} {name}")
    if lines:
        _debugfs(place, lines, work)
    return {
        path: found[source] if source == path else {n: kept for n, kept in found[source].items() if n == LABEL}
        for path, source in sources.items()
    }


def _names(text: str) -> list[str]:
    """Return the names in what `ea_list` prints."""
    return [match[1] for match in map(_ATTRIBUTE.match, text.splitlines()) if match]


def _debugfs(place: Place, lines: Sequence[str], work: Path, *, write: bool = False) -> Completed:
    """Run commands. Raises ProcessError if one of them complains."""
    script = work / "commands"
    script.write_text("".join(f"{line}\n" for line in lines))
    argv: list[str | Path] = ["debugfs", *(["-w"] if write else []), "-f", script, _device(place)]
    done = run(
        argv, timeout=TIMEOUT, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "DEBUGFS_PAGER": "cat"}
    )
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if not _QUIET.match(line)]
    if said:
        shown = "".join(f"\n  {line}" for line in said[:12])
        raise ProcessError(f"debugfs did not do all that it was told{shown}", hint="the file system may be damaged")
    return done
