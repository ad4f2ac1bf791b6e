"""A machine that is started once: what counts as up, what as failed, and that nothing is left of it."""

from pathlib import Path

import pytest

import boot_sectors
from jeos.core.errors import MachineError
from jeos.model.machine import Boot, Machine
from jeos.vm import disks
from jeos.vm.first_start import Outcome, screen_text, verdict, watch

pytestmark = pytest.mark.usefixtures("own_sockets")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("console", "expected"),
    [
        ("Debian GNU/Linux 12 web ttyS0\n\nweb login: ", ("login", "")),
        ("web login: \nweb login: ", ("login", "")),
        ("web login: [   12.3] eth0: link up", ("login", "")),
        ("last login: yesterday\nstarting", ("", "")),
        ("[  OK  ] Started x\n", ("", "")),
        ("Begin: Running /scripts/local-block\n" * 3, ("", "")),
        (
            "Gave up waiting for root file system device.\nALERT!  /dev/sda1 does not exist.  Dropping to a shell!\n",
            ("", "its initrd does not find the root file system /dev/sda1"),
        ),
        (
            "[ 2.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n",
            ("", "its kernel panics: VFS: Unable to mount root fs on unknown-block(0,0)"),
        ),
        ("[ 2.1] Kernel panic - not syncing: VFS: Una", ("", "")),  # the rest of the line is on its way
        (f"Kernel panic - not syncing: {'x' * 130}", ("", f"its kernel panics: {'x' * 120}")),
        ("You are in emergency mode. After logging in", ("", "it stops in its emergency mode")),
        (
            "error: no such partition.\nEntering rescue mode...\ngrub rescue> ",
            ("", "its boot loader does not find its own files"),
        ),
        ("BdsDxe: No bootable option or device was found.", ("", "the firmware finds no option to start")),
    ],
)
def test_verdict_on_a_console(console: str, expected: tuple[str, str]) -> None:
    assert verdict(console) == expected


def test_verdict_on_a_screen() -> None:
    assert verdict("", screen="Booting from Hard Disk...\nNo bootable device.") == (
        "",
        "the firmware finds no device to start",
    )
    assert verdict("", screen="Kernel panic - not syncing: no root") == ("", "its kernel panics: no root")
    assert verdict("", screen="Debian GNU/Linux 7 old tty1\n\nold login:") == ("login", "")


def test_screen_text_is_what_stands_in_its_memory() -> None:
    rows = ["Booting from Hard Disk...", "\x1b[31mred"] + [""] * 23
    memory = b"".join(bytes([letter, 7]) for row in rows for letter in row.encode("cp437").ljust(80, b" "))
    assert screen_text(memory) == "Booting from Hard Disk...\nred"
    assert screen_text(bytes(4000)) == ""


def machine(folder: Path, content: bytes) -> Machine:
    """Return a machine with a BIOS that starts this disk."""
    disk = folder / "disk.raw"
    disk.write_bytes(content)
    return Machine(
        name="tiny",
        disk=str(disk),
        disk_fingerprint=disks.fingerprint(disk),
        boot=Boot.BIOS,
        accelerator="tcg",
        memory=32,
    )


def seen(folder: Path, content: bytes, *, within: float = 120) -> Outcome:
    """Watch a machine start this disk; check that it leaves nothing behind."""
    outcome = watch(machine(folder, content), within=within, folder=folder)
    assert [path.name for path in folder.iterdir()] == ["disk.raw"]
    return outcome


@pytest.mark.vm
def test_watch_sees_a_prompt(tmp_path: Path) -> None:
    outcome = seen(tmp_path, boot_sectors.saying("starting\ntiny login: "))
    assert (outcome.reached, outcome.reason, outcome.console) == ("login", "", "starting\ntiny login: ")
    assert outcome.screenshot.startswith(PNG)
    assert outcome.accelerator == "tcg"


@pytest.mark.vm
def test_watch_sees_a_panic(tmp_path: Path) -> None:
    outcome = seen(tmp_path, boot_sectors.saying("Kernel panic - not syncing: no root\n"))
    assert (outcome.reached, outcome.reason) == ("", "its kernel panics: no root")


@pytest.mark.vm
def test_watch_reads_the_screen_of_a_firmware_that_finds_nothing(tmp_path: Path) -> None:
    outcome = seen(tmp_path, bytes(1 << 20))
    assert (outcome.reached, outcome.reason) == ("", "the firmware finds no device to start")
    assert "No bootable device" in outcome.screen


@pytest.mark.vm
def test_watch_ends_when_its_time_is_over(tmp_path: Path) -> None:
    outcome = seen(tmp_path, boot_sectors.saying("starting\n"), within=3)
    assert (outcome.reached, outcome.reason) == ("", "no login prompt, agent or port was there within 3 s")


@pytest.mark.vm
def test_watch_tells_when_qemu_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = machine(tmp_path, boot_sectors.saying("never"))
    monkeypatch.setattr(disks, "create", lambda machine, places, nvram: None)
    with pytest.raises(MachineError):
        watch(broken, within=30, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["disk.raw"]
