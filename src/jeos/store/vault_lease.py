"""A writer's lease: while it lives, nothing is deleted that the writer may count on.

The lease names the lists of doomed packs that its writer has seen, and so will not count on. Whoever executes such a
list waits until every living lease names it (`vault_collect` says why that is enough). Nothing is locked, and no two
clocks are compared: how long a writer was silent is told by the place's own clock.

A process that dies leaves its lease behind. On the machine where it ran it is known for dead at once; elsewhere after
`EXPIRES` seconds of silence. Then a mark `broken/ID` is written, which is never taken back: should the writer only have
slept, it finds the mark after its commit, and takes the commit back.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jeos.core import log
from jeos.core.errors import JeosError
from jeos.store.places.place import Found, MissingFileError
from jeos.store.vault_errors import BrokenLeaseError, DamagedFileError
from jeos.store.vault_files import VaultFiles

LEASES, BROKEN, DOOMED = "leases/", "broken/", "doomed/"
EXPIRES = 1800.0  # seconds of silence after which a writer on another machine counts as dead
REFRESH = 120.0  # seconds between signs of life: many may be lost
FORGET = 30 * 86400.0  # seconds after which nobody can come back who finds the mark

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Lease:
    """A lease that is held by this process; `seen` are the doomed lists that it will not count on."""

    def __init__(self, files: VaultFiles, *, number: str, seen: frozenset[str] = frozenset(), began: float = 0) -> None:
        self.number = number
        self.seen = seen
        self.began = began  # by the place's clock
        self._files = files
        self._alive = _awake()

    def write(self) -> None:
        """Write the lease, or a sign of life."""
        content = {"process": this_process(), "seen": sorted(self.seen), "began": self.began}
        began = _awake()
        self._files.write(f"{LEASES}{self.number}", json.dumps(content).encode())
        self._alive = began

    def check(self) -> None:
        """Raise BrokenLeaseError if somebody took this process for dead, or may have."""
        silent = _awake() - self._alive
        if silent > EXPIRES / 2 or self._files.writer().stat(f"{BROKEN}{self.number}") is not None:
            raise BrokenLeaseError(self._files.where)


@contextmanager
def held(files: VaultFiles) -> Iterator[Lease]:
    """Hold a lease during the block.

    It is written before the doomed lists are looked at, so that who dooms a pack afterwards sees it.
    """
    number = os.urandom(8).hex()
    first = Lease(files, number=number)
    ended = threading.Event()
    refresher: threading.Thread | None = None
    try:
        first.write()
        written = files.writer().stat(f"{LEASES}{number}")
        seen = frozenset(found.name for found in files.found(DOOMED))
        lease = Lease(files, number=number, seen=seen, began=written.modified if written else 0)
        lease.write()
        refresher = threading.Thread(target=_refresh, args=(lease, ended), name="lease", daemon=True)
        refresher.start()
        yield lease
    finally:
        ended.set()
        if refresher is not None:
            refresher.join()
        with suppress(JeosError, OSError):  # it expires by itself
            files.delete(f"{LEASES}{number}")


def _refresh(lease: Lease, ended: threading.Event) -> None:
    while not ended.wait(REFRESH):
        try:
            lease.write()
        except (JeosError, OSError) as error:  # a passing fault: the next may work, and a commit looks at the time
            log.debug(f"the lease was not refreshed: {error}")


@dataclass(frozen=True, slots=True)
class Others:
    """The living leases of a vault: which doomed lists each has seen, and when each began, by the place's clock."""

    seen: dict[str, frozenset[str]]
    began: dict[str, float]

    def blocks(self, doomed: str) -> bool:
        """Tell whether somebody may still count on what is in a doomed list."""
        return any(doomed not in seen for seen in self.seen.values())


def others(files: VaultFiles, *, now: float, expires: float = EXPIRES) -> Others:
    """Return the living leases, after breaking those of the dead; `now` is the time by the place's clock."""
    living, began = {}, {}
    for found in files.found(LEASES):
        number = found.name.removeprefix(LEASES)
        if files.writer().stat(f"{BROKEN}{number}") is not None:
            continue
        try:
            content = json.loads(files.read(found.name))
            process, seen = content["process"], frozenset(str(name) for name in content["seen"])
            began[number] = float(content["began"]) or found.modified
        except MissingFileError:  # ended meanwhile
            continue
        except (DamagedFileError, ValueError, KeyError, TypeError):  # it counts, until it is old
            process, seen = None, frozenset()
            began[number] = 0.0
        if is_dead(process) or now - found.modified > expires:
            files.write_new(f"{BROKEN}{number}", b"")
            files.delete(found.name)
            continue
        living[number] = seen
    return Others(seen=living, began={number: began[number] for number in living})


def forget(files: VaultFiles, *, now: float) -> None:
    """Delete old marks of broken leases."""
    for found in files.found(BROKEN):
        if now - found.modified > FORGET:
            files.delete(found.name)


def clock(files: VaultFiles) -> float:
    """Return the time by the place's own clock, in seconds since 1970."""
    name = f"{BROKEN}clock-{os.urandom(8).hex()}"
    files.write(name, b"")
    try:
        found: Found | None = files.writer().stat(name)
    finally:
        files.delete(name)
    return found.modified if found is not None else time.time()


def this_process() -> list[str]:
    """Return what tells this process from all others, on any machine."""
    return [*_here(), str(os.getpid()), _started(os.getpid())]


def is_dead(process: object) -> bool:
    """Tell whether a process ran on this machine, and does not any more; False where that cannot be known."""
    match process:
        case [str(boot), str(space), str(number), str(started)] if [boot, space] == _here() and number.isdecimal():
            return _started(int(number)) != started
    return False


def _here() -> list[str]:
    """Return the boot of this machine, and the space that process numbers are counted in."""
    return [_BOOT_ID.read_text().strip(), str(Path("/proc/self/ns/pid").readlink())]


def _started(number: int) -> str:
    """Return when a process started, in ticks since the boot; nothing if there is none, or it is a zombie."""
    try:
        # The name before it, in parentheses, may hold anything (proc(5)).
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _awake() -> float:
    """Return seconds that count on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
