"""root= by UUID: GRUB 2 and 1, entries, environment blocks, and the settings that they are made from."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jeos.convert.adapt import root_device
from jeos.convert.changed import Changed
from jeos.convert.changes import Fix, Remove, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Boot, Disk, Survey, System, Volume
from memory_filesystem import Content, Link, memory_root

SURVEY = Survey(
    (Disk("sda", 1 << 33, table="dos", uuid="deadbeef"),),
    (
        Volume("sda1", "partition", 1 << 30, disk="sda", number=1, content="ext4", uuid="0b9c-root"),
        Volume("sda2", "partition", 1 << 30, disk="sda", number=2, content="swap", uuid="77aa-swap"),
    ),
)
GRUB = """\
# root=/dev/sda1 in a comment stays
set root='hd0,msdos1'
menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-/dev/sda1' {
\tinsmod ext2
\tset root='hd0,msdos1'
\tlinux\t/boot/vmlinuz-6.1.0-56-amd64 root=/dev/sda1 ro  quiet resume=/dev/sda2
\tinitrd\t/boot/initrd.img-6.1.0-56-amd64
}
menuentry 'LVM' {
\tlinux /vmlinuz root=/dev/mapper/vg-root ro rd.lvm.lv=vg/root
}
"""
LINE = "linux\t/boot/vmlinuz-6.1.0-56-amd64 root=UUID=0b9c-root ro  quiet resume=UUID=77aa-swap"
MENDED = GRUB.replace(
    "linux\t/boot/vmlinuz-6.1.0-56-amd64 root=/dev/sda1 ro  quiet resume=/dev/sda2",
    LINE,
)
DEFAULT = """\
GRUB_DEFAULT=0
GRUB_CMDLINE_LINUX_DEFAULT="quiet" # calm
GRUB_CMDLINE_LINUX="root=/dev/sda1 resume=/dev/sda2"
GRUB_DISABLE_LINUX_UUID=true
#GRUB_DISABLE_LINUX_UUID=true
  GRUB_DISABLE_UUID="true"
"""


def machine(files: Mapping[str, Content], *, boot: Boot | None = None, family: str = "debian") -> Machine:
    return Machine(SURVEY, System(family=family, volume="sda1", boot=boot or Boot()), memory_root(files))


def block(text: str) -> bytes:
    return b"# GRUB Environment Block\n" + text.encode().ljust(1024 - 25, b"#")


def test_a_bios_machine_finds_its_root_now_and_after_update_grub() -> None:
    before = machine({"boot/grub/grub.cfg": GRUB, "etc/default/grub": DEFAULT})
    grub, default = "/boot/grub/grub.cfg", "/etc/default/grub"
    later = "is off, so that the next update of GRUB keeps the UUID"
    assert root_device.plan(before, Options()) == Fix(
        "root-device",
        "root= by UUID in the boot loader",
        changes=(
            Write("boot/grub/grub.cfg", MENDED.encode()),
            Write(
                "etc/default/grub",
                b"""\
GRUB_DEFAULT=0
GRUB_CMDLINE_LINUX_DEFAULT="quiet" # calm
GRUB_CMDLINE_LINUX="root=UUID=0b9c-root resume=UUID=77aa-swap"
GRUB_DISABLE_LINUX_UUID=false
#GRUB_DISABLE_LINUX_UUID=true
  GRUB_DISABLE_UUID="false"
