"""What forbids changing a Windows from outside is said, with what to do."""

from pathlib import Path

import windows_disk
import windows_machine
from jeos.convert.adapt import windows_drivers, windows_sata, windows_state, windows_storage, windows_tools
from jeos.convert.machine import Machine, Options
from jeos.convert.survey import Survey, System
from memory_filesystem import memory_root
from windows_disk import Edition


def test_windows_that_sleeps_is_refused_by_every_fix(tmp_path: Path) -> None:
    image = windows_disk.make(tmp_path, Edition(extra={"hiberfil.sys": b"hibr" + bytes(100)}))
    with windows_machine.machine(image) as machine:
        fix = windows_state.plan(machine, Options())
        assert fix is not None
        assert (fix.changes, fix.stops) == ((), True)
        assert fix.cannot[0].startswith("Windows sleeps on its disk (hibernated, or shut down for a fast start-up)")
        assert [
            module.plan(machine, Options())
            for module in (windows_sata, windows_storage, windows_drivers, windows_tools)
        ] == [None] * 4


def test_windows_shut_down_in_order_passes(tmp_path: Path) -> None:
    with windows_machine.machine(windows_disk.make(tmp_path)) as machine:
        assert windows_state.plan(machine, Options()) is None


def test_waiting_updates_are_said_and_stop_nothing(tmp_path: Path) -> None:
    image = windows_disk.make(tmp_path, Edition(extra={"Windows/WinSxS/pending.xml": b"<x/>"}))
    with windows_machine.machine(image) as machine:
        fix = windows_state.plan(machine, Options())
        assert fix is not None
        assert (fix.changes, fix.stops) == ((), False)
        assert fix.cannot == ("updates wait for a restart of Windows: restart it until none is left, and shut it down",)
        assert windows_tools.plan(machine, Options()) is not None


def test_other_systems_are_none_of_its_business() -> None:
    machine = Machine(Survey((), ()), System(family="debian", volume="sda1"), memory_root({}))
    assert windows_state.plan(machine, Options()) is None
