"""The old hypervisor's services are switched off, others are not."""

from pathlib import Path

import windows_disk
import windows_machine
from jeos.convert.adapt import windows_tools
from jeos.convert.machine import Options
from windows_disk import Edition

MORE = "".join(
    f'[HIVE\\ControlSet001\\Services\\{name}]\n"Start"=dword:{start:08x}\n\n'
    for name, start in (("VGAuthService", 2), ("QEMU-GA", 2), ("VBoxService", 4), ("Spooler", 2))
)


def test_tools_of_vmware_are_switched_off(tmp_path: Path) -> None:
    image = windows_disk.make(tmp_path, Edition(more_system=MORE))
    with windows_machine.machine(image) as machine:
        fix = windows_tools.plan(machine, Options())
        assert windows_tools.plan(machine, Options(hosts=("vmware",))) is not None
    assert windows_machine.keys(fix) == {
        "SYSTEM\\ControlSet001\\Services\\VGAuthService": {"Start": 4},
        "SYSTEM\\ControlSet001\\Services\\VMTools": {"Start": 4},
    }
    after = windows_machine.apply(image, fix, tmp_path / "after.img")
    assert windows_machine.export(after, "SYSTEM", "\\ControlSet001\\Services\\VMTools", tmp_path)[1] == (
        '"Start"=dword:00000004'
    )
    with windows_machine.machine(after) as machine:
        assert windows_tools.plan(machine, Options()) is None


def test_tools_of_the_new_home_stay(tmp_path: Path) -> None:
    with windows_machine.machine(windows_disk.make(tmp_path, Edition(more_system=MORE))) as machine:
        fix = windows_tools.plan(machine, Options(hosts=("vmware",)))
    assert windows_machine.keys(fix) == {"SYSTEM\\ControlSet001\\Services\\QEMU-GA": {"Start": 4}}
