import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elf_files import with_sections
from jeos.core.errors import InputError
from jeos.disk import elf

PROGRAM = Path("/bin/sh").resolve()
LIBC = next((path for path in Path("/lib").glob("*-linux-gnu/libc.so.6")), Path("/nonexistent"))

needs_readelf = pytest.mark.skipif(shutil.which("readelf") is None, reason="binutils is not installed")


def readelf(path: Path, *options: str) -> str:
    return subprocess.run(["readelf", "-W", *options, path], capture_output=True, text=True, check=True).stdout


@needs_readelf
@pytest.mark.parametrize("path", [PROGRAM, LIBC, Path(sys.executable).resolve()], ids=lambda path: path.name)
def test_dynamic_same_as_readelf(path: Path) -> None:
    said = readelf(path, "-d")
    found = elf.dynamic(path.read_bytes())
    assert found.needed == tuple(re.findall(r"\(NEEDED\).*\[(.*)\]", said))
    assert found.soname == next(iter(re.findall(r"\(SONAME\).*\[(.*)\]", said)), None)


@needs_readelf
def test_interpreter_same_as_readelf() -> None:
    said = re.search(r"program interpreter: (.*)\]", readelf(PROGRAM, "-l"))
    assert said is not None
    assert elf.interpreter(PROGRAM.read_bytes()) == said[1]


@needs_readelf
def test_sections_same_as_readelf() -> None:
    sizes = re.findall(r"\] (\.\S+) +(\S+) +[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+)", readelf(PROGRAM, "-S"))
    found = elf.sections(PROGRAM.read_bytes())
    assert {name: len(content) for name, content in found.items() if name} == {
        name: 0 if kind == "NOBITS" else int(size, 16) for name, kind, size in sizes
    }


def test_notes_hold_the_build_id() -> None:
    assert ("GNU", 3) in {(owner, kind) for owner, kind, _ in elf.notes(PROGRAM.read_bytes())}


def test_relocatable_file_has_no_dynamic_part() -> None:
    data = with_sections({".modinfo": b"name=x\0"})
    assert (elf.needed(data), elf.interpreter(data), elf.soname(data), elf.rpath(data)) == ((), None, None, ())
    assert elf.sections(data)[".modinfo"] == b"name=x\0"


def test_other_file_refused() -> None:
    with pytest.raises(InputError, match="not a 64-bit little-endian ELF file"):
        elf.needed(b"#!/bin/sh\n")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_file_raises_input_error_only(data: st.DataObject) -> None:
    file = bytearray(PROGRAM.read_bytes()[:200_000])
    for _ in range(data.draw(st.integers(1, 6))):
        file[data.draw(st.integers(0, 1023))] = data.draw(st.integers(0, 255))
    for read in (elf.dynamic, elf.interpreter, elf.sections, elf.notes):
        try:
            read(bytes(file))
        except InputError:
            continue
