import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.build import image
from jeos.core.errors import InputError
from jeos.core.run import find_program
from jeos.disk import gpt
from jeos.model.image import MEBIBYTE, Partition
from jeos.model.recipe import Disk

ROOT_HASH = "00112233445566778899aabbccddeeff" + "ffeeddccbbaa99887766554433221100"
SIZES = Disk(slot=8 * MEBIBYTE, data=16 * MEBIBYTE, esp=34 * MEBIBYTE)


@pytest.fixture
def parts(tmp_path: Path) -> image.Parts:
    files = {}
    for name, size in (("system", 3 * MEBIBYTE), ("hashes", 20_480), ("kernel", 100_000), ("loader", 5_000)):
        files[name] = tmp_path / name
        files[name].write_bytes(os.urandom(size))
    files["data"] = tmp_path / "data"
    with files["data"].open("wb") as data:
        data.truncate(8 * MEBIBYTE)
        data.seek(4 * MEBIBYTE)
        data.write(b"in the middle")
    return image.Parts(**files)


def write(parts: image.Parts, path: Path) -> image.Written:
    with path.open("w+b") as disk:
        return image.write_image(
            disk, parts, name="hello", version="1.0", root_hash=ROOT_HASH, sizes=SIZES, date=1_700_000_000
        )


def content(path: Path, partition: Partition, *, size: int) -> bytes:
    with path.open("rb") as disk:
        disk.seek(partition.start)
        return disk.read(size)


def test_write_image_puts_everything_in_its_place(parts: image.Parts, tmp_path: Path) -> None:
    path = tmp_path / "disk"
    written = write(parts, path)
    assert path.stat().st_size == written.size
    esp, system, hashes, system_b, hashes_b, data = written.partitions
    assert content(path, system, size=3 * MEBIBYTE) == parts.system.read_bytes()
    assert content(path, hashes, size=20_480) == parts.hashes.read_bytes()
    assert content(path, data, size=8 * MEBIBYTE) == parts.data.read_bytes()
    assert content(path, system_b, size=system_b.size + hashes_b.size) == bytes(system_b.size + hashes_b.size)
    assert path.stat().st_blocks * 512 < 6 * MEBIBYTE, "the disk is not sparse"
    assert esp.size == 34 * MEBIBYTE
    with path.open("rb") as disk:
        assert gpt.read(disk).partitions == written.partitions


def test_write_image_twice_gives_the_same_bytes(parts: image.Parts, tmp_path: Path) -> None:
    write(parts, tmp_path / "1")
    write(parts, tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.skipif(shutil.which("mcopy") is None, reason="mtools is not installed")
def test_write_image_makes_the_esp_that_systemd_boot_expects(parts: image.Parts, tmp_path: Path) -> None:
    path = tmp_path / "disk"
    start = write(parts, path).partitions[0].start
    expected = {
        "EFI/BOOT/BOOTX64.EFI": parts.loader.read_bytes(),
        "EFI/systemd/systemd-bootx64.efi": parts.loader.read_bytes(),
        "EFI/Linux/hello_1.0.efi": parts.kernel.read_bytes(),
        "loader/loader.conf": image.LOADER_CONF,
    }
    for name, data in expected.items():
        argv = ["mcopy", "-i", f"{path}@@{start}", f"::{name}", "-"]
        assert subprocess.run(argv, capture_output=True, check=True).stdout == data


@pytest.mark.skipif(shutil.which("sgdisk", path="/usr/sbin:/usr/bin") is None, reason="gdisk is not installed")
def test_write_image_passes_sgdisk(parts: image.Parts, tmp_path: Path) -> None:
    write(parts, tmp_path / "disk")
    argv = [str(find_program("sgdisk")), "--verify", str(tmp_path / "disk")]
    assert "No problems found" in subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_plan_follows_the_discoverable_partitions_specification() -> None:
    written = image.plan(name="hello", version="1.0", root_hash=ROOT_HASH, sizes=SIZES, system=3 * MEBIBYTE)
    assert [(partition.label, partition.uuid) for partition in written.partitions[1:3]] == [
        ("hello_1.0", "00112233-4455-6677-8899-aabbccddeeff"),
        ("hello_1.0", "ffeeddcc-bbaa-9988-7766-554433221100"),
    ]
    assert [partition.label for partition in written.partitions[3:]] == ["_empty", "_empty", "data"]
    assert len({partition.uuid for partition in written.partitions}) == 6
    assert all(partition.start % MEBIBYTE == 0 for partition in written.partitions)


def test_plan_other_version_has_other_identities() -> None:
    first, second = (
        image.plan(name="hello", version=version, root_hash=ROOT_HASH, sizes=SIZES, system=1) for version in ("1", "2")
    )
    assert not {p.uuid for p in first.partitions[3:]} & {p.uuid for p in second.partitions[3:]}


@pytest.mark.parametrize(
    ("wanted", "system", "slot"),
    [(0, 1, 256), (0, 170, 256), (0, 171, 320), (0, 300, 512), (512, 300, 512), (300, 300, 300)],
)
def test_slot_size(wanted: int, system: int, slot: int) -> None:
    assert image.slot_size(wanted * MEBIBYTE, system=system * MEBIBYTE) == slot * MEBIBYTE


def test_slot_size_too_small() -> None:
    with pytest.raises(InputError, match=r"the system has 2097152 bytes, but \[disk\] slot is 1048576"):
        image.slot_size(MEBIBYTE, system=2 * MEBIBYTE)


def test_write_image_data_too_large(parts: image.Parts, tmp_path: Path) -> None:
    os.truncate(parts.data, 17 * MEBIBYTE)
    with pytest.raises(InputError, match=r"data has 17825792 bytes, but partition 6 \(data\) has 16777216"):
        write(parts, tmp_path / "disk")


def test_kernel_name_counts_tries_only_for_updates() -> None:
    assert image.kernel_name("hello", "1.0") == "hello_1.0.efi"
    assert image.kernel_name("hello", "1.1", tries=3) == "hello_1.1+3.efi"


@given(st.lists(st.tuples(st.integers(0, 200), st.binary(min_size=1, max_size=9000)), max_size=6))
def test_copy_sparse_any_file(pieces: list[tuple[int, bytes]]) -> None:
    source, target = os.memfd_create("source"), os.memfd_create("target")
    try:
        for place, data in pieces:
            os.pwrite(source, data, place * 4096)
        os.pwrite(target, b"before", 0)
        image.copy_sparse(source, target, offset=8192)
        size = os.fstat(source).st_size
        assert os.pread(target, size, 8192).ljust(size, b"\0") == os.pread(source, size, 0)
        assert os.pread(target, 6, 0) == b"before"
    finally:
        os.close(source)
        os.close(target)
