"""Add bytes to bytes, each modulo 256: what a difference in bsdiff's form is applied with.

    add(b"\\x01\\xff", b"\\x01\\x02")  →  b"\\x02\\x01"

All bytes are added at once as one large number: the low seven bits of each cannot carry into the next, and the
highest bits are added without a carry (exclusive or).
"""

from functools import lru_cache

CHUNK = 16 << 10  # bytes that are added at once: the numbers stay in the core's fastest cache


@lru_cache(maxsize=2)
def _masks(length: int) -> tuple[int, int]:
    return int.from_bytes(b"\x7f" * length, "little"), int.from_bytes(b"\x80" * length, "little")


def add(first: bytes, second: bytes) -> bytes:
    """Return the sums of the bytes of two strings of one length; long runs of zeros in `second` cost little."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} bytes cannot be added")
    return b"".join(
        _add_chunk(first[start : start + CHUNK], second[start : start + CHUNK]) for start in range(0, len(first), CHUNK)
    )


_ZEROS = bytes(CHUNK)


def _add_chunk(first: bytes, second: bytes) -> bytes:
    length = len(first)
    if second == _ZEROS[:length]:
        return first
    low, high = _masks(length)
    a, b = int.from_bytes(first, "little"), int.from_bytes(second, "little")
    return (((a & low) + (b & low)) ^ ((a ^ b) & high)).to_bytes(length, "little")
