"""Kernel images on the ESP, and the starts counted in their names."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from guest_disk import NEW, OLD, GuestDisk, kernel_image
from jeos.update import kernels
from jeos.update.errors import RebuildError, RoomError
from jeos.update.kernels import Entry


@pytest.fixture
def disk(tmp_path: Path) -> GuestDisk:
    return GuestDisk(tmp_path).make()


def install(disk: GuestDisk, *, root_hash: str = NEW, data: bytes = b"") -> Entry:
    source = disk.folder / "new.efi"
    source.write_bytes(data or kernel_image(NEW))
    return kernels.install(str(disk.esp), str(source), name="hello", version="1.1", root_hash=root_hash)


def test_install_puts_a_counted_image_beside_the_other(disk: GuestDisk) -> None:
    entry = install(disk)
    assert entry == Entry("hello_1.1+3.efi", "hello_1.1", 3, 0, NEW)
    assert disk.names() == ["hello_1.0.efi", "hello_1.1+3.efi"]
    assert (disk.esp / "EFI/Linux/hello_1.1+3.efi").read_bytes() == kernel_image(NEW)


def test_install_sweeps_what_was_cut_off(disk: GuestDisk) -> None:
    (disk.esp / "EFI/Linux/hello_1.1.partial").write_bytes(b"half")
    (disk.esp / "EFI/Linux/other_9.partial").write_bytes(b"half")
    install(disk)
    assert disk.names() == ["hello_1.0.efi", "hello_1.1+3.efi"]


def test_starts_are_counted_until_none_is_left_and_the_old_one_returns(disk: GuestDisk) -> None:
    install(disk)
    assert [disk.start() for _ in range(5)] == [NEW, NEW, NEW, OLD, OLD]
    assert disk.names() == ["hello_1.0.efi", "hello_1.1+0-3.efi"]


def test_bless_ends_the_count(disk: GuestDisk) -> None:
    install(disk)
    disk.start()
    entry = kernels.of(str(disk.esp), NEW)
    assert entry == Entry("hello_1.1+2-1.efi", "hello_1.1", 2, 1, NEW)
    assert kernels.bless(str(disk.esp), entry) == Entry("hello_1.1.efi", "hello_1.1", None, 0, NEW)
    assert [disk.start() for _ in range(5)] == [NEW] * 5


def test_condemn_brings_the_old_one_back_at_once(disk: GuestDisk) -> None:
    condemned = kernels.condemn(str(disk.esp), install(disk))
    assert (condemned.name, condemned.bad) == ("hello_1.1+0-3.efi", True)
    assert disk.start() == OLD
    assert kernels.condemn(str(disk.esp), condemned) == condemned


def test_remove_leaves_the_others(disk: GuestDisk) -> None:
    kernels.remove(str(disk.esp), install(disk))
    assert disk.names() == ["hello_1.0.efi"]


def test_entries_of_others_are_listed_without_a_root_hash(disk: GuestDisk) -> None:
    for name, data in (("debian.efi", b"MZ"), ("readme.txt", b""), ("memtest+1.efi", kernel_image("not hexadecimal"))):
        (disk.esp / "EFI/Linux" / name).write_bytes(data)
    assert [(entry.name, entry.root_hash) for entry in kernels.entries(str(disk.esp))] == [
        ("debian.efi", ""),
        ("hello_1.0.efi", OLD),
        ("memtest+1.efi", ""),
    ]


@pytest.mark.parametrize("data", [kernel_image(OLD), b"MZ no image", kernel_image(NEW)[:300]])
def test_install_refuses_an_image_of_another_system(disk: GuestDisk, data: bytes) -> None:
    with pytest.raises(RebuildError, match="does not start the system"):
        install(disk, data=data)
    assert disk.names() == ["hello_1.0.efi"]


def test_install_without_room_leaves_nothing(disk: GuestDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: type("Room", (), {"f_bavail": 1, "f_frsize": 512}))
    with pytest.raises(RoomError, match="the ESP has"):
        install(disk)
    assert disk.names() == ["hello_1.0.efi"]


@pytest.fixture
def tangled(disk: GuestDisk, monkeypatch: pytest.MonkeyPatch) -> GuestDisk:
    """An ESP whose files can share their content, as those on FAT after a cut; here they are links to one file."""
    monkeypatch.setattr(kernels, "_first_block", lambda path: os.stat(path).st_ino)
    return disk


def second_name(disk: GuestDisk, name: str, second: str) -> None:
    os.link(disk.esp / "EFI/Linux" / name, disk.esp / "EFI/Linux" / second)


def test_install_after_a_cut_in_the_rename_before_keeps_the_running_image(tangled: GuestDisk) -> None:
    second_name(tangled, "hello_1.0.efi", "hello_1.0.partial")
    shared = (tangled.esp / "EFI/Linux/hello_1.0.efi").stat().st_ino
    install(tangled)
    assert tangled.names() == ["hello_1.0.efi", "hello_1.1+3.efi"]
    assert (tangled.esp / "EFI/Linux/hello_1.0.efi").stat().st_ino != shared, "its content went with the other name"
    assert (tangled.esp / "EFI/Linux/hello_1.0.efi").read_bytes() == kernel_image(OLD)


@pytest.mark.parametrize("change", [kernels.bless, kernels.condemn])
def test_a_change_that_was_cut_is_done_by_the_next(tangled: GuestDisk, change: Callable[[str, Entry], Entry]) -> None:
    install(tangled)
    tangled.start()
    before = kernels.of(str(tangled.esp), NEW)
    assert before is not None
    after = change(str(tangled.esp), before)
    second_name(tangled, after.name, before.name)
    assert change(str(tangled.esp), before) == after
    assert tangled.names() == sorted(["hello_1.0.efi", after.name])
    assert (tangled.esp / "EFI/Linux" / after.name).read_bytes() == kernel_image(NEW)


def test_remove_of_a_second_name_leaves_the_first(tangled: GuestDisk) -> None:
    second_name(tangled, "hello_1.0.efi", "hello_1.0+1-2.efi")
    kernels.remove(str(tangled.esp), Entry("hello_1.0+1-2.efi", "hello_1.0", 1, 2, OLD))
    assert tangled.names() == ["hello_1.0.efi"]
    assert (tangled.esp / "EFI/Linux/hello_1.0.efi").read_bytes() == kernel_image(OLD)
