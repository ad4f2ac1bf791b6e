"""One tree over several file systems: links across mount points, missing paths, capitals on FAT."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from jeos.core.errors import InputError
from jeos.disk import root
from jeos.disk.filesystems.base import MissingFileError, Node
from jeos.disk.root import Mounted, Root
from jeos.model.tree import Kind
from memory_filesystem import Device, Link, MemoryFileSystem, memory_root

MACHINE = memory_root(
    {
        "etc/fstab": "UUID=1 / ext4\n",
        "etc/os-release": Link("../usr/lib/os-release"),
        "usr/lib/os-release": "ID=debian\n",
        "vmlinuz": Link("/boot/vmlinuz-1"),
        "boot": None,
        "dev/null": Device(Kind.CHARACTER, (1, 3)),
        "loop": Link("loop2"),
        "loop2": Link("loop"),
        "out": Link("../../../../etc"),
        "etc/resolv.conf": Link("/run/resolv.conf"),
    },
    {
        "boot": {"vmlinuz-1": b"kernel", "grub.cfg": Link("/etc/fstab"), "up": Link("../etc/fstab")},
        "boot/efi": {"EFI/Boot/BOOTX64.EFI": b"MZ"},
    },
)


def test_paths_lead_across_mount_points_and_links() -> None:
    assert MACHINE.read("etc/os-release") == b"ID=debian\n"
    assert MACHINE.read("vmlinuz") == b"kernel"
    assert MACHINE.read("boot/grub.cfg") == MACHINE.read("boot/up") == b"UUID=1 / ext4\n"
    assert MACHINE.read("out/fstab") == b"UUID=1 / ext4\n"
    place = MACHINE.find("vmlinuz")
    assert (place.path, place.inner, place.mounted.volume) == ("boot/vmlinuz-1", "vmlinuz-1", "boot")


def test_fat_knows_no_capitals() -> None:
    assert MACHINE.read("boot/efi/efi/BOOT/bootx64.efi") == b"MZ"
    assert MACHINE.find("boot/efi/efi/BOOT/bootx64.efi").inner == "EFI/Boot/BOOTX64.EFI"


def test_folders_are_listed_with_what_is_mounted_there() -> None:
    assert MACHINE.names("boot") == ["grub.cfg", "up", "vmlinuz-1"]
    assert MACHINE.names("nowhere") == []
    assert MACHINE.glob("boot/*z-*") == ["boot/vmlinuz-1"]
    assert MACHINE.glob("etc/*") == ["etc/fstab", "etc/os-release"]
    assert MACHINE.glob("*/fstab") == ["etc/fstab", "out/fstab"]
    assert MACHINE.glob("boot/efi/*/*/*.EFI") == ["boot/efi/EFI/Boot/BOOTX64.EFI"]


def test_a_new_file_goes_to_the_file_system_that_will_hold_it() -> None:
    def located(path: str, *, follow: bool = True) -> tuple[str, str]:
        mounted, inner = MACHINE.locate(path, follow=follow)
        return mounted.volume, inner

    assert located("boot/grub/new.cfg") == ("boot", "grub/new.cfg")
    assert located("etc/os-release") == ("root", "usr/lib/os-release")
    assert located("etc/os-release", follow=False) == ("root", "etc/os-release")
    assert located("etc/resolv.conf") == ("root", "run/resolv.conf")
    assert located("boot/efi/efi/new/x") == ("boot/efi", "EFI/new/x")


def test_what_is_not_there_is_said() -> None:
    for path in ("etc/nothing", "etc/fstab/below", "dev/null/x"):
        with pytest.raises(MissingFileError, match=f"no file /{path}"):
            MACHINE.find(path)
    with pytest.raises(MissingFileError, match="is a character"):
        MACHINE.read("dev/null")
    with pytest.raises(InputError, match="more than 40 symbolic links"):
        MACHINE.find("loop")
    assert not MACHINE.exists("loop") and MACHINE.text_or_empty("loop") == ""
    with pytest.raises(InputError, match="at most 3"):
        MACHINE.read("etc/fstab", limit=3)
    with pytest.raises(InputError, match="none of the file systems"):
        Root([Mounted("boot", MemoryFileSystem({}))])


class Endless(MemoryFileSystem):
    """A file system whose root has names without an end, as a hostile one has."""

    def children(self, folder: Node) -> Iterator[tuple[str, Node]]:
        for number in count():
            yield f"name-{number % 10}", folder


def test_folders_that_have_more_names_than_a_system_needs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root, "_NAMES_MOST", 1000)
    machine = Root([Mounted("", Endless({}))])
    with pytest.raises(InputError, match="the folder / has more than 1000 names"):
        machine.find("name-3")
    assert not machine.exists("name-3") and machine.text_or_empty("etc/fstab") == ""
    with pytest.raises(InputError, match="more than 1000"):
        machine.names("")


def test_folders_that_say_they_are_huge_are_not_read() -> None:
    filesystem = MemoryFileSystem({"etc/fstab": ""})
    filesystem._nodes[0] = replace(filesystem._nodes[0], size=1 << 30)
    with pytest.raises(InputError, match="has 1073741824 bytes of names"):
        Root([Mounted("", filesystem)]).find("etc/fstab")
