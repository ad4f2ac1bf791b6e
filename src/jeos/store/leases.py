"""A lease says: what I touch from now on is in use. Garbage collection honours it while its process lives.

with leases.hold(folder):
    …                             # objects that are written or found in here outlive any collection

A lease is a file with a lock (flock) that the kernel drops when the last process that holds it ends, so that a killed
process leaves no lease behind. Its age is the file's time: collection spares everything touched since the oldest one.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def locked_file(folder: Path, *, prefix: str) -> tuple[int, Path]:
    """Make a new file with an exclusive lock and return its descriptor and path; the caller closes and deletes it.

    A file without a lock is rubbish that anyone may delete (`reap`); the instant between the file's making
    and its locking is covered by looking, once locked, whether it still has its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor, name = tempfile.mkstemp(prefix=prefix, dir=folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return descriptor, Path(name)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def reap(path: Path, *, dry_run: bool = False) -> bool:
    """Delete a file made by `locked_file` if no living process holds its lock; tell whether that was so.

    `dry_run` only tells. The file goes while we hold its lock, so that its maker cannot lock it in between.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # gone, or another user's: not ours to judge
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not dry_run:
            path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep what is touched during the block from being collected."""
    descriptor, path = locked_file(folder, prefix="lease-")
    try:
        os.write(descriptor, f"{os.getpid()}\n".encode())  # for people who look into the folder
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def horizon(folder: Path, *, older_than: float) -> int:
    """Return the time (nanoseconds since 1970, by the file system's clock) from which on things are in use.

    That is `older_than` seconds ago, or the start of the oldest living lease if that is earlier. Leases of dead
    processes are deleted. The clock is that of the files themselves: the kernel's, a tick behind `time.time`.
    """
    descriptor, path = locked_file(folder, prefix="clock-")
    try:
        now = os.fstat(descriptor).st_mtime_ns
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
    earliest = now - int(older_than * 1e9)
    for lease in folder.glob("*-*"):
        try:
            begun = lease.stat().st_mtime_ns
        except FileNotFoundError:
            continue
        if not reap(lease):
            earliest = min(earliest, begun)
    return earliest
