"""System calls that Python has no words for; each raises OSError as its own do.

Numbers of calls since Linux 5.1 are the same on all architectures; older ones are those of x86-64, as machines are.
Source: Linux, arch/x86/entry/syscalls/syscall_64.tbl.
"""

import ctypes
import os
from pathlib import Path

CLONE, CAPSET = 56, 126  # x86-64
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
PIVOT_ROOT = 155  # x86-64
IO_URING_SETUP, IO_URING_PARAMS = 425, 120  # the size of struct io_uring_params, in bytes

_libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, *arguments: "int | bytes | ctypes.Array[ctypes.c_char] | None", what: str) -> int:
    """Make a system call and return what it returns; raises OSError, which names `what` was done."""
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *words), what)


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` name for new ones, unshare(2)."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None) -> None:
    """Mount a file system, mount(2)."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, data)]
    found = _libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
    _checked(found, f"mount {target}")


def unmount_later(target: Path | str) -> None:
    """Take a mount out of sight; it ends when nobody uses it any more, umount2(2) with MNT_DETACH."""
    _checked(_libc.umount2(os.fsencode(target), ctypes.c_int(2)), f"umount {target}")


def prctl(option: int, value: int, *, what: str) -> None:
    """Set something of this process, prctl(2)."""
    zero = ctypes.c_ulong(0)
    _checked(_libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero), what)


def io_uring_setup(entries: int) -> int:
    """Return the descriptor of a new ring of requests, io_uring_setup(2)."""
    return call(IO_URING_SETUP, entries, ctypes.create_string_buffer(IO_URING_PARAMS), what="io_uring_setup")


def _checked(found: int, what: str) -> int:
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return found
