"""The serial console: every boot loader's command lines, their sources, and logins of older systems."""

from collections.abc import Mapping

import pytest

from jeos.convert.adapt import serial_console
from jeos.convert.changed import Changed
from jeos.convert.changes import Fix, Write
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Survey, System
from memory_filesystem import Content, memory_root

ARGUMENTS = "console=ttyS0,115200 console=tty0"
SYSTEMD: dict[str, Content] = {"lib/systemd/systemd": b"\x7fELF"}


def machine(files: Mapping[str, Content], *, family: str = "debian") -> Machine:
    return Machine(Survey((), ()), System(family=family, volume="sda1"), memory_root({**SYSTEMD, **files}))


def test_every_command_line_gets_the_port_now_and_later() -> None:
    block = b"# GRUB Environment Block\nkernelopts=root=UUID=1 ro\n"
    there = machine(
        {
            "boot/grub2/grub.cfg": "linux /vmlinuz root=UUID=1 ro\nlinux /vmlinuz ro console=ttyS0\n",
            "boot/grub2/grubenv": block.ljust(1024, b"#"),
            "boot/loader/entries/a.conf": "linux /vmlinuz\noptions $kernelopts\n",
            "etc/default/grub": 'GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX="quiet"\n',
            "etc/kernel/cmdline": "root=UUID=1 quiet\n",
        }
    )
    fix = serial_console.plan(there, Options())
    assert fix == Fix(
        "serial-console",
        "kernel messages and a login on the serial port",
        changes=(
            Write(
                "boot/grub2/grub.cfg",
                f"linux /vmlinuz root=UUID=1 ro {ARGUMENTS}\nlinux /vmlinuz ro console=ttyS0\n".encode(),
            ),
            Write("etc/default/grub", f'GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX="quiet {ARGUMENTS}"\n'.encode()),
            Write("etc/kernel/cmdline", f"root=UUID=1 quiet {ARGUMENTS}\n".encode()),
            Write("boot/grub2/grubenv", (block[:-1] + f" {ARGUMENTS}\n".encode()).ljust(1024, b"#")),
        ),
        notes=(f"the kernel's command lines get {ARGUMENTS}",),
    )
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert serial_console.plan(after, Options()) is None


def test_settings_without_the_variable_get_it() -> None:
    there = machine({"etc/default/grub": "GRUB_TIMEOUT=5"})
    fix = serial_console.plan(there, Options(console="ttyS1"))
    assert fix is not None
    line = 'GRUB_CMDLINE_LINUX="${GRUB_CMDLINE_LINUX} console=ttyS1,115200 console=tty0"\n'
    assert fix.changes == (Write("etc/default/grub", f"GRUB_TIMEOUT=5\n{line}".encode()),)
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert serial_console.plan(after, Options(console="ttyS1")) is None


@pytest.mark.parametrize(
    "files",
    [
        {"etc/default/grub": 'GRUB_CMDLINE_LINUX=""\n', "etc/default/grub.d/50.cfg": 'X="console=ttyS0"\n'},
        {"boot/grub/grub.cfg": "linux /v ro console=tty0 console=ttyS0,9600n8\n"},
        {"etc/kernel/cmdline": "console=hvc0\n"},
        {"etc/inittab": "1:2345:respawn:/sbin/getty 38400 tty1\n"},
        {},
    ],
)
def test_a_machine_that_has_its_port_needs_nothing(files: dict[str, Content]) -> None:
    assert serial_console.plan(machine(files), Options()) is None


def test_nothing_is_planned_where_no_port_is_wanted() -> None:
    files: dict[str, Content] = {"boot/grub/grub.cfg": "linux /v ro\n"}
    assert serial_console.plan(machine(files), Options(console="")) is None
    assert serial_console.plan(machine(files, family="windows"), Options()) is None


@pytest.mark.parametrize(
    ("files", "getty"),
    [
        ({}, "/sbin/getty -L ttyS0 115200 vt100"),
        ({"sbin/agetty": b"\x7fELF"}, "/sbin/agetty -L 115200 ttyS0 vt100"),
    ],
)
def test_an_older_system_gets_a_login(files: dict[str, Content], getty: str) -> None:
    before = "1:2345:respawn:/sbin/getty 38400 tty1\n#T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100"
    system = System(family="debian", volume="sda1")
    there = Machine(Survey((), ()), system, memory_root({"etc/inittab": before, **files}))
    fix = serial_console.plan(there, Options())
    assert fix is not None
    assert fix.changes == (Write("etc/inittab", f"{before}\nS0:2345:respawn:{getty}\n".encode()),)
    after = Machine(there.survey, there.system, Changed(there.root, fix.changes))
    assert serial_console.plan(after, Options()) is None
