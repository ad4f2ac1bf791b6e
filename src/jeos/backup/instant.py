"""A disk of a running machine as it was at one instant, read from what `fleece` exports.

    with Instant(socket, exported) as disk:
        changed = disk.changed()            # ranges, or None: everything must be read
        disk.read(0, 512)

It is a `Blocks`. With a bitmap, only what that marks can be read: QEMU keeps nothing else of the instant.
"""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from jeos.core.closing import Closing
from jeos.core.errors import NetworkError
from jeos.disk import nbd_format
from jeos.disk.nbd_client import Nbd
from jeos.disk.nbd_format import ALLOCATION
from jeos.vm.fleece import NOW, SCRATCH, Exported

TRIES = 3  # to connect


class Instant(Closing):
    """One disk; closes its connections at the end of a `with` block."""

    def __init__(self, socket: Path, exported: Exported) -> None:
        """Connect to QEMU. Raises NetworkError if it does not export what it should."""
        self.exported = exported
        with ExitStack() as undo:
            if exported.bitmap:
                self._mark = nbd_format.DIRTY_BITMAP + exported.bitmap
                self._instant = undo.enter_context(_connected(socket, exported.export, self._mark))
            else:
                self._instant = undo.enter_context(_connected(socket, exported.export))
                self._now = undo.enter_context(_connected(socket, exported.export + NOW, ALLOCATION))
                self._scratch = undo.enter_context(_connected(socket, exported.export + SCRATCH, ALLOCATION))
            self._undo = undo.pop_all()

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self._instant.size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes at `offset`, as they were at the instant."""
        return self._instant.read(offset, length)

    def data(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges that may have held something: what does now, and what was overwritten since.

        In this order, because what is overwritten between the two questions is then seen by the second.
        """
        if self.exported.bitmap:
            yield from self._instant.data(start, end)
            return
        now = list(self._now.data(start, end))
        yield from _union(now, list(self._scratch.data(start, end)))

    def changed(self) -> list[tuple[int, int]] | None:
        """Return the ranges that the bitmap marks, in order; None if there is none, and everything counts."""
        if not self.exported.bitmap:
            return None
        extents = self._instant.status(self._mark, 0, self.size)
        return [(start, end) for start, end, flags in extents if flags & nbd_format.DIRTY]

    def close(self) -> None:
        """Hang up."""
        self._undo.close()


def _connected(place: Path, export: str, *contexts: str) -> Nbd:
    """Connect to an export, more than once if need be. Raises NetworkError.

    QEMU hangs up on who has not said within ten seconds what they want, and this process may have stood still for as
    long: on a host that slept, or was very busy.
    """
    for _ in range(TRIES - 1):
        with suppress(NetworkError):
            return Nbd(place, export, contexts=contexts)
    return Nbd(place, export, contexts=contexts)


def _union(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of two lists as one, in order and without overlaps."""
    pending: tuple[int, int] | None = None
    for start, end in sorted(one + other):
        if pending is None:
            pending = start, end
        elif start <= pending[1]:
            pending = pending[0], max(end, pending[1])
        else:
            yield pending
            pending = start, end
    if pending is not None:
        yield pending
