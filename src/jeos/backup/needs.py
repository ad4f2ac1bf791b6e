"""Which chunks a point needs, for what collects, verifies and copies them."""

from collections.abc import Iterator

from jeos.backup import points, segments
from jeos.backup.segments import Segments
from jeos.store.vault import Vault


def needs(vault: Vault, name: str) -> Iterator[bytes]:
    """Yield the ids of all chunks that a point needs, lists of chunks included; some come more than once.

    A list is named before it is read, so that whoever finds it missing knows which it was. Raises StoreError or
    InputError where the point, or a list, cannot be read.
    """
    yield from segments.ids(points.read(vault, name), Segments(vault.read))
