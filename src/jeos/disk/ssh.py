"""A disk of another machine, read over ssh: by a shell there, which needs `dd` and nothing of ours.

    with Ssh(parse("ssh://root@old-host/dev/sda")) as disk:
        disk.read(0, 512)

Nothing on the other machine is written. Small reads are answered by one shell that stays; once reads go through the
disk in order, they come from a stream, packed by zstd or gzip over there, so that zeros cost next to nothing.
"""

import re
import shlex
import subprocess
import sys
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, cast
from urllib.parse import unquote

import zstandard

from jeos.core.closing import Closing
from jeos.core.errors import InputError, NetworkError, UsageError
from jeos.core.run import spawn
from jeos.disk.blocks import PIECE, check_range

SCHEME = "ssh://"
UNIT = 4096  # bytes; dd counts in these
_CACHED = 256 << 10  # bytes that are fetched at once for small reads
_CACHE_ENTRIES = 64
_SKIPPED = 8 * PIECE  # gaps that are read and thrown away rather than starting a stream anew
_GREETING = "jeos-disk"
_GREETING_LINES = 100  # what a login script may print before
_PLACE = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_][\w.-]*)@)?(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[A-Za-z0-9][\w.-]*)(?::(?P<port>\d{1,5}))?"
    r"(?P<path>/.+)"
)
_OPTIONS = ("ConnectTimeout=30", "ServerAliveInterval=30", "ServerAliveCountMax=4", "RequestTTY=no", "LogLevel=ERROR")

# $1 is the device. It is read as the user who came in, or with sudo where that asks for no password.
_PREPARE = """\
export LC_ALL=C; d=$1; r=
[ -e "$d" ] || { echo "there is no $d" >&2; exit 1; }
[ -r "$d" ] || r='sudo -n'
if [ -b "$d" ]; then s=$($r blockdev --getsize64 "$d") || s=$(($(cat "/sys/class/block/${d##*/}/size") * 512))
else s=$($r wc -c "$d") && s=${s%% *}; fi
[ -n "$s" ] || exit 1
"""
_SERVE = (
    _PREPARE
    + """\
p=; command -v gzip >/dev/null && p=gzip; command -v zstd >/dev/null && p=zstd
echo "jeos-disk $s ${p:-none}"
exec 3>&1
while read -r o n w; do
e=$($r dd "if=$d" bs=4096 skip="$o" count="$n" 2>&1 >&3 </dev/null) || { echo "$e" >&2; exit 1; }
case $e in "$w records in"*) ;; *) echo "$d ends early" >&2; exit 1 ;; esac
done
"""
)
_STREAM = _PREPARE + '$r dd "if=$d" bs=1048576 skip="$2" 2>/dev/null </dev/null | '
_PACKERS = {"zstd": "zstd -q -1 -c", "gzip": "gzip -1 -c", "none": "cat"}


@dataclass(frozen=True, slots=True)
class Place:
    """A disk of another machine: `user` and `port` may be left to ssh's configuration ("" and 0)."""

    host: str
    path: str
    user: str = ""
    port: int = 0

    def __str__(self) -> str:
        user, port = (f"{self.user}@" if self.user else ""), (f":{self.port}" if self.port else "")
        return f"{SCHEME}{user}{self.host}{port}{self.path}"


def parse(text: str) -> Place:
    """Read ssh://[USER@]HOST[:PORT]/DEVICE. Raises UsageError."""
    match = _PLACE.fullmatch(text)
    port = int(match["port"] or 0) if match else 0
    if match is None or port > 65535 or "\n" in unquote(match["path"]) or "\0" in unquote(match["path"]):
        raise UsageError(f"{text} is not a disk of another machine", hint="for example ssh://root@old-host/dev/sda")
    return Place(host=match["host"].strip("[]"), path=unquote(match["path"]), user=match["user"] or "", port=port)


def command(place: Place, script: str, *arguments: str, options: Sequence[str] = (), terminal: bool) -> list[str]:
    """Return the command that runs a shell script on the other machine; `options` are ssh's, as KEY=VALUE.

    An unknown host key is asked about on a terminal, and refused without one; a changed one is always refused.
    """
    checks = ["StrictHostKeyChecking=ask"] if terminal else ["StrictHostKeyChecking=yes", "BatchMode=yes"]
    words = ["ssh", "-T", "-x", "-a"]
    for option in (*options, *checks, *_OPTIONS):  # ssh takes the first of each kind
        words += ["-o", option]
    if place.port:
        words += ["-p", str(place.port)]
    if place.user:
        words += ["-l", place.user]
    remote = shlex.join(["sh", "-c", script, "sh", place.path, *arguments])
    return [*words, "--", place.host, remote]


