"""A volume on copies of disks, lent to programs that want a range of bytes in one file.

    with Lent(volume, [Path("disk-0"), Path("disk-1")]) as place:
        edit(place.path, offset=place.offset)

A partition is lent where it lies. A logical volume whose parts lie apart is put together in a file beside the copies,
and what changed of it goes back to where it was; so is any volume for programs that want it `alone`, from the first
byte of a file on.
"""

from collections.abc import Sequence
from pathlib import Path

from jeos.convert.writers.base import Place
from jeos.disk import blocks
from jeos.disk.blocks import PIECE, File
from jeos.disk.volumes.base import Joined, Volume


class Lent:
    """A volume of the copies as one range of bytes in a file, for as long as a `with` block lasts."""

    def __init__(self, volume: Volume, disks: Sequence[Path], *, alone: bool = False) -> None:
        self._volume, self._disks, self._alone = volume, disks, alone
        self._work: Path | None = None

    def __enter__(self) -> Place:
        pieces = self._volume.pieces
        first = pieces[0]
        if self._alone:
            return self._gathered()
        end = first.start
        for piece in pieces:
            if (piece.disk, piece.start) != (first.disk, end):
                return self._gathered()
            end += piece.size
        return Place(self._disks[first.disk], offset=first.start, size=end - first.start)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._work is None:
            return
        try:
            if kind is None:
                self._return()
        finally:
            self._work.unlink(missing_ok=True)

    def _gathered(self) -> Place:
        self._work = self._disks[0].with_name(f"{self._volume.name.replace('/', '-')}.volume")
        size = sum(piece.size for piece in self._volume.pieces)
        with self._work.open("wb") as file, _Together(self._volume, self._disks) as there:
            file.truncate(size)
            for offset, content in blocks.pieces(there):
                file.seek(offset)
                file.write(content)
        return Place(self._work, offset=0, size=size)

    def _return(self) -> None:
        """Put back what has changed: only where the file has data, or had some."""
        assert self._work is not None
        position = 0
        with File(self._work) as changed, _Together(self._volume, self._disks) as before:
            for piece in self._volume.pieces:
                with self._disks[piece.disk].open("r+b") as disk:
                    for start in range(0, piece.size, PIECE):
                        end = position + min(start + PIECE, piece.size)
                        begin = position + start
                        if not any(True for one in (changed, before) for _ in one.data(begin, end)):
                            continue
                        new = changed.read(begin, end - begin)
                        if before.read(begin, end - begin) != new:
                            disk.seek(piece.start + start)
                            disk.write(new)
                position += piece.size


class _Together:
    """The parts of a volume on the copies, as one disk."""

    def __init__(self, volume: Volume, disks: Sequence[Path]) -> None:
        self._files = {piece.disk: File(disks[piece.disk]) for piece in volume.pieces}
        self._joined = Joined([(self._files[piece.disk], piece.start, piece.size) for piece in volume.pieces])

    def __enter__(self) -> Joined:
        return self._joined

    def __exit__(self, *rest: object) -> None:
        for file in self._files.values():
            file.close()
