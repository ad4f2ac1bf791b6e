import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jeos.core.errors import InputError
from jeos.core.run import find_program
from jeos.disk import esp
from jeos.model.image import MEBIBYTE

DATE = 1_731_628_801
FSCK = shutil.which("fsck.vfat", path="/usr/sbin:/sbin:/usr/bin")

needs_tools = pytest.mark.skipif(
    FSCK is None or shutil.which("mcopy") is None, reason="dosfstools or mtools is not installed"
)


def write(path: Path, files: dict[str, bytes | Path], *, size: int = 64 * MEBIBYTE, offset: int = 0) -> Path:
    with path.open("w+b") as disk:
        disk.truncate(offset + size)
        esp.write(disk, files, offset=offset, size=size, serial=0x6A656F73, date=DATE)
    return path


def fsck(path: Path) -> str:
    return subprocess.run([find_program("fsck.vfat"), "-n", path], capture_output=True, text=True, check=True).stdout


def read_back(path: Path, name: str, *, offset: int = 0) -> bytes:
    argv = ["mcopy", "-i", f"{path}@@{offset}", f"::{name}", "-"]
    environment = os.environ | {"LC_ALL": "C.UTF-8", "MTOOLS_SKIP_CHECK": "1"}
    return subprocess.run(argv, capture_output=True, check=True, env=environment).stdout


@needs_tools
@pytest.mark.parametrize("megabytes", [34, 64, 129, 300])
def test_write_read_by_fsck_and_mtools(tmp_path: Path, megabytes: int) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(700_001))
    files: dict[str, bytes | Path] = {
        "EFI/BOOT/BOOTX64.EFI": b"loader",
        "EFI/Linux/hello_1.0.efi": big,
        "EFI/Linux/hello_1.0+3-1.efi": b"x" * 4096,
        "EFI/Linux/a name with spaces and ümlaut.efi": b"x" * 4097,
        "EFI/Linux/empty": b"",
        "loader/loader.conf": b"timeout 0\n",
    }
    path = write(tmp_path / "esp", files, size=megabytes * MEBIBYTE)
    assert "11 files" in fsck(path)
    for name, content in files.items():
        assert read_back(path, name) == (content.read_bytes() if isinstance(content, Path) else content)


@needs_tools
def test_write_many_files_in_one_folder(tmp_path: Path) -> None:
    files: dict[str, bytes | Path] = {
        f"folder/entry number {number}.conf": str(number).encode() for number in range(300)
    }
    path = write(tmp_path / "esp", files)
    assert "302 files" in fsck(path)  # the folder and the root count as well
    assert read_back(path, "folder/entry number 299.conf") == b"299"


@needs_tools
def test_write_at_an_offset(tmp_path: Path) -> None:
    path = write(tmp_path / "disk", {"a.txt": b"hello"}, offset=MEBIBYTE)
    assert read_back(path, "a.txt", offset=MEBIBYTE) == b"hello"
    assert path.read_bytes()[:MEBIBYTE] == bytes(MEBIBYTE)


@needs_tools
def test_write_carries_serial_and_date(tmp_path: Path) -> None:
    path = write(tmp_path / "esp", {"a.txt": b"hello"})
    shown = subprocess.run(["mdir", "-i", path, "::"], capture_output=True, text=True, check=True).stdout
    assert "6A65-6F73" in shown
    assert "2024-11-15" in shown


def test_write_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    files: dict[str, bytes | Path] = {"b": b"1", "A/b": b"2"}
    first = write(tmp_path / "1", files, size=34 * MEBIBYTE).read_bytes()
    assert first == write(tmp_path / "2", dict(reversed(files.items())), size=34 * MEBIBYTE).read_bytes()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"EFI/a": b"", "EFI/A": b""}, "no difference between upper and lower case"),
        ({"EFI": b"", "EFI/a": b""}, "is there twice"),
        ({"a:b": b""}, "not a name"),
        ({"a//b": b""}, "not a name"),
        ({"a.": b""}, "not a name"),
        ({"x" * 256: b""}, "not a name"),
        ({"big": bytes(40 * MEBIBYTE)}, "too large for the EFI system partition"),
    ],
)
def test_write_refuses(tmp_path: Path, files: dict[str, bytes | Path], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write(tmp_path / "esp", files, size=34 * MEBIBYTE)


def test_write_refuses_a_small_partition() -> None:
    with pytest.raises(InputError, match="too few for an EFI system partition"):
        esp.write(io.BytesIO(), {}, offset=0, size=20 * MEBIBYTE, serial=1, date=DATE)


names = st.text(st.sampled_from("abcXYZ019 ._+-~ü€"), min_size=1, max_size=40).filter(
    lambda name: name[-1] not in ". " and name[0] not in " ."
)


@needs_tools
@settings(max_examples=12, deadline=None)
@given(st.lists(names, max_size=12, unique_by=lambda name: name.upper()))
def test_write_any_names_pass_fsck(tmp_path_factory: pytest.TempPathFactory, found: list[str]) -> None:
    path = tmp_path_factory.mktemp("esp") / "esp"
    write(path, {f"folder/{name}": name.encode() for name in found}, size=34 * MEBIBYTE)
    fsck(path)
    for name in found:
        assert read_back(path, f"folder/{name}") == name.encode()
    path.unlink()
