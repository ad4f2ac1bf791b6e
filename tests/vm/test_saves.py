"""Machines saved with their memory, and brought back, with a QEMU that runs a guest of 70 bytes."""

import json
import os
import signal
import subprocess
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import jeos_command
import tiny_guest
from jeos.core.errors import JeosError, MachineError, UsageError
from jeos.model.machine import Machine, Status
from jeos.model.saved import parse_saved, saved_text
from jeos.model.tuning import Profile, Tuning
from jeos.vm import hold, host_profile, saved_files, saves, session
from jeos.vm.places import places_of
from jeos_command import make_jeos
from qemu_door import VARIABLE, QemuDoor
from tiny_guest import console_text, type_keys

pytestmark = [pytest.mark.vm, pytest.mark.usefixtures("own_machines")]
DEADLINE = 60.0  # seconds, on a host with much else to do
wait_until = partial(jeos_command.wait_until, seconds=DEADLINE)


@pytest.fixture
def tiny(tmp_path: Path) -> Machine:
    return tiny_guest.machine(tmp_path)


def start(tiny: Machine) -> None:
    session.run(tiny)
    wait_until(lambda: console_text().endswith(b"ready\n"))


def echoes(key: bytes) -> None:
    """Check that the guest runs, and did not start anew: it would have said that it is ready."""
    before = console_text()
    type_keys(key)
    wait_until(lambda: console_text() == before + key)


def disk_states() -> list[str]:
    argv = ["qemu-img", "info", "-U", "--output", "json", str(places_of("tiny").disk)]
    found = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return [one["name"] for one in found.get("snapshots", ())]


