"""Several downloads at a time, into the store.

A download that breaks off, be it by the network or by Ctrl-C, goes on where it stopped.
"""

import fcntl
import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from jeos.build.credentials import Credentials
from jeos.build.download import VALIDATOR_SUFFIX, Connections, MissingFileError, TransientError, Wanted, complete
from jeos.core import files, log, settings
from jeos.core.errors import NetworkError
from jeos.store.local import LocalStore

THREADS = 6  # one connection each; more gain nothing and annoy mirrors
SHOWN_MISSING = 10  # packages that one message names


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a download that gets nothing is tried, and how long (seconds) the first pause is; it doubles."""

    tries: int = 5
    pause: float = 0.5


Progress = Callable[[int, int], None]  # bytes done, bytes in all


class _StoppedError(Exception):
    """Another download failed, so this one need not go on."""


class Transfers:
    """One run: what its threads share."""

    def __init__(
        self,
        wanted: Sequence[Wanted],
        *,
        store: LocalStore,
        progress: Progress | None,
        patience: Patience,
        timeout: float,
    ) -> None:
        self.wanted = wanted
        self.store = store
        self.progress = progress
        self.patience = patience
        self.timeout = timeout
        self.credentials = Credentials(settings.credentials())
        self.folder = store.folder.with_name("downloads")  # on the store's file system: adopting is a rename
        self.total = sum(one.size for one in wanted)
        self.done = 0
        self.gone: list[Wanted] = []
        self.guard = threading.Lock()
        self.stopping = threading.Event()

    def run(self) -> None:
        """Get all files, and raise the first error once every thread has stopped."""
        self.folder.mkdir(parents=True, exist_ok=True)
        queue = iter(self.wanted)
        with ThreadPoolExecutor(min(THREADS, len(self.wanted)), thread_name_prefix="fetch") as threads:
            try:
                works = [threads.submit(self._work, queue) for _ in range(min(THREADS, len(self.wanted)))]
                wait(works, return_when=FIRST_EXCEPTION)
            finally:
                self.stopping.set()
        _raise_first(works)
        if self.gone:
            raise _gone(self.gone)

    def _work(self, queue: Iterator[Wanted]) -> None:
        try:
            with Connections(credentials=self.credentials, timeout=self.timeout) as connections:
                while not self.stopping.is_set():
                    with self.guard:
                        one = next(queue, None)
                    if one is None:
                        return
                    self._get(one, connections=connections)
        except OSError as error:
            if files.out_of_room(error):
                raise files.full_disk(self.folder / "packages") from error
            raise

    def _get(self, one: Wanted, *, connections: Connections) -> None:
        try:
            with _partial(self.folder / f"{one.sha256}.partial") as file:
                if self.store.has(one.sha256):  # another process was faster
                    return
                self._told(file.seek(0, os.SEEK_END))
                self._try(one, file, connections=connections)
                self.store.adopt(Path(file.name), expected=one.sha256)
        except MissingFileError:
            with self.guard:
                self.gone.append(one)

    def _try(self, one: Wanted, file: BinaryIO, *, connections: Connections) -> None:
        """Get one file, with pauses between tries; a try that brought something does not count."""
        failures = 0
        while True:
            had = file.seek(0, os.SEEK_END)
            try:
                complete(one, file, connections=connections, told=self._told)
                return
            except TransientError as error:
                failures = 0 if file.seek(0, os.SEEK_END) > had else failures + 1
                if failures >= self.patience.tries:
                    raise
                log.debug(f"{one.name}: {error.message}; trying again")
                pause = self.patience.pause * 2**failures * random.uniform(0.5, 1)  # noqa: S311 - no secret
                if self.stopping.wait(pause):
                    raise _StoppedError from error

    def _told(self, count: int) -> None:
        """Count bytes that came in; ends the thread if another one failed."""
        if self.stopping.is_set():
            raise _StoppedError
        with self.guard:
            self.done = min(self.done + count, self.total)  # a part that was sent twice is not counted twice
            if self.progress is not None:
                self.progress(self.done, self.total)


@contextmanager
def _partial(path: Path) -> Iterator[BinaryIO]:
    """Open the file that a download is collected in, alone among all processes; an empty one is not left behind."""
    while True:
        # In one step: between making and opening it, who had it before may make it an object of the store.
        with open(path, "r+b", opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o644)) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(path, file):  # the same happened before we had the lock: this is another file now
                continue
            try:
                yield file
            finally:
                if not os.fstat(file.fileno()).st_size and _is_at(path, file):
                    path.unlink()
                    path.with_name(path.name + VALIDATOR_SUFFIX).unlink(missing_ok=True)
            return


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Tell whether an open file still has its path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _raise_first(works: Iterable[Future[None]]) -> None:
    """Raise what the threads failed with; that one stopped for another's sake is no reason."""
    errors = [error for work in works if (error := work.exception()) is not None]
    for error in errors:
        if not isinstance(error, _StoppedError):
            raise error


def _gone(packages: Sequence[Wanted]) -> NetworkError:
    names = [one.name for one in packages]
    more = f" and {len(names) - SHOWN_MISSING} more" if len(names) > SHOWN_MISSING else ""
    return NetworkError(
        f"the mirror does not have {', '.join(sorted(names)[:SHOWN_MISSING])}{more}",
        hint="`jeos lock --upgrade` takes the versions that it has now; to build the locked ones, set `mirror` in the "
        "recipe to a snapshot archive of Debian of the lock's date",
    )
