"""The filter, run by a small machine of our own; whether the kernel agrees is seen in test_sandbox.py."""

import errno
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.build import seccomp

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


def verdict(number: int, *arguments: int, architecture: int = seccomp.AUDIT_ARCH_X86_64) -> int | None:
    """Return the errno that a call gets, or None if it is allowed (linux/filter.h says how the machine works)."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    code = list(struct.iter_unpack("=HBBI", seccomp.program()))
    place = accumulator = 0
    while True:
        operation, if_true, if_false, value = code[place]
        place += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif operation == 0x06:
            return None if value == seccomp.ALLOW else value - seccomp.ERRNO
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
            place += if_true if holds else if_false


@pytest.mark.parametrize("name", sorted(seccomp.DENIED))
def test_call_that_is_denied(name: str) -> None:
    assert verdict(seccomp.DENIED[name]) == errno.EPERM


def test_calls_that_are_there_on_no_account() -> None:
    assert {name: verdict(number) for name, number in seccomp.MISSING.items()} == dict.fromkeys(
        seccomp.MISSING, errno.ENOSYS
    )


def test_flushing_succeeds_at_once() -> None:
    assert {verdict(number) for number in seccomp.FLUSHING.values()} == {0}


def test_clone_makes_processes_but_no_namespaces() -> None:
    thread, signal_child, user_namespace = 0x003D0F00, 17, 0x10000000
    assert [verdict(seccomp.CLONE, flags) for flags in (thread, signal_child, user_namespace | 17)] == [None, None, 1]


def test_terminal_cannot_be_typed_into() -> None:
    assert [verdict(seccomp.IOCTL, 0, request) for request in (0x5401, 0x5412, 0x541C)] == [None, 1, 1]


def test_other_ways_to_number_calls_are_shut() -> None:
    i386 = 0x40000003
    assert verdict(21, architecture=i386) == errno.ENOSYS
    assert verdict(seccomp.X32_BIT | 165) == errno.ENOSYS


@given(number=st.integers(0, 460))
def test_every_other_call_is_allowed(number: int) -> None:
    special = {*seccomp.DENIED.values(), *seccomp.MISSING.values(), *seccomp.FLUSHING.values()}
    assert (verdict(number) is None) == (number not in special)


@pytest.mark.skipif(not HEADER.exists(), reason="the kernel's headers (linux-libc-dev) are not installed")
def test_numbers_are_the_kernels() -> None:
    known = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text())}
    ours = {**seccomp.DENIED, **seccomp.MISSING, **seccomp.FLUSHING, "clone": seccomp.CLONE, "ioctl": seccomp.IOCTL}
    assert {name: known.get(name, number) for name, number in ours.items()} == ours
