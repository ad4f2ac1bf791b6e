"""Fixes are found, ordered, and each described: docs/reference/fixes.md, what the report says, planning as a whole."""

import re
from pathlib import Path

from jeos.convert import adapt
from jeos.convert.changed import Changed
from jeos.convert.changes import Fix, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Disk, Survey, System, Volume
from memory_filesystem import Content, memory_root

PAGE = Path(__file__).parents[3] / "docs/reference/fixes.md"
LINUX: dict[str, Content] = {
    "boot/grub/grub.cfg": "linux /boot/vmlinuz root=/dev/sda1 ro\n",
    "etc/default/grub": 'GRUB_CMDLINE_LINUX="resume=/dev/sda1"\n',
    "etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n",
    "lib/systemd/systemd": b"\x7fELF",
}


def machine(files: dict[str, Content]) -> Machine:
    volume = Volume("sda1", "partition", 1 << 30, disk="sda", number=1, content="ext4", uuid="0b9c")
    system = System(family="debian", volume="sda1")
    return Machine(Survey((Disk("sda", 1 << 30, table="dos"),), (volume,), (system,)), system, memory_root(files))


def test_every_fix_is_described_in_its_order() -> None:
    headings = re.findall(r"(?m)^## (.+)$", PAGE.read_text())
    assert headings == [f"{module.NAME}: {module.TITLE}" for module in adapt.modules()]


def test_every_description_says_what_a_fix_changes_and_those_of_linux_what_it_needs_and_cannot() -> None:
    sections = re.split(r"(?m)^##? ", PAGE.read_text().partition("\n")[2])
    said = {section.partition(":")[0]: re.findall(r"(?m)^- \*\*(\w+)\*\*: \S", section) for section in sections}
    for module in adapt.modules():
        expected = said[module.NAME][:1] if module.NAME.startswith("windows-") else ["Changes", "Needs", "Cannot"]
        assert (module.NAME, said[module.NAME][: len(expected)], expected[0]) == (module.NAME, expected, "Changes")


def test_names_and_orders_are_unique() -> None:
    modules = adapt.modules()
    assert len({module.NAME for module in modules}) == len({module.ORDER for module in modules}) == len(modules)


def test_fixes_of_one_file_add_up_and_leave_nothing_for_a_second_time() -> None:
    there = machine(LINUX)
    fixes = adapt.plan(there, Options())
    assert [fix.name for fix in fixes] == ["root-device", "fstab", "serial-console"]
    root = Changed(there.root, [change for fix in fixes for change in fix.changes])
    console = "console=ttyS0,115200 console=tty0"
    assert root.read_text("boot/grub/grub.cfg") == f"linux /boot/vmlinuz root=UUID=0b9c ro {console}\n"
    assert root.read_text("etc/default/grub") == f'GRUB_CMDLINE_LINUX="resume=UUID=0b9c {console}"\n'
    assert adapt.plan(Machine(there.survey, there.system, root), Options()) == ()


def test_a_damaged_file_keeps_one_fix_from_mending_and_no_other() -> None:
    fixes = adapt.plan(machine({**LINUX, "etc/default/grub": bytes(17 << 20)}), Options())
    assert fixes == (
        Fix(
            "root-device",
            "root= by UUID in the boot loader",
            cannot=("/etc/default/grub has 17825792 bytes; at most 16777216 are read at once",),
        ),
        Fix(
            "fstab",
            "file systems by UUID in /etc/fstab",
            changes=(Write("etc/fstab", b"UUID=0b9c / ext4 defaults 0 1\n"),),
            notes=("/etc/fstab: / is found by UUID=0b9c, since /dev/sda1 has another name on the new home",),
        ),
        Fix(
            "serial-console",
            "kernel messages and a login on the serial port",
            cannot=("/etc/default/grub has 17825792 bytes; at most 16777216 are read at once",),
        ),
    )
