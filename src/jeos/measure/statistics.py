"""From the repetitions of a measurement to what is said of it.

The figure that stands for all repetitions is the lower quartile: other programs only ever add time, on both sides, so
the faster half tells more of what is measured, and its middle is not as lucky as the least.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """Nanoseconds of one operation: the figure, the least and the middle of all repetitions, and their number.

    `spread` is how far the middle half of the repetitions reaches, as a part of the figure.
    """

    nanoseconds: float
    least: float
    median: float
    spread: float
    repetitions: int


def summarize(values: Sequence[float]) -> Summary:
    """Return what repetitions come to; there is at least one."""
    ordered = sorted(values)
    quarter, middle, three = (quantile(ordered, part) for part in (0.25, 0.5, 0.75))
    spread = (three - quarter) / quarter if quarter else 0.0
    return Summary(quarter, least=ordered[0], median=middle, spread=spread, repetitions=len(ordered))


def quantile(ordered: Sequence[float], part: float) -> float:
    """Return the value below which a part of sorted values lies, between neighbours in proportion to the distance.

    Source: Hyndman and Fan, "Sample quantiles in statistical packages" (1996), type 7.
    """
    place = (len(ordered) - 1) * part
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
