import contextlib
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.disk import uki
from pe_files import stub

SECTIONS = {
    ".initrd": b"initrd" * 1000,
    ".linux": b"MZ kernel" * 5000,
    ".cmdline": b"roothash=00 quiet",
    ".osrel": b"ID=hello\n",
    ".uname": b"6.12",
}


def write(sections: dict[str, bytes], *, base: bytes | None = None) -> bytes:
    out = io.BytesIO()
    uki.write(out, stub=base if base is not None else stub(), sections=sections)
    return out.getvalue()


def test_sections_returns_what_was_written() -> None:
    text = b"\xc3" * 100
    assert uki.sections(write(SECTIONS)) == {".text": text, **SECTIONS}


@pytest.mark.skipif(shutil.which("objdump") is None, reason="binutils is not installed")
def test_write_read_by_objdump(tmp_path: Path) -> None:
    path = tmp_path / "hello.efi"
    path.write_bytes(write(SECTIONS))
    said = subprocess.run(["objdump", "-h", path], capture_output=True, text=True, check=True)
    found = re.findall(r"^ +\d+ (\.\w+) +([0-9a-f]{8}) +([0-9a-f]+)", said.stdout, re.MULTILINE)
    assert [name for name, _, _ in found] == [".text", ".osrel", ".cmdline", ".uname", ".linux", ".initrd"]
    assert {name: int(size, 16) for name, size, _ in found[1:]} == {name: len(data) for name, data in SECTIONS.items()}
    addresses = [int(address, 16) for _, _, address in found]
    assert addresses == sorted(addresses)
    assert [address % 4096 for address in addresses] == [0] * 6
    assert said.stderr == ""


def test_write_leaves_the_stub_and_its_entry_alone() -> None:
    written, base = write(SECTIONS), stub()
    assert written[64 + 24 + 16 : 64 + 24 + 20] == base[64 + 24 + 16 : 64 + 24 + 20]
    assert base[-512:] in written


def test_write_refuses_a_stub_without_room() -> None:
    with pytest.raises(InputError, match="no room for 5 more section headers"):
        write(SECTIONS, base=stub(room=1))


def test_write_refuses_a_section_that_is_there() -> None:
    once = write({".linux": b"1"})
    with pytest.raises(InputError, match=r"has a section \.linux already"):
        write({".linux": b"2"}, base=once)


@pytest.mark.parametrize("data", [b"", b"MZ", b"\x7fELF" + bytes(500), bytes(1000), stub()[:200]])
def test_sections_refuses_other_files(data: bytes) -> None:
    with pytest.raises(InputError, match="not an EFI program"):
        uki.sections(data)


def test_sections_refuses_a_file_cut_short() -> None:
    with pytest.raises(InputError, match=r"ends inside its section \.initrd"):
        uki.sections(write(SECTIONS)[:-1000])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), min_size=1, max_size=6))
def test_sections_damaged_headers_raise_input_error_only(changes: list[tuple[int, int]]) -> None:
    data = bytearray(write(SECTIONS))
    for position, value in changes:
        data[position] = value
    with contextlib.suppress(InputError):
        uki.sections(bytes(data))


def test_section_reads_one_alone() -> None:
    assert uki.section(io.BytesIO(write(SECTIONS)), ".cmdline") == SECTIONS[".cmdline"]


@pytest.mark.parametrize(("data", "message"), [(b"", "not an EFI program"), (write(SECTIONS), "no section .nothing")])
def test_section_refuses_what_is_not_there(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        uki.section(io.BytesIO(data), ".nothing")
