"""Disks from elsewhere, made by qemu-img as an attacker would."""

import subprocess
from pathlib import Path

import pytest

from jeos.core.errors import InputError
from jeos.vm.foreign import disk_format


def qemu_img(*words: str | Path) -> None:
    subprocess.run(["qemu-img", *words], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    place = tmp_path / "shadow"
    place.write_bytes(b"secret\n" * 1000)
    return place


@pytest.mark.parametrize("version", ["0.10", "1.1"])
def test_a_qcow2_disk_on_its_own_is_one(tmp_path: Path, version: str) -> None:
    disk = tmp_path / "disk.qcow2"
    qemu_img("create", "-f", "qcow2", "-o", f"compat={version}", disk, "1M")
    assert disk_format(disk) == "qcow2"


@pytest.mark.parametrize("version", ["0.10", "1.1"])
def test_a_disk_over_a_file_of_the_host_is_refused(tmp_path: Path, secret: Path, version: str) -> None:
    disk = tmp_path / "disk.qcow2"
    qemu_img("create", "-f", "qcow2", "-o", f"compat={version}", "-b", secret, "-F", "raw", disk, "1M")
    with pytest.raises(InputError) as caught:
        disk_format(disk)
    assert caught.value.message == f"{disk} lies over another file of this host, and would show it to the machine"
    assert caught.value.hint == (
        f"if you trust where it is from, make it one file: jeos convert {disk} -o disk-whole.qcow2"
    )


def test_a_disk_with_its_data_in_a_file_of_the_host_is_refused(tmp_path: Path, secret: Path) -> None:
    disk = tmp_path / "disk.qcow2"
    qemu_img("create", "-f", "qcow2", "-o", f"data_file={secret},data_file_raw=on", disk, "1M")
    with pytest.raises(InputError, match="has its data in another file of this host"):
        disk_format(disk)


@pytest.mark.parametrize("name", ["disk.img", "disk.raw", "disk"])
def test_a_raw_disk_is_raw_whatever_a_guest_wrote_there(tmp_path: Path, name: str, secret: Path) -> None:
    disk = tmp_path / name
    disk.write_bytes(bytes(1 << 20))
    assert disk_format(disk) == "raw"
    qemu_img("create", "-f", "qcow2", "-b", secret, "-F", "raw", disk, "1M")
    with pytest.raises(InputError, match=r"begins as a qcow2 disk, but its name does not end in \.qcow2"):
        disk_format(disk)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("disk.qcow2", b"", "does not begin as one"),
        ("disk.qcow2", b"QFI\xfb\0\0\0\3", "is cut off"),
        ("disk.qcow2", b"QFI\xfb\0\0\0\7" + bytes(100), "of version 7"),
        ("disk.qcow2", b"QFI\xfb\0\0\0\2" + bytes(24) + b"\0\0\0\1" + bytes(100), "is encrypted"),
        ("disk.vmdk", b"KDMV", "is a disk in VMDK format"),
        ("disk.VHDX", b"vhdxfile", "is a disk in VHDX format"),
        ("none.img", None, "cannot be read: No such file"),
    ],
)
def test_what_qemu_should_not_open_is_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        disk_format(tmp_path / name)
