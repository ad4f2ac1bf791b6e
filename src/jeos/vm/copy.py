"""Copying files and folders into a machine and out of it, as a tar stream through the guest channel.

    with Guest(places.guest) as guest:
        fetch(guest, "/etc/nginx", Path("."))            # ./nginx
        send(guest, Path("site"), "/srv/www")            # /srv/www/site, if /srv/www is a folder; else it is that

What arrives is made under a hidden name beside the place where it belongs, and gets its own when it is complete:
whoever is killed midway leaves nothing half-written under it. The archive ends with a file of its own (COMPLETE), so
that one that was cut off is never taken for whole.
"""

import posixpath
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from jeos.core import files
from jeos.core.errors import MachineError, UsageError
from jeos.model.frames import STDOUT
from jeos.vm import archive
from jeos.vm.archive import Taken
from jeos.vm.guest import Ended, Guest, Program

HIDDEN = ".jeos-cp-"  # what the folders are called in which things are made
COMPLETE, NEW = "complete", "new"  # names in an archive that is sent
WORDS = 4096  # bytes of a program's last words
CHANGED = 1  # what tar ends with when a file changed while it was read
TAR = ("tar", "--numeric-owner", "--create", "--file", "-")
# Takes an archive apart in the guest: what it is copied to, what it is called if that is a folder, whose it becomes.
# Source: POSIX.1-2017, Shell Command Language; a trap runs when the command in the foreground has ended.
RECEIVE = (
    r"""
target=$1 name=$2 owner=$3
if [ -d "$target" ]; then folder=$target; else folder=$(dirname -- "$target"); name=$(basename -- "$target"); fi
if [ -d "$folder/$name" ]; then echo "$folder/$name is a folder that is there already" >&2; exit 3; fi
umask 077
work=$(mktemp -d "$folder/HIDDENXXXXXX") || exit 3
trap '' PIPE  # nobody listens any more when the client has gone, and there is still something to clean up
trap 'rm -rf -- "$work"' EXIT
trap 'exit 129' HUP INT TERM
tar --extract --preserve-permissions --numeric-owner --file - --directory "$work" || exit 3
[ -e "$work/COMPLETE" ] || { echo "the archive was cut off" >&2; exit 3; }
if [ -n "$owner" ]; then chown -h -R -- "$owner" "$work/NEW" || exit 3; fi
mv -f -T -- "$work/NEW" "$folder/$name" || exit 3
""".replace("HIDDEN", HIDDEN)
    .replace("COMPLETE", COMPLETE)
    .replace("NEW", NEW)
)


def fetch(guest: Guest, path: str, target: Path, *, owners: bool = False, deadline: float) -> Taken:
    """Copy a file or folder out of a machine: into `target` if that is a folder, else under that name.

    A file that is there is replaced when the new one is complete, a folder is not. Modes and times are kept, and
    `owners` too. Raises UsageError for a place that cannot be written to, MachineError for what the guest cannot give.
    """
    path = clean(path)
    name = posixpath.basename(path)
    final = target / name if target.is_dir() else target
    if not final.parent.is_dir():
        raise UsageError(f"{final.parent} is not a folder", hint=f"mkdir -p {final.parent}")
    if final.is_dir() and not final.is_symlink():
        raise UsageError(f"{final} is a folder that is there already", hint="copy to another name")
    program = guest.start([*TAR, "--directory", posixpath.dirname(path), "--", name], deadline=deadline)
    output = _Output(guest, program)
    with files.temporary_folder(final.parent, prefix=HIDDEN) as work:
        try:
            taken = archive.extract(cast("BinaryIO", output), work, top=name, owners=owners)
        except MachineError:
            program.close()
            if output.ended is not None and output.ended.status > CHANGED:
                raise output.failure(f"{path} cannot be copied") from None
            raise
        if output.finish().status > CHANGED:
            raise output.failure(f"{path} cannot be copied")
        if not taken.files:
            raise MachineError(f"{path} is no file, folder or link, and cannot be copied")
        (work / name).replace(final)
    if output.ended is not None and output.ended.status == CHANGED:
        taken.notes.append(f"{output.words} (it changed while it was read)")
    return taken


