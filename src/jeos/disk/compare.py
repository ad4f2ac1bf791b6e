"""Compare two disks byte by byte, as far as either may hold something other than zeros."""

from collections.abc import Iterator

from jeos.disk.blocks import PIECE, Blocks


def difference(one: Blocks, other: Blocks) -> int | None:
    """Return the first byte at which two disks differ; None if they are the same.

    One may be larger than the other: what only it has must be zeros.
    """
    shorter, longer = sorted((one, other), key=lambda disk: disk.size)
    for start, end in _either(one, other, end=shorter.size):
        for place in range(start, end, PIECE):
            length = min(PIECE, end - place)
            mine, theirs = one.read(place, length), other.read(place, length)
            if mine != theirs:
                return place + next(at for at in range(length) if mine[at] != theirs[at])
    for start, end in longer.data(shorter.size, longer.size):
        for place in range(start, end, PIECE):
            piece = longer.read(place, min(PIECE, end - place))
            if piece.count(0) != len(piece):
                return place + len(piece) - len(piece.lstrip(b"\0"))
    return None


def _either(one: Blocks, other: Blocks, *, end: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of which at least one of the disks has data, in order."""
    sources = [iter(disk.data(0, end)) for disk in (one, other)]
    heads = [next(source, None) for source in sources]
    done = 0
    while any(heads):
        first = min((head[0], number) for number, head in enumerate(heads) if head)[1]
        start, last = heads[first]  # type: ignore[misc]
        heads[first] = next(sources[first], None)
        if last > done:
            yield max(start, done), last
            done = last
