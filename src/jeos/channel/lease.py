"""A lock on a channel in a bucket: an object that says who holds it until when, and is renewed while they work.

Who holds it and dies is waited for no longer than `SECONDS`. It only keeps people from working in vain: what makes two
at once harmless is that every write of metadata is conditional (see `Backend.put`).
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from jeos.channel.backend import Backend, BusyChannelError
from jeos.core import log
from jeos.core.errors import JeosError
from jeos.store.places.place import ChangedFileError

NAME = "lock.json"
SECONDS = 180.0  # how long it holds without being renewed: three missed renewals
RENEW = SECONDS / 3


@contextmanager
def lease(backend: Backend, *, now: Callable[[], float] = time.time) -> Iterator[None]:
    """Hold the lock during the block. Raises BusyChannelError if somebody else holds it."""
    holder = f"{os.environ.get('USER', 'somebody')}@{socket.gethostname()} (process {os.getpid()})"
    mine = os.urandom(8).hex()

    def claim(tag: str) -> str:
        """Write the lock in place of the one with this tag, and return the new one's."""
        data = json.dumps({"holder": holder, "id": mine, "until": int(now() + SECONDS)}).encode()
        backend.put(NAME, data, replaces=tag)
        found = backend.stat(NAME)
        return found.tag if found else ""

    tag = _take(backend, claim, now=now)
    ended = threading.Event()
    renewer = threading.Thread(target=_renew, args=(claim, tag, ended), daemon=True)
    renewer.start()
    try:
        yield
    finally:
        ended.set()
        renewer.join()
        with suppress(JeosError, ValueError):
            if json.loads(backend.get(NAME)).get("id") == mine:
                backend.delete(NAME)


def _take(backend: Backend, claim: Callable[[str], str], *, now: Callable[[], float]) -> str:
    found = backend.stat(NAME)
    holder = "somebody who was faster"
    if found is not None:
        until, holder = _read(backend)
        if until > now():
            raise BusyChannelError(backend.place, holder=f"{holder}, at the latest for another {until - now():.0f} s")
        log.warn(f"{holder} left the lock of {backend.place} behind; it is taken over")
    try:
        return claim(found.tag if found else "")
    except ChangedFileError:
        raise BusyChannelError(backend.place, holder=holder) from None


def _read(backend: Backend) -> tuple[float, str]:
    """Return until when the lock is held and by whom; one that nobody can read is held by nobody."""
    try:
        values = json.loads(backend.get(NAME, limit=4096))
        return float(values["until"]), str(values["holder"])
    except (JeosError, ValueError, KeyError, TypeError):
        return 0.0, "somebody"


def _renew(claim: Callable[[str], str], tag: str, ended: threading.Event) -> None:
    while not ended.wait(RENEW):
        try:
            tag = claim(tag)
        except ChangedFileError:
            log.warn("somebody else took the lock of the channel over; what is published now may be refused")
            return
        except JeosError as error:  # a passing fault of the network: the next renewal may work
            log.debug(f"the lock was not renewed: {error.message}")
