"""Parts of a file, as a browser asks for them (RFC 9110, section 14)."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


class NoSuchPart(Exception):  # noqa: N818 - the answer 416
    """A part that the file does not have."""


def part(header: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one after the last of the part that is asked for, or None for the whole.

    What is not understood, and several parts at once, is answered by the whole. Raises NoSuchPart.
    """
    found = _RANGE.match(header.strip())
    if found is None or found.group(1) == found.group(2) == "":
        return None
    first, last = found.groups()
    if not first:
        begin, end = max(0, size - int(last)), size
    else:
        begin, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < begin:
            return None
    if begin >= size or begin >= end:
        raise NoSuchPart(header)
    return begin, end
