"""What is read from a Windows volume: versions, settings, services, and what forbids changing it."""

from pathlib import Path

import pytest

import ntfs_volume
import windows_disk
from jeos.convert import windows
from jeos.convert.windows import Address, Windows
from jeos.core.errors import InputError
from jeos.disk import blocks
from jeos.disk.filesystems import ntfs
from jeos.disk.root import Mounted, Root
from windows_disk import CARD, Edition


def read(image: Path) -> Windows | None:
    with blocks.File(image) as disk:
        return windows.read(Root([Mounted("", ntfs.open_filesystem(disk))]))


def test_read_says_all_of_a_server(tmp_path: Path) -> None:
    assert read(windows_disk.make(tmp_path)) == Windows(
        title="Windows Server 2022 Standard",
        edition="ServerStandard",
        kind="Server",
        version=(10, 0),
        build=(20348, 2113),
        architecture="amd64",
        hostname="oldhost",
        control_set="ControlSet001",
        services={"pvscsi": 0, "storahci": 3, "VMTools": 2, "vmxnet3ndis6": 3},
        addresses=(
            Address(
                guid=CARD,
                name="Ethernet0",
                dhcp=False,
                addresses=("192.0.2.7/24",),
                gateways=("192.0.2.1",),
                servers=("192.0.2.53", "192.0.2.54"),
            ),
        ),
        driver_database=True,
        fast_startup=True,
    )


def test_read_knows_windows_11_and_windows_7(tmp_path: Path) -> None:
    eleven = Edition(title="Windows 10 Pro", edition="Professional", kind="Client", build="22631", dhcp=True)
    found = read(windows_disk.make(tmp_path / "eleven", eleven))
    assert found is not None
    assert (found.title, found.server, found.version) == ("Windows 11 Pro", False, (10, 0))
    assert found.addresses == (Address(guid=CARD, name="Ethernet0", servers=("192.0.2.53", "192.0.2.54")),)
    seven = Edition(
        title="Windows 7 Professional",
        kind="Client",
        build="7601",
        old_version="6.1",
        major=None,
        architecture="x86",
        database=False,
    )
    found = read(windows_disk.make(tmp_path / "seven", seven))
    assert found is not None
    assert (found.title, found.version, found.architecture, found.driver_database) == (
        "Windows 7 Professional",
        (6, 1),
        "i386",
        False,
    )


def test_read_takes_the_control_set_that_starts_next(tmp_path: Path) -> None:
    more = '[HIVE\\Select]\n"Default"=dword:00000002\n\n'
    more += '[HIVE\\ControlSet002\\Services\\viostor]\n"Start"=dword:00000000\n\n'
    more += "[HIVE\\ControlSet002\\Control\\CriticalDeviceDatabase]\n\n"
    found = read(windows_disk.make(tmp_path, Edition(more_system=more)))
    assert found is not None
    assert (found.control_set, found.services) == ("ControlSet002", {"viostor": 0})


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"hiberfil.sys": b"HIBR" + bytes(4096)}, "sleeps on its disk"),
        ({"Windows/WinSxS/pending.xml": b"<x/>"}, "updates wait"),
    ],
)
def test_read_says_what_forbids_changes(tmp_path: Path, extra: dict[str, bytes], says: str) -> None:
    found = read(windows_disk.make(tmp_path, Edition(extra=extra)))
    assert found is not None
    assert [says in problem for problem in (*found.problems, *found.warnings)] == [True]


def test_read_says_that_a_write_to_the_registry_was_cut_off(tmp_path: Path) -> None:
    image = windows_disk.make(tmp_path)
    content = image.read_bytes()
    start = content.index(b"regf")
    with image.open("r+b") as file:
        file.seek(start + 4)
        file.write(b"\xff\xff")
    found = read(image)
    assert found is not None
    assert [problem.partition(":")[0] for problem in found.problems] == [
        "a write to the registry was under way when the disk was taken"
    ]


def test_read_refuses_a_damaged_hive(tmp_path: Path) -> None:
    image = windows_disk.make(tmp_path)
    content = image.read_bytes()
    with image.open("r+b") as file:
        file.seek(content.index(b"regf"))
        file.write(b"XXXX")
    with pytest.raises(InputError, match="does not start as one"):
        read(image)


def test_read_finds_nothing_without_windows(tmp_path: Path) -> None:
    assert read(ntfs_volume.make(tmp_path / "empty.img", size=4 << 20)) is None
