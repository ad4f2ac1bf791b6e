"""HTML with marks in it: made once by a template, filled in as often as something of its shape is shown.

    shape = Shape(template.render(name=MARKS[0]), MARKS)
    shape.fill(("ada",))

What is filled in is never looked at again, so that no value can stand for another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter

from markupsafe import Markup

FIRST, COUNT = 0xFDD0, 32  # Unicode keeps these from ever being characters of a text (section 23.7)


def marks(count: int) -> tuple[Markup, ...]:
    """Return so many marks, which a template takes for the values that differ."""
    assert count <= COUNT
    return tuple(Markup(chr(FIRST + place)) for place in range(count))  # noqa: S704


class Shape:
    """HTML, taken apart at its marks."""

    __slots__ = ("_format", "_values", "places")

    def __init__(self, made: str, signs: Sequence[str]) -> None:
        """Take HTML apart at `signs`, which are what became of the marks in it."""
        parts = re.split(f"({'|'.join(map(re.escape, signs))})", made) if signs else [made]
        of = {sign: place for place, sign in enumerate(signs)}
        self.places = tuple(of[sign] for sign in parts[1::2])  # which values it takes, in their order
        self._format = "%s".join(part.replace("%", "%%") for part in parts[::2])
        self._values = _picked(self.places)

    def fill(self, values: Sequence[object]) -> str:
        """Return the HTML with values, which are HTML themselves or were escaped, in the order of the marks."""
        return self._format % self._values(values)


def _picked(places: tuple[int, ...]) -> Callable[[Sequence[object]], tuple[object, ...]]:
    """Return what picks the values at some places; `itemgetter` does that for two and more."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple(values[place] for place in places)
