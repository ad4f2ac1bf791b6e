"""The machine code of the measurements, run here: it does what its comments say."""

import ctypes
import mmap
import os
import re
from importlib import resources

import pytest

SOURCE = resources.files("jeos.measure").joinpath("probe/code.lua").read_text()
PAGE = 4096


def bytes_of(name: str) -> bytes:
    """Return the bytes that a table of code.lua lists."""
    table = re.search(rf"^code\.{name} = \{{(.*?)^\}}", SOURCE, re.DOTALL | re.MULTILINE)
    assert table is not None
    return bytes.fromhex("".join(re.findall(r'^  "([0-9a-f]+)", --', table[1], re.MULTILINE)))


def call(name: str, *arguments: int) -> int:
    """Run the code with two arguments, and return its result."""
    memory = mmap.mmap(-1, PAGE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code = bytes_of(name)
    memory[: len(code)] = code
    made = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)(address_of(memory))
    return int(made(*arguments))


def address_of(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="it is code for x86-64")


def test_arithmetic_is_a_chain() -> None:
    expected = 1
    for _ in range(1000):
        expected = (expected * 0x41C64E6D + 0x3039) % (1 << 64)
    assert call("ARITHMETIC", 1000, 0) == expected


def test_system_calls_ask_for_the_parent() -> None:
    assert call("SYSTEM_CALLS", 3, 0) == os.getppid()


def test_chase_follows_pointers() -> None:
    chain = (ctypes.c_uint64 * 5)()
    start = ctypes.addressof(chain)
    for index, following in enumerate((2, 4, 3, 1, 0)):
        chain[index] = start + 8 * following
    assert [(call("CHASE", start, turns) - start) // 8 for turns in range(1, 6)] == [2, 3, 1, 4, 0]


def test_touch_writes_to_each_page() -> None:
    memory = mmap.mmap(-1, 5 * PAGE)
    start = address_of(memory)
    assert call("TOUCH", start, 4) == start + 4 * PAGE
    assert [memory[page * PAGE] for page in range(5)] == [1, 1, 1, 1, 0]
    assert memory[: 5 * PAGE].count(1) == 4
