"""Numbers as people read them: times, rates, ratios, counts."""

import math

UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
DIGITS = 3


def time(nanoseconds: float) -> str:
    """Return a time in the unit in which it has one to three digits before the point: "1.45 µs"."""
    factor, unit = next(((factor, unit) for factor, unit in UNITS if _rounded(nanoseconds / factor) >= 1), UNITS[-1])
    return f"{number(nanoseconds / factor)} {unit}"


def rate(nanoseconds: float) -> str:
    """Return the rate of a stream of which 1 MiB takes so long: "843 MiB/s", "3.1 GiB/s"."""
    mebibytes = 1e9 / nanoseconds
    return f"{number(mebibytes / 1024)} GiB/s" if mebibytes >= 1024 else f"{number(mebibytes)} MiB/s"


def times(ratio: float) -> str:
    """Return a ratio: "1.02 x", "14 x", "2,300 x"."""
    return f"{ratio:.2f} x" if ratio < 10 else f"{number(ratio, digits=2)} x"


def count(value: float) -> str:
    """Return how often something happened for one operation; what is too seldom to matter is "0"."""
    return "0" if value < 0.0005 else number(value)


def part(value: float) -> str:
    """Return a part in percent."""
    return f"{value * 100:.0f} %"


def number(value: float, *, digits: int = DIGITS) -> str:
    """Return a number with so many digits that count, and as many zeros as it takes: "0.0123", "45.6", "12,300"."""
    if not value:
        return "0"
    shown = _rounded(value, digits=digits)
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(shown))))
    return f"{shown:,.{decimals}f}"


def _rounded(value: float, *, digits: int = DIGITS) -> float:
    """Return a value with so many digits that count."""
    return float(f"{value:.{digits - 1}e}")
