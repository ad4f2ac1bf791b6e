"""A channel in a folder, which any web server can serve as it is.

The lock is the kernel's (flock on `.lock`), so that it ends with the process that held it. What a killed process left
half-written has a name that starts with a dot; the next one to hold the lock deletes it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from jeos.channel.backend import CHANGED_HINT, MISSING_HINT, WHAT, BusyChannelError
from jeos.core import files
from jeos.core.errors import StoreError
from jeos.store.places.folder import FolderPlace

LOCK = ".lock"
OTHER = "another process on this machine, or one that has the folder mounted"


class FolderBackend(FolderPlace):
    """The files of a channel in `folder`."""

    what, missing_hint, changed_hint = WHAT, MISSING_HINT, CHANGED_HINT

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep all others from changing the channel during the block. Raises BusyChannelError if somebody does."""
        held = ExitStack()
        try:
            held.enter_context(files.locked(self.folder / LOCK, wait=False))
        except StoreError:
            raise BusyChannelError(self.place, holder=OTHER) from None
        with held:
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Delete what killed processes left; who holds the lock is the only one to write."""
        for path in self.folder.rglob(f".*{files.PARTIAL_SUFFIX}"):
            path.unlink(missing_ok=True)