""",
            ),
        ),
        notes=(
            f"{grub}: UUID=0b9c-root for /dev/sda1, which has another name on the new home",
            f"{grub}: UUID=77aa-swap for /dev/sda2, which has another name on the new home",
            f"{default}: UUID=0b9c-root for /dev/sda1, which has another name on the new home",
            f"{default}: UUID=77aa-swap for /dev/sda2, which has another name on the new home",
            f"{default}: GRUB_DISABLE_LINUX_UUID {later}",
            f"{default}: GRUB_DISABLE_UUID {later}",
        ),
    )


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("boot/grub2/grub.cfg", 'set kernelopts="root=/dev/sda1 ro"\n', 'set kernelopts="root=UUID=0b9c-root ro"\n'),
        ("boot/efi/EFI/rocky/grub.cfg", "linuxefi /v root=/dev/sda1\n", "linuxefi /v root=UUID=0b9c-root\n"),
        ("boot/grub/menu.lst", "# kopt=root=/dev/hda1 ro\n", "# kopt=root=UUID=0b9c-root ro\n"),
        ("boot/loader/entries/a.conf", "options root=/dev/sda1 ro\n", "options root=UUID=0b9c-root ro\n"),
        ("boot/extlinux/extlinux.conf", "  APPEND root=/dev/sda1,ro\n", "  APPEND root=UUID=0b9c-root,ro\n"),
        ("etc/kernel/cmdline", "root=/dev/sda1 quiet", "root=UUID=0b9c-root quiet"),
        ("etc/default/grub.d/50.cfg", "X='root=/dev/nvme0n1p1'", "X='root=UUID=0b9c-root'"),
        ("boot/efi/EFI/x/menu.cfg", "linux root=/dev/sda1", "linux root=UUID=0b9c-root"),
    ],
)
def test_every_place_of_a_command_line_is_mended_once(path: str, before: str, after: str) -> None:
    there = machine({path: before}, boot=Boot(configs=("boot/efi/EFI/x/menu.cfg",), entries=("boot/gone.conf",)))
    fix = root_device.plan(there, Options())
    assert fix is not None
    assert fix.changes == (Write(path, after.encode()),)
    assert root_device.plan(Machine(SURVEY, there.system, Changed(there.root, fix.changes)), Options()) is None


def test_an_environment_block_keeps_its_size() -> None:
    there = machine({"boot/grub2/grubenv": block("saved_entry=1\nkernelopts=root=/dev/sda1 ro quiet\n")})
    fix = root_device.plan(there, Options())
    assert fix is not None
    assert fix.changes == (
        Write("boot/grub2/grubenv", block("saved_entry=1\nkernelopts=root=UUID=0b9c-root ro quiet\n")),
    )
    long = f"kernelopts=root=/dev/sda1 {'x' * (1024 - 25 - 27)}\n"
    full = root_device.plan(machine({"boot/grub2/grubenv": block(long)}), Options())
    assert full is not None
    assert (full.changes, full.cannot) == (
        (),
        ("/boot/grub2/grubenv: the kernel's arguments have no room for a UUID in this block",),
    )


def test_a_file_that_two_names_lead_to_is_written_once_and_a_stale_map_goes() -> None:
    files: dict[str, Content] = {
        "boot/grub2/grub.cfg": "linux /v root=/dev/sda1\n",
        "boot/grub": Link("grub2"),
        "boot/grub2/device.map": "(hd0)   /dev/sda\n",
    }
    fix = root_device.plan(machine(files, family="suse"), Options())
    assert fix is not None
    assert fix.changes == (
        Write("boot/grub2/grub.cfg", b"linux /v root=UUID=0b9c-root\n"),
        Remove("boot/grub2/device.map"),
    )


def test_a_root_that_is_nowhere_is_said() -> None:
    fix = root_device.plan(machine({"boot/grub/grub.cfg": "linux /v root=/dev/sdb7\n"}), Options())
    assert fix is not None
    assert (fix.changes, fix.cannot) == ((), ("/boot/grub/grub.cfg: /dev/sdb7 is on none of the disks",))


def test_nothing_is_planned_where_uuids_are_used_already() -> None:
    files: dict[str, Content] = {
        "boot/grub/grub.cfg": MENDED,
        "etc/default/grub": "GRUB_DISABLE_LINUX_UUID=false\n",
        "boot/grub/device.map": "(hd0) /dev/mapper/mpath0\n",
        "boot/grub2/grubenv": b"# not a block",
    }
    assert root_device.plan(machine(files), Options()) is None
    assert root_device.plan(machine({"boot/grub/grub.cfg": GRUB}, family="windows"), Options()) is None


@given(st.text(st.sampled_from("root=/dev/sa1 #\"'\n\t\\;,x"), max_size=120) | st.text(max_size=80))
def test_rewrite_keeps_every_byte_that_is_not_a_root(text: str) -> None:
    assert root_device.rewrite(text, lambda name: name) == text
    assert root_device.rewrite(text, lambda name: "").count("\n") == text.count("\n")
