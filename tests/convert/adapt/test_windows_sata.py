"""Windows's own AHCI driver is started at boot, and hivexregedit reads it."""

from pathlib import Path

import windows_disk
import windows_machine
from jeos.convert.adapt import windows_sata
from jeos.convert.machine import Options
from windows_disk import Edition


def test_driver_that_windows_keeps_from_starting_is_started(tmp_path: Path) -> None:
    image = windows_disk.make(tmp_path)
    with windows_machine.machine(image) as machine:
        fix = windows_sata.plan(machine, Options())
    after = windows_machine.apply(image, fix, tmp_path / "after.img")
    assert windows_machine.export(after, "SYSTEM", "\\ControlSet001\\Services\\storahci", tmp_path) == [
        "[\\ControlSet001\\Services\\storahci]",
        '"Start"=dword:00000000',
        "",
        "[\\ControlSet001\\Services\\storahci\\StartOverride]",
        '"0"=dword:00000000',
        "",
    ]
    with windows_machine.machine(after) as machine:
        assert windows_sata.plan(machine, Options()) is None


def test_windows_7_has_another_driver(tmp_path: Path) -> None:
    more = '[HIVE\\ControlSet001\\Services\\msahci]\n"Start"=dword:00000003\n\n'
    seven = Edition(build="7601", old_version="6.1", major=None, more_system=more)
    with windows_machine.machine(windows_disk.make(tmp_path, seven)) as machine:
        assert windows_machine.keys(windows_sata.plan(machine, Options())) == {
            "SYSTEM\\ControlSet001\\Services\\msahci": {"Start": 0}
        }


def test_windows_without_the_driver_is_said(tmp_path: Path) -> None:
    old = Edition(build="7601", old_version="6.1", major=None)
    with windows_machine.machine(windows_disk.make(tmp_path, old)) as machine:
        fix = windows_sata.plan(machine, Options())
        assert fix is not None
        assert fix.cannot == ("Windows has no AHCI driver (msahci): give it an IDE disk to start from",)
