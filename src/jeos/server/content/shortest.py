"""The shortest way from one list of words or lines to another (E. W. Myers, 1986), given up when it becomes long.

    steps(["a", "b"], ["a", "c"]) == [Step("=", 0, 1, 0, 1), Step("~", 1, 2, 1, 2)]

Texts come from anybody, and `difflib` needs minutes for a few thousand words that were chosen for it. The time here is
bounded by the number of changes that are looked for; beyond it, everything between the ends that are alike is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CHANGES = 800  # removed and added together; a third of a second at worst


@dataclass(frozen=True)
class Step:
    """A run of both lists: kept (=), removed (-), added (+) or one for the other (~). Ends are exclusive."""

    sign: str
    old_begin: int
    old_end: int
    new_begin: int
    new_end: int


def steps(old: Sequence[str], new: Sequence[str], *, changes: int = CHANGES) -> list[Step]:
    """Return the steps from `old` to `new`, in their order, which cover both."""
    begin, end = _alike(old, new)
    inner_old, inner_new = old[begin : len(old) - end], new[begin : len(new) - end]
    kept = [(place, place) for place in range(begin)]
    kept += [(i + begin, j + begin) for i, j in _kept(inner_old, inner_new, changes=changes)]
    kept += [(len(old) - place, len(new) - place) for place in range(end, 0, -1)]
    return list(_runs(kept, len(old), len(new)))


def _alike(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """Return how many at the beginning, and how many at the end, are the same."""
    shorter = min(len(old), len(new))
    begin = 0
    while begin < shorter and old[begin] == new[begin]:
        begin += 1
    end = 0
    while end < shorter - begin and old[-1 - end] == new[-1 - end]:
        end += 1
    return begin, end


def _kept(old: Sequence[str], new: Sequence[str], *, changes: int) -> list[tuple[int, int]]:
    """Return the places that are kept, as pairs; none when more than `changes` would be needed.

    `reach[k]` is how far in `old` one comes on the diagonal k = place in old - place in new.
    """
    reach = {1: 0}
    trace: list[dict[int, int]] = []
    for cost in range(min(changes, len(old) + len(new)) + 1):
        trace.append(dict(reach))
        for k in range(-cost, cost + 1, 2):
            if not -len(new) <= k <= len(old):
                continue
            down = k == -cost or (k != cost and reach.get(k - 1, -1) < reach.get(k + 1, -1))
            i = reach[k + 1] if down else reach[k - 1] + 1
            j = i - k
            while i < len(old) and j < len(new) and old[i] == new[j]:
                i, j = i + 1, j + 1
            reach[k] = i
            if i >= len(old) and j >= len(new):
                return _back(trace, i, j)
    return []


def _back(trace: list[dict[int, int]], i: int, j: int) -> list[tuple[int, int]]:
    """Walk back from the end and return what was kept on the way."""
    kept: list[tuple[int, int]] = []
    for cost in range(len(trace) - 1, -1, -1):
        reach, k = trace[cost], i - j
        down = k == -cost or (k != cost and reach.get(k - 1, -1) < reach.get(k + 1, -1))
        before = k + 1 if down else k - 1
        from_i = reach[before]
        from_j = from_i - before
        while i > from_i and j > from_j and i > 0 and j > 0:
            i, j = i - 1, j - 1
            kept.append((i, j))
        i, j = from_i, from_j
    return kept[::-1]


def _runs(kept: list[tuple[int, int]], old_length: int, new_length: int) -> Iterator[Step]:
    """Return kept places and what is between them as runs."""
    i = j = 0
    place = 0
    while place < len(kept) or i < old_length or j < new_length:
        at_i, at_j = kept[place] if place < len(kept) else (old_length, new_length)
        if (at_i, at_j) != (i, j):
            sign = "~" if at_i > i and at_j > j else "-" if at_i > i else "+"
            yield Step(sign, i, at_i, j, at_j)
        i, j = at_i, at_j
        while place < len(kept) and kept[place] == (i, j):
            i, j, place = i + 1, j + 1, place + 1
        if (at_i, at_j) != (i, j):
            yield Step("=", at_i, i, at_j, j)
