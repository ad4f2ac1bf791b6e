"""Which of two Debian versions is newer (deb-version(7), section "Sorting algorithm").

>>> newer("1:1.0", "2.0"), newer("1.0", "1.0~rc1"), newer("1.10-1", "1.9-1")
(True, True, True)
"""

import re

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_END = 0  # the end of a part sorts after "~" and before everything else


def newer(one: str, other: str) -> bool:
    """Tell whether `one` is a later version than `other`."""
    return sort_key(one) > sort_key(other)


def sort_key(version: str) -> tuple[int, tuple[object, ...], tuple[object, ...]]:
    """Return a key that sorts versions as dpkg does."""
    epoch, colon, rest = version.rpartition(":")
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    return int(epoch) if colon and epoch.isdigit() else 0, _key(upstream), _key(revision)


def _key(part: str) -> tuple[object, ...]:
    """Return words and numbers in turn, each word as the ranks of its characters with an end."""
    pairs = _PARTS.findall(part)[:-1] if part else []
    ranked = [((*map(_rank, word), _END), int(digits or 0)) for word, digits in pairs]
    return (*(item for pair in ranked for item in pair), (_END,), 0)


def _rank(character: str) -> int:
    """Return the place of a character: "~", the end, letters, all else."""
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
