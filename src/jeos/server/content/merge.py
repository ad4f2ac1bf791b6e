"""Merging two changes of one text, line by line, as diff3 does: what only one side changed is taken from that side.

    merge(base, theirs, mine).text       # with both versions between marks where both sides changed the same lines

Both sides' lines are always in the result or equal to what the other side has: nothing is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jeos.server.content.lines import lines
from jeos.server.content.shortest import steps

# Longer than the marks of version control, which texts about version control may show.
MINE, BETWEEN, THEIRS = "<<<<<<<<", "========", ">>>>>>>>"
_MARK = re.compile(rf"^(?:{MINE}|{THEIRS})(?: .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Merged:
    """A merged text, and in how many places the two sides disagreed."""

    text: str
    conflicts: int


@dataclass(frozen=True)
class Piece:
    """A part of the three texts between lines that are in all three."""

    base: list[str]
    theirs: list[str]
    mine: list[str]


def merge(base: str, theirs: str, mine: str, *, theirs_name: str = "", mine_name: str = "") -> Merged:
    """Return what becomes of `base` when `theirs` and `mine` both stand; the names go behind the marks."""
    merged: list[str] = []
    conflicts = 0
    for piece in _pieces(lines(base), lines(theirs), lines(mine)):
        if piece.mine in (piece.base, piece.theirs):
            merged += piece.theirs
        elif piece.theirs == piece.base:
            merged += piece.mine
        else:
            conflicts += 1
            merged += [f"{MINE} {mine_name}".rstrip(), *piece.mine, BETWEEN, *piece.theirs]
            merged += [f"{THEIRS} {theirs_name}".rstrip()]
    return Merged("\n".join(merged), conflicts)


def is_marked(text: str) -> bool:
    """Tell whether a text still has the marks of a conflict."""
    return bool(_MARK.search(text))


def _pieces(base: list[str], theirs: list[str], mine: list[str]) -> Iterator[Piece]:
    """Cut the texts at each line that is in all three, and return the parts: such lines alone, and what is between."""
    in_theirs, in_mine = _places(base, theirs), _places(base, mine)
    at_base = at_theirs = at_mine = 0
    for place in range(len(base)):
        if place not in in_theirs or place not in in_mine:
            continue
        there, here = in_theirs[place], in_mine[place]
        if (place, there, here) != (at_base, at_theirs, at_mine):
            yield Piece(base[at_base:place], theirs[at_theirs:there], mine[at_mine:here])
        yield Piece([base[place]], [theirs[there]], [mine[here]])
        at_base, at_theirs, at_mine = place + 1, there + 1, here + 1
    if base[at_base:] or theirs[at_theirs:] or mine[at_mine:]:
        yield Piece(base[at_base:], theirs[at_theirs:], mine[at_mine:])


def _places(base: Sequence[str], other: Sequence[str]) -> dict[int, int]:
    """Return where the lines of `base` that were kept are in another text."""
    return {
        i: j
        for step in steps(base, other)
        if step.sign == "="
        for i, j in zip(range(step.old_begin, step.old_end), range(step.new_begin, step.new_end), strict=True)
    }
