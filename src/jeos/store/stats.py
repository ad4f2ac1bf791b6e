"""Count what a store holds."""

from collections import Counter
from dataclasses import dataclass

from jeos.store import object_file
from jeos.store.codec import Form
from jeos.store.local import LocalStore
from jeos.store.roots import roots


@dataclass(frozen=True, slots=True)
class Stats:
    """What a store holds: objects, the room they take on the disk and their own size in bytes, roots by kind."""

    objects: int
    packed: int
    disk_bytes: int
    content_bytes: int
    roots: dict[str, int]


def stats(store: LocalStore) -> Stats:
    """Count the objects and roots of a store."""
    objects = packed = disk_bytes = content_bytes = 0
    for found in store.object_files():
        try:
            sizes = object_file.sizes(found)
        except FileNotFoundError:  # collected meanwhile
            continue
        objects += 1
        packed += found.form is not Form.PLAIN
        disk_bytes += sizes.disk
        content_bytes += sizes.content
    return Stats(
        objects=objects,
        packed=packed,
        disk_bytes=disk_bytes,
        content_bytes=content_bytes,
        roots=dict(sorted(Counter(root.kind for root in roots(store)).items())),
    )
