"""Taking a library from a program: what other readers and the dynamic linker make of the result."""

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elf_files import with_sections
from jeos.core.errors import InputError
from jeos.disk import elf
from jeos.disk.elf_edit import without_library

PROGRAM = Path("/usr/bin/mawk")  # Debian's awk, which is always there; sin() is from libm
LIBRARY = "libm.so.6"

needs_readelf = pytest.mark.skipif(shutil.which("readelf") is None, reason="binutils is not installed")
needs_program = pytest.mark.skipif(not PROGRAM.exists(), reason="mawk is not installed")


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edited") / "mawk"
    path.write_bytes(without_library(PROGRAM.read_bytes(), LIBRARY))
    path.chmod(0o755)
    return path


def awk(program: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, script], capture_output=True, text=True, check=False)


def readelf(path: Path, *options: str) -> str:
    return subprocess.run(["readelf", "-W", *options, path], capture_output=True, text=True, check=True).stdout


@needs_program
def test_program_runs_without_the_library(edited: Path) -> None:
    said = subprocess.run(["ldd", edited], capture_output=True, text=True, check=True).stdout
    assert LIBRARY not in said
    assert awk(edited, 'BEGIN { print length("four") + 38; exit 3 }').stdout == "42\n"


@needs_program
def test_call_into_the_library_ends_the_program(edited: Path) -> None:
    script = "BEGIN { print sin(0) }"
    assert awk(PROGRAM, script).stdout == "0\n"
    assert awk(edited, script).returncode == -signal.SIGSEGV


@needs_program
@needs_readelf
def test_only_the_library_is_gone(edited: Path) -> None:
    before, after = readelf(PROGRAM, "-d"), readelf(edited, "-d")
    needed = [name for name in re.findall(r"\(NEEDED\).*\[(.*)\]", before) if name != LIBRARY]
    assert re.findall(r"\(NEEDED\).*\[(.*)\]", after) == needed
    symbols = [readelf(path, "--dyn-syms").splitlines() for path in (PROGRAM, edited)]
    changed = [(old.split(), new.split()) for old, new in zip(*symbols, strict=True) if old != new]
    assert "sin" in {new[-1] for _, new in changed}
    for old, new in changed[1:] if not changed[0][1] else changed:
        assert (old[4], new[4], new[6]) == ("GLOBAL", "WEAK", "UND")
        assert old[7].split("@")[0] == new[7]
    assert edited.stat().st_size == PROGRAM.stat().st_size


@needs_program
def test_library_that_is_not_needed_changes_nothing() -> None:
    data = PROGRAM.read_bytes()
    assert without_library(data, "libother.so.1") == data
    assert without_library(with_sections({".text": b""}), LIBRARY) == with_sections({".text": b""})


@needs_program
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_file_raises_input_error_only(data: st.DataObject) -> None:
    file = bytearray(PROGRAM.read_bytes())
    dynamic = elf.dynamic_entries(bytes(file))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.sampled_from(dynamic))[0] + data.draw(st.integers(0, 15))
        file[place] = data.draw(st.integers(0, 255))
    try:
        without_library(bytes(file), LIBRARY)
    except InputError:
        return