def write_disk(pattern: int) -> None:
    argv = ["qemu-io", "-f", "qcow2", "-c", f"write -P {pattern} 0 64k", str(places_of("tiny").disk)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def disk_holds(pattern: int) -> bool:
    argv = ["qemu-io", "-f", "qcow2", "-c", f"read -P {pattern} 0 64k", str(places_of("tiny").disk)]
    return b"verification failed" not in subprocess.run(argv, capture_output=True, check=True).stdout


def test_machine_goes_on_where_it_was_saved_with_its_disk(tiny: Machine) -> None:
    session.run(tiny)
    session.stop("tiny", within=0)
    write_disk(1)
    start(tiny)
    saved = saves.save("tiny", "a", stop=True)
    assert (saved.name, saved.stopped, saved.machine) == ("a", True, tiny)
    assert (session.state("tiny").status, session.state("tiny").reason) == (Status.STOPPED, "saved as tiny@a")
    write_disk(2)
    assert saves.load("tiny", "a", force=False).status is Status.RUNNING
    echoes(b"x")
    session.stop("tiny", within=0)
    assert disk_holds(1)


def test_machine_runs_on_after_it_was_saved_and_what_it_did_is_lost_only_by_force(tiny: Machine) -> None:
    start(tiny)
    saves.save("tiny", "a", stop=False)
    echoes(b"x")
    for _ in range(2):  # running, then stopped
        with pytest.raises(UsageError, match="what tiny did since it was saved would be lost"):
            saves.load("tiny", "a", force=False)
        session.stop("tiny", within=0)
    saves.load("tiny", "a", force=True)
    echoes(b"y")
    saves.load("tiny", "a", force=True)  # while it runs
    echoes(b"z")


def test_guest_keeps_the_rings_that_it_agreed_to_whatever_the_hosts_profile_says_later(tiny: Machine) -> None:
    def packed() -> bool:
        words = Path(f"/proc/{session.state('tiny').qemu}/cmdline").read_bytes()
        return words.count(b",packed=on") == 2  # of its disk and its network

    kernel, qemu = host_profile.measured_with()
    profile = Profile(Tuning(packed=True), taken=0, kernel=kernel, qemu=qemu)
    for before in (True, False):
        if before:
            host_profile.write(profile)
        start(tiny)
        assert packed() == before
        saves.save("tiny", "a", stop=True)
        if before:
            host_profile.remove()
        else:
            host_profile.write(profile)
        saves.load("tiny", "a", force=False)
        echoes(b"x")
        assert packed() == before
        session.remove("tiny", force=True)
        host_profile.remove()


def test_saved_states_are_listed_replaced_and_removed(tiny: Machine) -> None:
    start(tiny)
    saves.save("tiny", "a", stop=False)
    saves.save("tiny", "b", stop=False)
    first = saves.find("tiny", "a")
    saves.save("tiny", "a", stop=False)
    found = saves.listed("tiny")
    assert [one.name for one in found] == ["a", "b"]
    assert found[0].tag != first.tag
    assert sorted(disk_states()) == sorted(saved_files.PREFIX + one.tag for one in found)
    saves.remove("tiny", "a")  # while it runs
    session.stop("tiny", within=0)
    saves.remove("tiny", "b")
    assert (saves.listed("tiny"), disk_states(), list(places_of("tiny").saved.iterdir())) == ([], [], [])
    with pytest.raises(MachineError, match="nothing is saved as tiny@a"):
        saves.load("tiny", "a", force=True)
    with pytest.raises(MachineError, match="there is no machine none"):
        saves.remove("none", "a")


def test_paused_machine_is_saved_and_stays_paused(tiny: Machine) -> None:
    start(tiny)
    session.pause("tiny")
    saves.save("tiny", "a", stop=False)
    assert session.state("tiny").status is Status.PAUSED
    session.resume("tiny")
    echoes(b"x")


def test_device_that_cannot_be_saved_is_named_and_the_machine_runs_on(
    tiny: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = QemuDoor.make(tmp_path / "door", make_jeos(tmp_path / "jeos"))
    more = ["-blockdev", "null-co,node-name=nothing", "-device", "nvme,drive=nothing,serial=1"]
    monkeypatch.setenv("PATH", f"{door.folder}:{os.environ['PATH']}")
    monkeypatch.setenv(VARIABLE, json.dumps({"more": more}))
    monkeypatch.setenv("JEOS_CONFINE", "off")
    start(tiny)
    with pytest.raises(MachineError, match=r"the machine.s memory cannot be saved: .*nvme"):
        saves.save("tiny", "a", stop=True)
    echoes(b"x")
    assert (saves.listed("tiny"), disk_states(), list(places_of("tiny").saved.iterdir())) == ([], [], [])


def test_save_beside_a_backup_is_refused_and_the_other_way_round(tiny: Machine) -> None:
    start(tiny)
    with hold.held("tiny", mark="jeos-v-1", freeze=False) as held:
        with pytest.raises(MachineError, match="a backup of tiny is under way already"):
            saves.save("tiny", "a", stop=False)
        held.keep()
    saves.save("tiny", "a", stop=False)
    saves.load("tiny", "a", force=True)
    session.stop("tiny", within=0)
    argv = ["qemu-img", "info", "--output", "json", str(places_of("tiny").disk)]
    found = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    assert "bitmaps" not in found["format-specific"]["data"]  # what they recorded is of another disk now


def test_what_killed_orders_left_is_deleted_by_the_next(tiny: Machine) -> None:
    start(tiny)
    saves.save("tiny", "a", stop=True)
    lost = saved_files.PREFIX + "0123456789abcdef"
    subprocess.run(["qemu-img", "snapshot", "-c", lost, str(places_of("tiny").disk)], check=True)
    (places_of("tiny").saved / ".partial-abcdefgh.partial").mkdir()
    saves.load("tiny", "a", force=True)
    saves.save("tiny", "b", stop=False)
    assert lost not in disk_states()
    assert len(disk_states()) == len(list(places_of("tiny").saved.iterdir())) == 2


def test_supervisor_killed_while_it_saves_loses_nothing(tiny: Machine) -> None:
    machine = replace(tiny, memory=512)  # takes some time to write
    start(machine)
    saves.save("tiny", "a", stop=False)

    def order() -> None:
        try:
            saves.save("tiny", "b", stop=False)
        except JeosError as error:
            failures.append(error.message)

    failures: list[str] = []
    thread = threading.Thread(target=order)
    thread.start()
    supervisor = session.state("tiny").supervisor
    wait_until(lambda: len(list(places_of("tiny").saved.iterdir())) > 1)
    os.kill(supervisor, signal.SIGKILL)
    thread.join(DEADLINE)
    wait_until(lambda: session.state("tiny").status is Status.FAILED)
    assert "a" in [one.name for one in saves.listed("tiny")]
    saves.load("tiny", "a", force=True)
    echoes(b"x")


def test_state_of_another_qemu_or_a_damaged_one_is_refused_and_kept(tiny: Machine) -> None:
    start(tiny)
    saved = saves.save("tiny", "a", stop=True)
    folder = places_of("tiny").saved / saved.tag
    about = folder / saved_files.ABOUT
    whole = about.read_text()
    about.write_text(saved_text(replace(parse_saved(whole, source="test"), qemu="1.0")))
    with pytest.raises(MachineError, match=r"was saved by QEMU 1\.0, and this one is"):
        saves.load("tiny", "a", force=False)
    about.write_text(whole)
    memory = (folder / saved_files.DEVICES).read_bytes()
    (folder / saved_files.DEVICES).write_bytes(memory[: len(memory) // 2])
    with pytest.raises(MachineError, match="QEMU of the machine tiny ended"):
        saves.load("tiny", "a", force=True)
    assert session.state("tiny").status is Status.FAILED
    (folder / saved_files.DEVICES).write_bytes(memory)
    saves.load("tiny", "a", force=True)
    echoes(b"x")


def test_fresh_disk_takes_what_was_saved_along(tiny: Machine) -> None:
    start(tiny)
    saves.save("tiny", "a", stop=True)
    session.run(tiny, fresh=True)
    assert saves.listed("tiny") == []


@pytest.mark.parametrize(("text", "found"), [("web", ("web", "saved")), ("web@a-1", ("web", "a-1"))])
def test_targets_are_read(text: str, found: tuple[str, str]) -> None:
    assert saves.parse_target(text) == found


@pytest.mark.parametrize("text", ["", "@a", "web@", "web@../x", "We@a"])
def test_targets_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        saves.parse_target(text)
