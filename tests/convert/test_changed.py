"""Changes laid over a root: what is seen afterwards, and that nothing below changes."""

import pytest

from jeos.convert.changed import Changed
from jeos.convert.changes import Append, Change, Remove, Write
from jeos.convert.changes import Link as MakeLink
from jeos.core.errors import InputError
from jeos.disk.filesystems.base import MissingFileError
from memory_filesystem import Content, Link, memory_root

BEFORE: dict[str, Content] = {
    "etc/fstab": "/dev/sda1 / ext4\n",
    "etc/os-release": Link("../usr/lib/os-release"),
    "usr/lib/os-release": "ID=debian\n",
    "etc/resolv.conf": Link("/run/resolv.conf"),
}
MACHINE = memory_root(BEFORE, {"boot": {"initrd": b"abc"}, "boot/efi": {"EFI/debian/grub.cfg": b"old"}})


@pytest.mark.parametrize(
    ("change", "path", "content"),
    [
        (Write("etc/fstab", b"new"), "etc/fstab", b"new"),
        (Write("etc/os-release", b"ID=new\n"), "usr/lib/os-release", b"ID=new\n"),
        (Write("etc/resolv.conf", b"new"), "run/resolv.conf", b"new"),
        (Write("etc/a/b/c", b"new"), "etc/a/b/c", b"new"),
        (Write("boot/efi/efi/DEBIAN/Grub.cfg", b"new"), "boot/efi/EFI/debian/grub.cfg", b"new"),
        (Append("boot/initrd", b"d"), "boot/initrd", b"abcd"),
        (Append("boot/initrd", b"d", align=4), "boot/initrd", b"abc\0d"),
        (MakeLink("etc/os-release", "fstab"), "etc/os-release", b"/dev/sda1 / ext4\n"),
        (MakeLink("etc/x/mtab", "/etc/fstab"), "etc/x/mtab", b"/dev/sda1 / ext4\n"),
    ],
)
def test_changed_shows_what_will_be_there(change: Change, path: str, content: bytes) -> None:
    assert Changed(MACHINE, [change]).read(path) == content
    assert MACHINE.read("etc/fstab") == b"/dev/sda1 / ext4\n"
    assert MACHINE.read("boot/initrd") == b"abc"
    assert MACHINE.names("etc") == ["fstab", "os-release", "resolv.conf"]


def test_changed_lists_folders_with_what_is_new_and_without_what_is_removed() -> None:
    first = Changed(MACHINE, [Write("etc/new", b"1"), Remove("etc/os-release"), Remove("etc/nothing")])
    second = Changed(first, [Remove("etc/new"), Write("etc/newer/file", b"2")])
    assert first.names("etc") == ["fstab", "new", "resolv.conf"]
    assert second.names("etc") == ["fstab", "newer", "resolv.conf"]
    assert second.glob("etc/*/*") == ["etc/newer/file"]
    assert second.read("usr/lib/os-release") == b"ID=debian\n"
    with pytest.raises(MissingFileError):
        second.read("etc/new")


def test_changed_holds_to_the_limit_of_what_is_read() -> None:
    after = Changed(MACHINE, [Write("etc/large", bytes(100))])
    with pytest.raises(InputError, match="at most 99"):
        after.read("etc/large", limit=99)


def test_a_file_made_anew_after_its_removal_is_the_new_one() -> None:
    after = Changed(MACHINE, [Remove("etc/fstab"), Write("etc/fstab", b"x"), Append("etc/fstab", b"y")])
    assert after.read("etc/fstab") == b"xy"
