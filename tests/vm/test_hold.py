"""Orders to hold a running machine's disks, given to a real supervisor with a real QEMU."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tiny_guest
from jeos.backup.instant import Instant
from jeos.core.errors import MachineError
from jeos.model.machine import Machine
from jeos.vm import session
from jeos.vm.fleece import Exported
from jeos.vm.hold import held
from jeos.vm.places import places_of

pytestmark = [pytest.mark.vm, pytest.mark.usefixtures("own_machines")]
DEADLINE = 60.0
SIZE = 1 << 20
KILLED = """
import sys, os, signal
from jeos.vm.hold import held
with held("tiny", mark="jeos-v-2", since="jeos-v-1"):
    print("held", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Machine:
    machine = tiny_guest.machine(tmp_path)
    session.run(machine)
    return machine


def content(disk: Exported) -> bytes:
    with Instant(places_of("tiny").backup, disk) as found:
        return found.read(0, found.size)


def test_hold_exports_the_disk_and_says_how_consistent_it_is(tiny: Machine) -> None:
    with held("tiny", mark="jeos-v-1") as hold:
        assert hold.disks == (Exported("disk", SIZE, reason="there is no earlier point"),)
        assert (hold.consistency, hold.notice) == ("crash", "no agent of jeos answers in the guest")
        assert content(hold.disks[0]) == bytes(SIZE)
        hold.keep()
    with held("tiny", mark="jeos-v-2", since="jeos-v-1", freeze=False) as hold:
        assert hold.disks == (Exported("disk", SIZE, bitmap="jeos-v-1"),)
        assert hold.notice == ""
        hold.keep()
    places = places_of("tiny")
    assert [path for path in places.folder.iterdir() if path.name.startswith("scratch")] == []
    session.stop("tiny", within=0)
    told = subprocess.check_output(["qemu-img", "info", "--output=json", places.disk])
    bitmaps = json.loads(told)["format-specific"]["data"]["bitmaps"]
    assert [(bitmap["name"], bitmap["flags"]) for bitmap in bitmaps] == [("jeos-v-2", ["auto"])]


def test_disk_of_another_size_than_at_the_last_point_is_read_whole(tiny: Machine) -> None:
    with held("tiny", mark="jeos-v-1") as hold:
        hold.keep()
    with held("tiny", mark="jeos-v-2", since="jeos-v-1", sizes={"disk": SIZE // 2}) as hold:
        assert hold.disks == (Exported("disk", SIZE, reason="the disk has another size than at the last point"),)
        assert content(hold.disks[0]) == bytes(SIZE)
    with held("tiny", mark="jeos-v-2", since="jeos-v-1", sizes={"disk": SIZE}) as hold:
        assert hold.disks == (Exported("disk", SIZE, bitmap="jeos-v-1"),)


def test_second_hold_is_refused_while_one_is_under_way(tiny: Machine) -> None:
    with held("tiny", mark="jeos-v-1") as hold:
        with pytest.raises(MachineError, match="under way already"), held("tiny", mark="jeos-w-1"):
            pass
        assert content(hold.disks[0]) == bytes(SIZE)


def wait_for_hold(mark: str, since: str) -> tuple[Exported, ...]:
    """Hold as soon as nobody else does."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            with held("tiny", mark=mark, since=since) as hold:
                return hold.disks
        except MachineError as error:
            assert "under way" in error.message and time.monotonic() < deadline
            time.sleep(0.01)


def test_killed_backup_is_taken_back(tiny: Machine) -> None:
    with held("tiny", mark="jeos-v-1") as hold:
        hold.keep()
    for _ in range(3):
        process = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE)
        assert (process.returncode, process.stdout) == (-signal.SIGKILL, b"held\n")
        assert wait_for_hold("jeos-v-3", "jeos-v-1") == (Exported("disk", SIZE, bitmap="jeos-v-1"),)


def test_machine_that_stops_in_the_middle_ends_the_hold(tiny: Machine) -> None:
    with held("tiny", mark="jeos-v-1") as hold:
        hold.keep()
    with held("tiny", mark="jeos-v-2", since="jeos-v-1") as hold:
        session.stop("tiny", within=0)
        with pytest.raises(MachineError, match="did not answer"):
            hold.keep()
    session.run(tiny)
    assert wait_for_hold("jeos-v-3", "jeos-v-1")[0].reason == "the record of changes was interrupted"


def test_nonsense_does_no_harm(tiny: Machine) -> None:
    control = str(places_of("tiny").control)
    for words in (b"{}\n", b'{"order": "hold"}\n', b'{"order": "hold", "mark": "x y"}\n', b"[]\n", b"\xff\n"):
        with socket.socket(socket.AF_UNIX) as rude:
            rude.settimeout(DEADLINE)
            rude.connect(control)
            rude.sendall(words)
            assert b'"kind"' in rude.recv(65536)
    with socket.socket(socket.AF_UNIX) as rude:
        rude.settimeout(DEADLINE)
        rude.connect(control)
        rude.sendall(b'{"order": "hold", "mark": "jeos-v-1"}\n')
        assert b'"disks"' in rude.recv(65536)
        rude.sendall(b"nonsense\n")
        rude.recv(65536)
    assert wait_for_hold("jeos-v-2", "")[0].reason == "there is no earlier point"
    assert os.path.exists(control)


def test_machine_that_does_not_run_cannot_be_held(tiny: Machine) -> None:
    session.stop("tiny", within=0)
    with pytest.raises(MachineError, match="did not answer"), held("tiny", mark="jeos-v-1"):
        pass
