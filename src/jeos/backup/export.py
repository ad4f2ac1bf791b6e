"""The disks of a point over NBD: what a machine that starts from it reads until it has everything itself.

    with exported(vault, point, socket): …          # in the program that the machine's supervisor starts

That program starts before the machine does, and loads nothing that it does not need.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from jeos.backup.restored import PointBlocks, ReadAhead
from jeos.backup.segments import Segments
from jeos.disk.nbd_serve import Server
from jeos.model.snapshot import Point
from jeos.store.vault import Vault
from jeos.vm.nodes import node


@contextmanager
def exported(vault: Vault, point: Point, place: Path, *, listener: socket.socket | None = None) -> Iterator[Server]:
    """Export the disks of a point on a socket for the block, under the names that QEMU has for them.

    A `listener` is one that listens at `place` already.
    """
    segments = Segments(vault.read)
    with ExitStack() as undo:
        found = {
            node(number): undo.enter_context(ReadAhead(PointBlocks(vault, disk.manifest, segments=segments)))
            for number, disk in enumerate(point.disks)
        }
        yield undo.enter_context(Server(found, place, listener=listener))
