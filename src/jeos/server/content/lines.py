"""Comparing two texts line by line, with the words that changed within a line; the time that it takes is bounded.

compare("one\\ntwo", "one\\n2") == [Pair("=", 1, 1, …), Pair("~", 2, 2, …)]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from jeos.server.content.shortest import steps

WORDS = 100  # changed words of one line; a line with more is another line
CONTEXT = 3  # lines around a change that are shown


@dataclass(frozen=True)
class Run:
    """A run of words: kept (=), added (+) or removed (-)."""

    sign: str
    text: str


@dataclass(frozen=True)
class Pair:
    """A line of the old text beside one of the new: the same (=), changed (~), removed (-), added (+), left out (…).

    Numbers count from 1; 0 where there is no such line.
    """

    sign: str
    old_number: int
    new_number: int
    old: tuple[Run, ...] = ()
    new: tuple[Run, ...] = ()


def lines(text: str) -> list[str]:
    """Return the lines of a text; none of an empty one. Only a line feed ends a line, so that joining gives it back."""
    return text.split("\n") if text else []


def compare(old: str, new: str) -> list[Pair]:
    """Return the lines of two texts side by side."""
    before, after = lines(old), lines(new)
    pairs: list[Pair] = []
    for step in steps(before, after):
        if step.sign == "=":
            for i, j in zip(range(step.old_begin, step.old_end), range(step.new_begin, step.new_end), strict=True):
                kept = (Run("=", before[i]),)
                pairs.append(Pair("=", i + 1, j + 1, kept, kept))
        else:
            was, becomes = before[step.old_begin : step.old_end], after[step.new_begin : step.new_end]
            pairs += _changed(was, becomes, step.old_begin + 1, step.new_begin + 1)
    return pairs


def _changed(old: Sequence[str], new: Sequence[str], old_number: int, new_number: int) -> Iterator[Pair]:
    """Return lines that were replaced, the first beside the first."""
    for place, (before, after) in enumerate(zip_longest(old, new)):
        if before is None:
            yield Pair("+", 0, new_number + place, new=(Run("+", after),))
        elif after is None:
            yield Pair("-", old_number + place, 0, old=(Run("-", before),))
        else:
            runs = words(before, after)
            yield Pair(
                "~",
                old_number + place,
                new_number + place,
                tuple(run for run in runs if run.sign != "+"),
                tuple(run for run in runs if run.sign != "-"),
            )


def words(old: str, new: str) -> list[Run]:
    """Return what changed within a line."""
    before, after = _split(old), _split(new)
    runs: list[Run] = []
    for step in steps(before, after, changes=WORDS):
        was, becomes = before[step.old_begin : step.old_end], after[step.new_begin : step.new_end]
        if step.sign == "=":
            runs.append(Run("=", "".join(was)))
            continue
        runs += [Run(sign, "".join(part)) for sign, part in (("-", was), ("+", becomes)) if part]
    return runs


def _split(line: str) -> list[str]:
    parts = line.split(" ")
    return [part + " " for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def near(pairs: Sequence[Pair], *, context: int = CONTEXT) -> list[Pair]:
    """Return the changed lines with some around them; what is left out between is one pair (…)."""
    shown: set[int] = set()
    for place, pair in enumerate(pairs):
        if pair.sign != "=":
            shown.update(range(max(0, place - context), min(len(pairs), place + context + 1)))
    kept: list[Pair] = []
    for place, pair in enumerate(pairs):
        if place in shown:
            kept.append(pair)
        elif not kept or kept[-1].sign != "…":
            kept.append(Pair("…", pair.old_number, pair.new_number))
    return kept if shown else []
