"""fstab by UUID: what names hardware changes, every other byte stays."""

from hypothesis import given
from hypothesis import strategies as st

from jeos.convert.adapt import fstab
from jeos.convert.changed import Changed
from jeos.convert.changes import Fix, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Disk, Survey, System, Volume
from memory_filesystem import memory_root

SURVEY = Survey(
    (Disk("sda", 1 << 33, table="dos", uuid="deadbeef"),),
    (
        Volume("sda1", "partition", 1 << 30, disk="sda", number=1, content="ext4", uuid="0b9c-root"),
        Volume("sda2", "partition", 1 << 30, disk="sda", number=2, content="swap", uuid="77aa-swap"),
    ),
)
BEFORE = b"""\
# /etc/fstab: static file system information.
#
/dev/sda1\t/               ext4    errors=remount-ro 0       1   # \xe4 root
  /dev/disk/by-path/pci-0000:00:10.0-scsi-0:0:0:0-part2  none  swap  sw  0 0
#/dev/sda3 /old ext4 defaults 0 0

/dev/mapper/vg-home /home ext4 defaults 0 2
UUID=1-2 /boot ext4 defaults 0 2
/dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0
/dev/sdb1 /data xfs nofail 0 0
//server/share /mnt cifs credentials=/etc/x 0 0"""
AFTER = BEFORE.replace(b"/dev/sda1\t", b"UUID=0b9c-root\t").replace(
    b"/dev/disk/by-path/pci-0000:00:10.0-scsi-0:0:0:0-part2 ", b"UUID=77aa-swap "
)


def machine(content: bytes) -> Machine:
    system = System(family="debian", volume="sda1")
    return Machine(SURVEY, system, memory_root({"etc/fstab": content}))


def test_fstab_names_file_systems_by_uuid() -> None:
    assert fstab.plan(machine(BEFORE), Options()) == Fix(
        "fstab",
        "file systems by UUID in /etc/fstab",
        changes=(Write("etc/fstab", AFTER),),
        notes=(
            "/etc/fstab: / is found by UUID=0b9c-root, since /dev/sda1 has another name on the new home",
            "/etc/fstab: none is found by UUID=77aa-swap, since "
            "/dev/disk/by-path/pci-0000:00:10.0-scsi-0:0:0:0-part2 has another name on the new home",
        ),
        cannot=("/etc/fstab: /dev/sdb1 for /data is on none of the disks; its mount will fail",),
    )


def test_fstab_that_was_mended_needs_nothing() -> None:
    before = machine(BEFORE.replace(b"/dev/sdb1", b"LABEL=data"))
    fix = fstab.plan(before, Options())
    assert fix is not None
    assert fstab.plan(Machine(SURVEY, before.system, Changed(before.root, fix.changes)), Options()) is None


def test_fstab_of_windows_or_none_is_left_alone() -> None:
    system = System(family="windows", volume="sda1")
    assert fstab.plan(Machine(SURVEY, system, memory_root({"etc/fstab": BEFORE})), Options()) is None
    assert fstab.plan(Machine(SURVEY, System("debian", "sda1"), memory_root({})), Options()) is None


@given(st.text(st.sampled_from("/dev#sa1 \t\n\r\f\\é"), max_size=80) | st.text(max_size=80))
def test_rewrite_keeps_every_byte_that_is_not_a_device(text: str) -> None:
    assert fstab.rewrite(text, lambda name, where: name) == text
    assert fstab.rewrite(text, lambda name, where: "X").count("\n") == text.count("\n")