class Ssh(Closing):
    """A disk of another machine; ends its connections at the end of a `with` block."""

    def __init__(self, place: Place, *, options: Sequence[str] = ()) -> None:
        """Connect. Raises NetworkError if that fails, InputError if the disk cannot be read there."""
        self.place, self._options = place, tuple(options)
        self._lock = threading.Lock()  # one conversation at a time, whoever reads
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._stream: _Stream | None = None
        self._expected = -1  # where the next read begins if the disk is read in order
        self._shell = self._start(_SERVE, stdin=subprocess.PIPE)
        try:
            self._size, self._packer = self._greeting()
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`."""
        check_range(self, offset, length, name=str(self.place))
        with self._lock:
            return self._read(offset, length)

    def _read(self, offset: int, length: int) -> bytes:
        in_order, self._expected = offset == self._expected, offset + length
        streamed = self._stream is not None and 0 <= offset - self._stream.position <= _SKIPPED
        if length >= PIECE // 2 and (in_order or streamed):
            return self._streamed(offset, length)
        if length > _CACHED:
            return self._ask(offset, length)
        first = offset - offset % _CACHED
        content = b"".join(self._cached(start) for start in range(first, offset + length, _CACHED))
        return content[offset - first : offset - first + length]

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield everything: what a device holds is known only by reading it."""
        end = min(end, self._size)
        if start < end:
            yield start, end

    def close(self) -> None:
        """End the connections."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        _end(self._shell)

    def _start(self, script: str, *arguments: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        argv = command(self.place, script, *arguments, options=self._options, terminal=sys.stdin.isatty())
        return spawn(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def _greeting(self) -> tuple[int, str]:
        output = cast(BinaryIO, self._shell.stdout)
        for _ in range(_GREETING_LINES):
            line = output.readline(4096).decode(errors="replace")
            if not line:
                break
            words = line.split()
            if len(words) == 3 and words[0] == _GREETING and words[1].isdigit() and words[2] in _PACKERS:
                return int(words[1]), words[2]
        raise self._failure(self._shell)

    def _failure(self, process: "subprocess.Popen[bytes]") -> Exception:
        """Return the error for a connection that ended."""
        _end(process, read_errors=True)
        said = cast(BinaryIO, process.stderr).read().decode(errors="replace").strip()
        shown = f"\n  {said[-2000:]}" if said else ""
        if process.returncode == 255:  # ssh's own: what the remote shell returns is less
            hint = f"try by hand: ssh {self.place.user + '@' if self.place.user else ''}{self.place.host}"
            return NetworkError(f"{self.place} cannot be reached{shown}", hint=hint)
        hint = "come in as root, or let sudo give this user dd and blockdev without a password"
        return InputError(f"{self.place} cannot be read{shown}", hint=hint)

    def _cached(self, start: int) -> bytes:
        if start in self._cache:
            self._cache.move_to_end(start)
            return self._cache[start]
        content = self._ask(start, min(_CACHED, self._size - start))
        self._cache[start] = content
        if len(self._cache) > _CACHE_ENTRIES:
            self._cache.popitem(last=False)
        return content

    def _ask(self, offset: int, length: int) -> bytes:
        """Fetch bytes by the shell that answers."""
        first, last = offset // UNIT, -(-(offset + length) // UNIT)
        expected = min(last * UNIT, self._size) - first * UNIT
        stdin = cast(BinaryIO, self._shell.stdin)
        try:
            whole, rest = divmod(expected, UNIT)
            stdin.write(b"%d %d %d+%d\n" % (first, last - first, whole, 1 if rest else 0))
            stdin.flush()
            content = _read_exactly(cast(BinaryIO, self._shell.stdout), expected)
        except OSError:
            content = b""
        if len(content) != expected:
            raise self._failure(self._shell)
        return content[offset - first * UNIT :][:length]

    def _streamed(self, offset: int, length: int) -> bytes:
        stream = self._stream
        if stream is None or not 0 <= offset - stream.position <= _SKIPPED:
            if stream is not None:
                stream.close()
            script = _STREAM + _PACKERS[self._packer]
            process = self._start(script, str(offset // PIECE))
            stream = self._stream = _Stream(process, packer=self._packer, position=offset - offset % PIECE)
        stream.read(offset - stream.position)
        content = stream.read(length)
        if len(content) != length:
            raise self._failure(stream.process)
        return content


class _Stream:
    """The rest of the disk from a place on."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, packer: str, position: int) -> None:
        self.process, self.position = process, position
        self._pipe = cast(BinaryIO, process.stdout)
        self._zstd = zstandard.ZstdDecompressor().stream_reader(self._pipe) if packer == "zstd" else None
        self._zlib = zlib.decompressobj(wbits=31) if packer == "gzip" else None

    def read(self, length: int) -> bytes:
        """Return the next bytes; fewer if the connection ends."""
        try:
            if self._zstd is not None:
                content = _read_exactly(cast(BinaryIO, self._zstd), length)
            elif self._zlib is not None:
                content = self._inflate(length)
            else:
                content = _read_exactly(self._pipe, length)
        except (zstandard.ZstdError, zlib.error):
            return b""
        self.position += len(content)
        return content

    def _inflate(self, length: int) -> bytes:
        assert self._zlib is not None
        parts, missing = [], length
        while missing:
            packed = self._zlib.unconsumed_tail or self._pipe.read(64 << 10)
            part = self._zlib.decompress(packed, missing)
            if not part and not packed:
                break
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """End the connection."""
        _end(self.process)


def _read_exactly(file: BinaryIO, length: int) -> bytes:
    """Return so many bytes, fewer at the end."""
    parts = []
    while length:
        part = file.read(length)
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _end(process: "subprocess.Popen[bytes]", *, read_errors: bool = False) -> None:
    """End an ssh; `read_errors` leaves what it said to be read."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    if read_errors:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
    process.kill()
    process.wait()
    for pipe in (process.stdout, None if read_errors else process.stderr):
        if pipe is not None:
            pipe.close()
