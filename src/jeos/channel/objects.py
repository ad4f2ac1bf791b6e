"""A channel in an S3 bucket (or in what speaks S3); conditional writes keep two publishers apart."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from jeos.channel import layout
from jeos.channel.backend import CHANGED_HINT, MISSING_HINT, WHAT
from jeos.channel.lease import lease
from jeos.store.places.objects import ObjectPlace

if TYPE_CHECKING:
    from obstore import Attributes


class ObjectBackend(ObjectPlace):
    """The files of a channel under a bucket's prefix; see `ObjectPlace`."""

    what, missing_hint, changed_hint = WHAT, MISSING_HINT, CHANGED_HINT

    def lock(self) -> AbstractContextManager[None]:
        """Keep all others from changing the channel during the block. Raises BusyChannelError if somebody does."""
        return lease(self)

    def attributes(self, name: str) -> "Attributes":
        """Return the type of a file, and how long caches may keep it."""
        return {"Content-Type": layout.content_type(name), "Cache-Control": layout.cache_control(name)}
