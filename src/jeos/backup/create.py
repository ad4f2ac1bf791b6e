"""Make a backup point: capture all disks of a machine in one session, and commit what makes them one.

    point = create(vault, [Source("vda", "raw", disk)], owner="old-server", consistency=Consistency.STOPPED)

What was stored before the last step is there for the next attempt, and the point is there whole or not at all.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from jeos.backup import points
from jeos.backup.capture import capture
from jeos.backup.segments import Segments
from jeos.disk.blocks import Blocks
from jeos.model.snapshot import Consistency, Point, PointDisk, point_text
from jeos.store import codec
from jeos.store.vault import Vault

Progress = Callable[[str, int, int], None]  # a disk's name, its bytes that are done, and all


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A disk that is to be captured; `name` tells it from the machine's others, now and later.

    `changed` are the ranges outside of which it is what it was in the point that is compared with; None where nobody
    knows. `bitmap` is the name of the dirty bitmap that began at the instant that is captured.
    """

    name: str
    format: str
    blocks: Blocks
    changed: Iterable[tuple[int, int]] | None = None
    bitmap: str = ""


def create(
    vault: Vault,
    sources: Sequence[Source],
    *,
    owner: str,
    consistency: Consistency,
    taken_at: float | None = None,
    parent: Point | None = None,
    machine: str = "",
    nvram: bytes = b"",
    notes: Sequence[str] = (),
    progress: Progress | None = None,
) -> Point:
    """Store a point of `owner` and return it; `taken_at` is when its disks were as they are (seconds since 1970).

    `parent` is the point to compare with, without one the newest; ranges in `changed` are believed only with it.
    Raises InputError, StoreError or NetworkError: then there is no point, and what was stored speeds up the next one.
    """
    believed = parent is not None
    parent = parent or points.newest(vault, owner)
    name, taken = points.new_name(owner, now=time.time() if taken_at is None else taken_at)
    before = {disk.name: disk for disk in parent.disks} if parent else {}
    segments = Segments(vault.read)
    disks, read = [], 0
    with vault.session(level=codec.CLOSER if parent else codec.QUICKER) as session:
        if parent and parent.name not in vault.points():  # deleted, and maybe collected, before the session began
            before = {}
        for source in sources:
            captured = capture(
                source.blocks,
                session,
                segments=segments,
                previous=before.get(source.name),
                changed=source.changed if believed and source.name in before else None,
                progress=_named(progress, source.name),
            )
            read += captured.read
            disks.append(PointDisk(source.name, source.format, captured.manifest, captured.data, source.bitmap))
        point = Point(
            name=name,
            number=points.next_number(vault, owner),
            taken=taken,
            consistency=consistency,
            disks=tuple(disks),
            parent=parent.name if parent else "",
            read=read,
            machine=machine,
            nvram=session.write(nvram) if nvram else b"",
            notes=tuple(notes),
        )
        session.flush()
        point = replace(point, new=session.new_bytes)
        session.commit_point(name, point_text(point))
    return point


def _named(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return (lambda done, size: progress(name, done, size)) if progress else None