def send(guest: Guest, source: Path, path: str, *, owner: str = "0:0", deadline: float) -> int:
    """Copy a file or folder into a machine, and return the bytes sent; the places are as for `fetch`.

    It belongs to `owner` there, or, if that is "", to whom it does here, by number. Raises UsageError for a file that
    cannot be read, MachineError for what the guest refuses.
    """
    if not source.exists() and not source.is_symlink():
        raise UsageError(f"{source} does not exist")
    name = source.name or source.resolve().name
    if not name:
        raise UsageError(f"{source} has no name", hint="copy the folders below it")
    argv = ["sh", "-c", RECEIVE, "sh", clean(path, folder=True), name, owner]
    program = guest.start(argv, deadline=deadline)
    target = _Input(guest, program)
    try:
        with tarfile.open(
            fileobj=cast("BinaryIO", target), mode="w|", format=tarfile.GNU_FORMAT, errors="surrogateescape"
        ) as made:

            def forget(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
                """Keep no list of what was written, and leave out what no archive holds."""
                made.members = []  # type: ignore[attr-defined]
                return member

            made.add(source, arcname=NEW, filter=forget)
            made.addfile(tarfile.TarInfo(COMPLETE))
    except _EndedEarlyError:
        raise target.failure(f"{source} cannot be copied to {path}") from None
    except OSError as error:
        program.close()
        raise UsageError(f"{error.filename or source} cannot be read: {error.strerror or error}") from None
    except BaseException:
        program.close()
        raise
    if target.finish().status:
        raise target.failure(f"{source} cannot be copied to {path}")
    return target.sent


def clean(path: str, *, folder: bool = False) -> str:
    """Return a path in a guest without what means nothing; raises UsageError for one that is not from the root on.

    "/" is one only where a `folder` is meant that something goes into.
    """
    cleaned = "/" + posixpath.normpath(path).lstrip("/")
    if not path.startswith("/") or (cleaned == "/" and not folder) or "\0" in path:
        raise UsageError(
            f"{path!r} is not the path of a file or folder in a machine", hint="it begins with /, as in web:/etc/hosts"
        )
    return cleaned


class _EndedEarlyError(Exception):
    """The program in the guest ended before it had everything."""


class _Stream:
    """A program in the guest whose input is written, or whose output is read, to its end."""

    def __init__(self, guest: Guest, program: Program) -> None:
        self._guest, self._program = guest, program
        self._said = bytearray()
        self.ended: Ended | None = None

    @property
    def words(self) -> str:
        """The first line of what the program said last: what follows it is of no more use."""
        return self._said.decode(errors="replace").strip().partition("\n")[0]

    def failure(self, what: str) -> MachineError:
        """Return the error for a program that ended badly."""
        status = self.finish().status
        return MachineError(f"{what}: {self.words or f'the program for it ended with status {status}'}")

    def finish(self) -> Ended:
        """Wait until the program has ended."""
        self._program.end_input()
        self._take(self._ignore)
        while self.ended is None:
            self._guest.receive()
            self._take(self._ignore)
        return self.ended

    def _take(self, put: Callable[[bytes], None]) -> None:
        """Pass on what the program has printed so far, and note whether it has ended."""

        def sort(stream: int, data: bytes) -> None:
            if stream == STDOUT:
                put(data)
            else:
                self._said[:] = (self._said + data)[-WORDS:]

        self.ended = self.ended or self._program.take(sort)

    def _ignore(self, data: bytes) -> None:
        """Let go of output that nobody needs."""


class _Output(_Stream):
    """A program's output as a file to read."""

    def __init__(self, guest: Guest, program: Program) -> None:
        super().__init__(guest, program)
        self._buffer = bytearray()

    def read(self, count: int = -1) -> bytes:
        """Return up to `count` bytes; fewer only at the end."""
        self._take(self._buffer.extend)
        while self.ended is None and (count < 0 or len(self._buffer) < count):
            self._guest.receive()
            self._take(self._buffer.extend)
        found = bytes(self._buffer if count < 0 else self._buffer[:count])
        del self._buffer[: len(found)]
        return found


class _Input(_Stream):
    """A program's input as a file to write."""

    def __init__(self, guest: Guest, program: Program) -> None:
        super().__init__(guest, program)
        self.sent = 0

    def write(self, data: bytes) -> int:
        """Write all of it; waits for the guest to take it. Raises _EndedEarlyError if the program has ended."""
        waiting = memoryview(data)
        while waiting:
            self._take(self._ignore)
            while self.ended is None and not self._program.may_write:
                self._guest.receive()
                self._take(self._ignore)
            if self.ended is not None:
                raise _EndedEarlyError
            done = self._program.write(bytes(waiting[: 1 << 20]))
            self.sent += done
            waiting = waiting[done:]
        return len(data)
