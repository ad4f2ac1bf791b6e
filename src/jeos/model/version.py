"""Which of two releases is newer: the order of the UAPI group's version format (UAPI.10), in which systemd-boot picks.

>>> newer("1.10", "1.9"), newer("1.0", "1.0~rc1"), newer("1.0.1", "1.0")
(True, True, True)

What an update plans and what the boot loader starts must agree, so that both go by this one.
"""

import functools
import re

_IGNORED = re.compile(r"[^A-Za-z0-9~.^-]*")  # these only separate
_NUMBER, _WORD = re.compile(r"[0-9]*"), re.compile(r"[A-Za-z]*")
_SEPARATORS = "-^."  # whoever comes to one first is older; in the order in which they are looked at


def newer(one: str, other: str) -> bool:
    """Tell whether `one` is a later version than `other`."""
    return compare(one, other) > 0


def compare(one: str, other: str) -> int:
    """Return -1, 0 or 1 as `one` is older than, as old as, or newer than `other` (UAPI.10, "Algorithm")."""
    while True:
        one, other = (text[len(_leading(_IGNORED, text)) :] for text in (one, other))
        result, one, other = _separator("~", one, other)
        if result or not one or not other:
            return result or bool(one) - bool(other)
        for mark in _SEPARATORS:
            result, one, other = _separator(mark, one, other)
            if result:
                return result
        result, one, other = _segment(one, other)
        if result:
            return result


sort_key = functools.cmp_to_key(compare)


def _separator(mark: str, one: str, other: str) -> tuple[int, str, str]:
    """Compare two texts of which one may begin with a mark, and so be the older; take it off if both do."""
    first, second = one.startswith(mark), other.startswith(mark)
    return second - first, one[first and second :], other[first and second :]


def _segment(one: str, other: str) -> tuple[int, str, str]:
    """Compare the numbers or words that two texts begin with, and take these off; none is older than any."""
    if one[:1].isdigit() or other[:1].isdigit():
        words = _leading(_NUMBER, one), _leading(_NUMBER, other)
        first, second = (int(word) if word else -1 for word in words)
        result = (first > second) - (first < second)
    else:
        words = _leading(_WORD, one), _leading(_WORD, other)
        result = (words[0] > words[1]) - (words[0] < words[1])
    return result, one[len(words[0]) :], other[len(words[1]) :]


def _leading(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return found.group() if found else ""
