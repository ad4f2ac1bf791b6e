"""How the C library deals with buffers that are freed.

    keep_freed(4 << 20)

By itself glibc gives large buffers back to the kernel, which must clear them each time they are asked for again; and
once a very large one was freed, it keeps even those, in pieces that nothing else fits into.
Source: mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD.
"""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_TRIM = 32 << 20  # bytes that may lie unused at the end of the heap: what glibc itself takes where buffers are large

_libc = ctypes.CDLL(None)


def keep_freed(size: int) -> None:
    """Have freed buffers of up to `size` bytes (32 MiB at most) reused, and larger ones given back at once.

    It holds for the process. Other C libraries than glibc are left as they are.
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_MMAP_THRESHOLD, size)
        _libc.mallopt(_M_TRIM_THRESHOLD, _TRIM)
