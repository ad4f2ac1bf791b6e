"""Names that say how a disk is attached, and the names that are true anywhere."""

import pytest

from jeos.convert.devices import by_hardware, find_volume, stable_name
from jeos.convert.machine import Machine
from jeos.convert.survey import Disk, Mount, Survey, System, Volume
from memory_filesystem import memory_root

ROOT = Volume("sda1", "partition", 1 << 30, disk="sda", number=1, content="ext4", uuid="1111-root")
SWAP = Volume("sda5", "partition", 1 << 30, disk="sda", number=5, content="swap", uuid="2222-swap")
PLAIN = Volume("sda6", "partition", 1 << 30, disk="sda", number=6)
MEMBER = Volume("sdb2", "partition", 1 << 30, disk="sdb", number=2, content="LVM2_member", uuid="p-v", id="ABCD-12")
TWIN = Volume("sdb3", "partition", 1 << 30, disk="sdb", number=3, content="ext4", uuid="3333", id="ABCD-13")
OTHER = Volume("sdb4", "partition", 1 << 30, disk="sdb", number=4, content="ext4", uuid="3333", id="ABCD-14")
WHOLE = Volume("sdc", "disk", 1 << 30, disk="sdc", content="xfs", uuid="4444")
LOGICAL = Volume("vg/root", "logical", 1 << 30, content="ext4", uuid="5555")
DISKS = (
    Disk("sda", 1 << 33, table="dos", uuid="DEADBEEF"),
    Disk("sdb", 1 << 33, table="gpt", uuid="G"),
    Disk("sdc", 1 << 30),
)
ALL = Survey(DISKS, (ROOT, SWAP, PLAIN, MEMBER, TWIN, OTHER, WHOLE, LOGICAL))


def machine(survey: Survey, *, root: str = "UUID=1111-root") -> Machine:
    mounts = (Mount(spec=root, where="/", type="ext4", options="defaults"),)
    return Machine(survey, System(family="suse", volume="sda1", mounts=mounts), memory_root({}))


@pytest.mark.parametrize(
    ("name", "volume", "stable"),
    [
        ("/dev/sda1", ROOT, "UUID=1111-root"),
        ("/dev/hda1", ROOT, "UUID=1111-root"),
        ("/dev/nvme0n1p5", SWAP, "UUID=2222-swap"),
        ("/dev/xvda6", PLAIN, "PARTUUID=deadbeef-06"),
        ("/dev/sdb2", MEMBER, "PARTUUID=abcd-12"),
        ("/dev/sdb3", TWIN, "PARTUUID=abcd-13"),
        ("/dev/sdc", WHOLE, "UUID=4444"),
        ("/dev/sda", None, None),
        ("/dev/sda9", None, None),
        ("/dev/sdz1", None, None),
        ("/dev/sdaa1", None, None),
        ("/dev/sr0", None, None),
        ("/dev/disk/by-id/scsi-36000c29-part1", None, None),
        ("/dev/mapper/vg-root", None, None),
        ("UUID=1111-root", None, None),
    ],
)
def test_stable_name_is_what_is_written_in_the_volume(name: str, volume: Volume | None, stable: str | None) -> None:
    assert (find_volume(ALL, name), stable_name(machine(ALL), name)) == (volume, stable)


def test_names_by_id_are_understood_where_there_is_one_disk() -> None:
    single = machine(Survey(DISKS[:1], (ROOT, SWAP)))
    assert stable_name(single, "/dev/disk/by-id/scsi-36000c29-part1") == "UUID=1111-root"
    assert stable_name(single, "/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part5") == "UUID=2222-swap"
    assert stable_name(single, "/dev/disk/by-id/scsi-36000c29") is None


def test_the_line_of_the_root_tells_which_disk_a_name_means() -> None:
    by_id = machine(ALL, root="/dev/disk/by-id/scsi-36000c29-part1")
    assert stable_name(by_id, "/dev/disk/by-id/scsi-36000c29-part5") == "UUID=2222-swap"
    assert stable_name(by_id, "/dev/disk/by-id/scsi-36000c30-part5") is None
    second = machine(Survey(DISKS[:1], (ROOT, SWAP)), root="/dev/sdb1")
    assert (stable_name(second, "/dev/sdb1"), stable_name(second, "/dev/sdb5")) == ("UUID=1111-root", "UUID=2222-swap")
    other = machine(ALL, root="/dev/sdb2")  # not where the root was found
    assert stable_name(other, "/dev/sdb2") == "PARTUUID=abcd-12"


def test_only_names_of_hardware_are_changed() -> None:
    named = ["/dev/sda1", "/dev/disk/by-id/x-part1", "/dev/nvme0n1p1", "/dev/cciss!c0d0p1"]
    kept = ["/dev/sr0", "/dev/cdrom", "/dev/fd0", "/dev/mapper/vg-root", "/dev/vg/root", "/dev/md0", "UUID=1", "tmpfs"]
    assert [name for name in named + kept if by_hardware(name)] == named
