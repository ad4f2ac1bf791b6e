"""Sizes as OVF writes them: a number, and a unit such as "byte * 2^30" (DSP0004, annex C) or, of old, "MegaBytes"."""

import re

from jeos.core.errors import InputError

# What tools wrote before the specification had units; they meant powers of two.
OLD_UNITS = {
    "bytes": 1,
    "kilobytes": 1 << 10,
    "megabytes": 1 << 20,
    "gigabytes": 1 << 30,
    "terabytes": 1 << 40,
    "kb": 1 << 10,
    "mb": 1 << 20,
    "gb": 1 << 30,
    "tb": 1 << 40,
}
FACTOR = re.compile(r"([*/])\s*(\d{1,6})(?:\s*\^\s*(\d{1,3}))?\s*")
LARGEST = 1 << 63  # bytes; what no disk reaches


def unit(text: str, *, default: int) -> int:
    """Return a unit in bytes; `default` stands for one that is not given. Raises InputError if it is not understood."""
    name = text.strip().lower()
    if not name:
        return default
    if name in OLD_UNITS:
        return OLD_UNITS[name]
    wrong = InputError(f"{text[:40]!r} is not a unit of size", hint="OVF counts in units such as byte * 2^30")
    base = re.match(r"byte\s*", name)
    if base is None:
        raise wrong
    value, place = 1, base.end()
    while place < len(name):
        factor = FACTOR.match(name, place)
        if factor is None:
            raise wrong
        number = int(factor[2]) ** int(factor[3] or 1)
        value = value * number if factor[1] == "*" else value // max(1, number)
        if not 0 < value < LARGEST:
            raise wrong
        place = factor.end()
    return value


def size(number: str, units: str, *, default: int, name: str) -> int:
    """Return so many units in bytes. Raises InputError, naming `name`, if it is no size."""
    match = re.fullmatch(r"\s*(\d{1,20})(?:\.(\d{1,9}))?\s*", number)
    if match is None:
        raise InputError(f"{name} is {number[:40]!r}, which is not a number", hint="the descriptor is damaged")
    scale = unit(units, default=default)
    value = int(match[1]) * scale
    if match[2]:
        value += int(match[2]) * scale // 10 ** len(match[2])
    if value >= LARGEST:
        raise InputError(f"{name} is {number.strip()} times {scale} bytes, more than there can be", hint="look at it")
    return value
