"""Machines that stand still, and run on."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

import jeos_command
import tiny_guest
from jeos.core.errors import MachineError
from jeos.model.machine import Machine, Status
from jeos.vm import session
from jeos.vm.pausing import Pausing
from tiny_guest import console_text, type_keys

DEADLINE = 60.0  # seconds, on a host with much else to do
wait_until = partial(jeos_command.wait_until, seconds=DEADLINE)


class Scripted:
    """Stands in for QEMU: runs nothing, and says that its state is what a test says."""

    def __init__(self, status: Mapping[str, object]) -> None:
        self.status = status
        self.commands: list[str] = []

    async def execute(self, command: str, arguments: "dict[str, object] | None" = None) -> object:
        self.commands.append(command)
        return dict(self.status) if command == "query-status" else {}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"running": True, "status": "running"}, ""),
        ({"running": False, "status": "paused"}, "paused"),
        ({"running": False, "status": "io-error"}, "a disk of the machine cannot be written on this host"),
        ({"running": False, "status": "colo"}, "QEMU says 'colo'"),
    ],
)
def test_reason_is_what_qemu_says(status: Mapping[str, object], reason: str) -> None:
    pausing = Pausing(Scripted(status))
    asyncio.run(pausing.look())
    assert pausing.reason == reason


def test_resume_that_does_not_help_is_an_error() -> None:
    qemu = Scripted({"running": False, "status": "io-error"})
    with pytest.raises(MachineError, match="does not run on: a disk of the machine cannot be written"):
        asyncio.run(Pausing(qemu).resume())
    assert qemu.commands == ["cont", "query-status"]


@pytest.fixture
def tiny(tmp_path: Path, own_machines: None) -> Machine:
    return tiny_guest.machine(tmp_path)


@pytest.mark.vm
def test_paused_machine_does_nothing_until_it_is_resumed(tiny: Machine) -> None:
    session.run(tiny)
    wait_until(lambda: console_text() == b"ready\n")
    session.pause("tiny")
    session.pause("tiny")  # it stands still already
    state = session.state("tiny")
    assert (state.status, state.reason) == (Status.PAUSED, "paused")
    with pytest.raises(MachineError, match="the machine tiny stands still: paused"):
        session.require_running("tiny")
    type_keys(b"a")
    assert console_text() == b"ready\n"
    session.resume("tiny")
    session.resume("tiny")
    assert session.state("tiny").status is Status.RUNNING
    wait_until(lambda: console_text() == b"ready\na")


@pytest.mark.vm
def test_paused_machine_can_be_stopped_and_ended(tiny: Machine) -> None:
    session.run(tiny)
    session.pause("tiny")
    assert session.stop("tiny", within=0.2).status is Status.STOPPED
    session.run(tiny)
    session.pause("tiny")
    assert session.end("tiny").status is Status.STOPPED
    with pytest.raises(MachineError, match="the machine tiny is stopped"):
        session.pause("tiny")


RACE = """
import sys
from jeos.vm import session
sys.stdin.readline()
for turn in range(20):
    session.pause("tiny")
    session.resume("tiny")
"""


@pytest.mark.vm
def test_two_command_lines_at_once_agree_in_the_end(tiny: Machine) -> None:
    """Each order is done as a whole: what `ls` says afterwards is how QEMU is."""
    session.run(tiny)
    wait_until(lambda: console_text() == b"ready\n")
    racers = [subprocess.Popen([sys.executable, "-c", RACE], stdin=subprocess.PIPE, text=True) for _ in range(2)]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    assert [racer.wait(DEADLINE) for racer in racers] == [0, 0]
    session.resume("tiny")
    wait_until(lambda: session.state("tiny").status is Status.RUNNING)
    type_keys(b"x")
    wait_until(lambda: console_text() == b"ready\nx")
