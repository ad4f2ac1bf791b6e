"""Machines from their start to their end, with a QEMU that runs a guest of 70 bytes."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import boot_sectors
import tiny_guest
from jeos.core.errors import JeosError, MachineError, UsageError
from jeos.model.machine import Boot, Forward, Machine, OtherDisk, State, Status, state_text
from jeos.vm import disks, passt, session
from jeos.vm.firmware import find
from jeos.vm.places import claimed, machines_dir, places_of
from jeos_command import wait_until
from tiny_guest import console_text, type_keys

pytestmark = pytest.mark.vm
DEADLINE = 30.0  # seconds, on a host with much else to do


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a runtime folder that knows what this host's passt is worth, so that it is tried once."""
    folder = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JEOS_RUNTIME_DIR", str(folder))
        passt.complaint()
    return folder


@pytest.fixture(autouse=True)
def own_folders(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("JEOS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("JEOS_RUNTIME_DIR", str(tmp_path / "run"))
    shutil.copytree(measured, tmp_path / "run")
    before = set((tmp_path / "run").iterdir())
    yield
    for seen in session.all_seen():
        session.remove(seen.machine.name, force=True)
    assert list(machines_dir().iterdir()) == []
    assert set((tmp_path / "run").iterdir()) == before


@pytest.fixture
def tiny(tmp_path: Path) -> Machine:
    return tiny_guest.machine(tmp_path)


def state(name: str = "tiny") -> State:
    return session.seen(name).state


def gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_run_shows_a_machine_that_lives_and_powers_itself_off(tiny: Machine) -> None:
    started = session.run(tiny)
    assert (started.status, started.boots, started.accelerator) == (Status.RUNNING, 1, "tcg")
    wait_until(lambda: console_text() == b"ready\n")
    type_keys(b"abc")
    wait_until(lambda: console_text() == b"ready\nabc")
    seen = session.seen("tiny")
    assert seen.machine == tiny
    assert seen.memory.guest > 1 << 20 or seen.memory.qemu > 1 << 20
    type_keys(b"o")
    wait_until(lambda: state().status is Status.STOPPED)
    assert state().reason == "the guest powered itself off"
    session.stop("tiny")  # only waits for the supervisor
    assert gone(started.qemu)


def test_reset_by_the_guest_is_another_boot_of_the_same_machine(tiny: Machine) -> None:
    started = session.run(tiny)
    wait_until(lambda: console_text() == b"ready\n")
    type_keys(b"r")
    wait_until(lambda: console_text() == b"ready\nready\n")
    wait_until(lambda: state().boots == 2)
    assert (state().status, state().qemu) == (Status.RUNNING, started.qemu)


def test_console_shows_late_comers_what_was_said(tiny: Machine) -> None:
    session.run(tiny)
    wait_until(lambda: console_text() == b"ready\n")
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(DEADLINE)
        line.connect(str(places_of("tiny").console))
        assert line.recv(100) == b"ready\n"
        line.sendall(b"x")
        assert line.recv(100) == b"x"
        session.stop("tiny", within=0)
        assert line.recv(100) == b""


def test_stop_ends_a_guest_that_does_not_listen(tiny: Machine) -> None:
    started = session.run(tiny)
    stopped = session.stop("tiny", within=0.2)
    assert stopped.status is Status.STOPPED
    assert stopped.reason == "stopped without the guest, which did not power off within 0.2 s"
    assert gone(started.qemu)
    assert gone(started.supervisor)
    assert session.stop("tiny") == stopped


def test_killed_qemu_is_a_failure_with_its_signal(tiny: Machine) -> None:
    started = session.run(tiny)
    os.kill(started.qemu, signal.SIGKILL)
    wait_until(lambda: state().status is Status.FAILED)
    assert state().reason == "QEMU of the machine tiny was killed by signal 9"


def test_killed_supervisor_takes_qemu_along_and_the_list_tells(tiny: Machine) -> None:
    started = session.run(tiny)
    os.kill(started.supervisor, signal.SIGKILL)
    wait_until(lambda: gone(started.qemu))
    wait_until(lambda: state().status is Status.FAILED)
    assert state().reason == session.CRASHED
    assert session.run(tiny).status is Status.RUNNING  # over what the crash left behind


def test_supervisor_told_to_end_stops_the_machine(tiny: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    started = session.run(tiny)
    os.kill(started.supervisor, signal.SIGTERM)
    os.kill(started.qemu, signal.SIGTERM)  # what a host that ends sends to all
    wait_until(lambda: state().status is Status.STOPPED)
    assert state().reason == "stopped with the host"


def test_run_with_a_qemu_that_refuses_says_what_it_said_and_leaves_nothing(tiny: Machine) -> None:
    with pytest.raises(MachineError) as caught:
        session.run(replace(tiny, kernel="/nonexistent"))
    assert caught.value.message.startswith("QEMU of the machine tiny ended with status 1\n")
    assert "/nonexistent" in caught.value.message
    assert list(machines_dir().iterdir()) == []


def test_run_of_a_running_machine_is_refused(tiny: Machine) -> None:
    session.run(tiny)
    with pytest.raises(MachineError, match="the machine tiny is in use by another jeos"):
        session.run(tiny)
    assert state().status is Status.RUNNING


RACE = """
import sys
from pathlib import Path
import boot_sectors
import tiny_guest
from jeos.core.errors import MachineError
from jeos.vm import disks, passt, session
from jeos.vm.firmware import find
machine = tiny_guest.machine(Path(sys.argv[1]))
sys.stdin.readline()
try:
    session.run(machine)
except MachineError as error:
    sys.exit(error.message)
"""


def test_run_by_two_processes_at_once_starts_one(tiny: Machine, tmp_path: Path) -> None:
    tests = str(Path(tiny_guest.__file__).parent)
    environment = {**os.environ, "PYTHONPATH": tests}
    command = [sys.executable, "-c", RACE, str(tmp_path)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    errors = sorted(racer.communicate(timeout=DEADLINE)[1] for racer in racers)
    assert errors == ["", "the machine tiny is in use by another jeos\n"]
    assert state().status is Status.RUNNING


def test_run_with_a_busy_port_names_it_and_leaves_nothing(tiny: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            session.run(replace(tiny, forwards=(Forward(host=port, guest=80),)))
    assert caught.value.message == f"port {port}/tcp on 127.0.0.1 is taken by another program or machine"
    assert list(machines_dir().iterdir()) == []


def test_run_keeps_the_disk_and_refuses_another_image_below_it(tiny: Machine, tmp_path: Path) -> None:
    session.run(tiny)
    session.stop("tiny", within=0)
    overlay = places_of("tiny").disk
    before = overlay.stat().st_ino
    session.run(tiny)
    session.stop("tiny", within=0)
    assert overlay.stat().st_ino == before
    Path(tiny.disk).unlink()
    Path(tiny.disk).write_bytes(bytes(2 << 20))
    anew = tiny_guest.machine(tmp_path)
    with pytest.raises(MachineError, match="the image has been built anew since the machine tiny was made"):
        session.run(anew)
    assert session.run(anew, fresh=True).status is Status.RUNNING


def test_run_lets_the_disk_grow_but_not_shrink(tiny: Machine) -> None:
    with pytest.raises(UsageError, match="a disk of 0 MiB is smaller than what is there, 1 MiB"):
        session.run(replace(tiny, disk_size=512))
    session.run(replace(tiny, disk_size=2 << 20))
    session.stop("tiny", within=0)
    session.run(replace(tiny, disk_size=3 << 20))
    session.stop("tiny", within=0)
    info = subprocess.run(["qemu-img", "info", places_of("tiny").disk], capture_output=True, text=True, check=True)
    assert "virtual size: 3 MiB" in info.stdout


def test_properties_are_in_files_of_the_owner_and_on_no_command_line(tiny: Machine) -> None:
    machine = replace(tiny, properties=("password",))
    started = session.run(machine, values={"password": "correct horse"})
    assert b"correct horse" not in Path(f"/proc/{started.qemu}/cmdline").read_bytes()
    assert b"correct horse" not in Path(f"/proc/{started.supervisor}/cmdline").read_bytes()
    assert b"jeos.property.password" in Path(f"/proc/{started.qemu}/cmdline").read_bytes()
    place = places_of("tiny").credentials / "password"
    assert (place.read_text(), place.stat().st_mode & 0o777) == ("correct horse", 0o600)
    assert session.values(machine) == {"password": "correct horse"}


def test_remove_refuses_a_running_machine_without_force(tiny: Machine) -> None:
    started = session.run(tiny)
    with pytest.raises(MachineError, match="the machine tiny runs"):
        session.remove("tiny")
    session.remove("tiny", force=True)
    assert gone(started.qemu)
    with pytest.raises(MachineError, match="there is no machine tiny"):
        session.remove("tiny")


def test_remove_deletes_a_machine_whose_description_is_damaged(tiny: Machine) -> None:
    session.run(tiny)
    session.stop("tiny", within=0)
    places_of("tiny").machine.write_text("{")
    with pytest.raises(JeosError, match="does not describe a machine"):
        session.seen("tiny")
    session.remove("tiny", force=True)
    assert session.all_seen() == []


def test_damaged_machine_or_state_hides_no_other_and_can_be_removed(tiny: Machine) -> None:
    session.run(tiny)
    session.run(replace(tiny, name="other"))
    places_of("tiny").state.write_text("")  # what a host without power may leave
    assert (state().status, state().reason) == (Status.RUNNING, session.DAMAGED)
    session.stop("tiny", within=0)
    places_of("tiny").state.write_text("")
    assert (state().status, state().reason) == (Status.FAILED, session.DAMAGED)
    places_of("tiny").machine.write_text("{")
    seen = session.all_seen()
    assert [one.machine.name for one in seen] == ["other", "tiny"]
    assert "tiny/machine.json does not describe a machine" in seen[1].state.reason
    session.remove("tiny")
    assert [one.machine.name for one in session.all_seen()] == ["other"]


def test_remove_by_force_ends_a_supervisor_that_hangs(tiny: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LAST_MOMENTS", 0.3)
    started = session.run(tiny)
    os.kill(started.supervisor, signal.SIGSTOP)
    session.remove("tiny", force=True)
    wait_until(lambda: gone(started.supervisor) and gone(started.qemu))
    assert session.all_seen() == []


def test_kill_spares_a_process_that_only_has_the_number(tiny: Machine) -> None:
    session.run(tiny)
    session.stop("tiny", within=0)
    bystander = subprocess.Popen(["sleep", "1000"])
    try:
        places_of("tiny").state.write_text(state_text(replace(state(), supervisor=bystander.pid)))
        session.kill(places_of("tiny"))
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_properties_that_are_no_more_leave_no_file(tiny: Machine) -> None:
    session.run(replace(tiny, properties=("a", "b")), values={"a": "1", "b": "2"})
    session.stop("tiny", within=0)
    session.run(replace(tiny, properties=("b",)), values={"b": "3"})
    assert {path.name: path.read_text() for path in places_of("tiny").credentials.iterdir()} == {"b": "3"}


def test_run_from_firmware_reaches_the_boot_manager_with_variables_of_its_own(tiny: Machine) -> None:
    session.run(replace(tiny, boot=Boot.FIRMWARE, memory=128))
    wait_until(lambda: b"BdsDxe" in console_text())
    session.stop("tiny", within=0)
    firmware = find()
    assert places_of("tiny").nvram.stat().st_size == firmware.variables.stat().st_size
    session.run(replace(tiny, boot=Boot.FIRMWARE, memory=128))


def test_run_with_a_bios_and_a_second_disk(tiny: Machine, tmp_path: Path) -> None:
    disk, more = tmp_path / "old.raw", tmp_path / "more.raw"
    disk.write_bytes(boot_sectors.saying("ready\n"))
    more.write_bytes(bytes(1 << 20))
    other = OtherDisk(path=str(more), fingerprint=disks.fingerprint(more))
    old = replace(
        tiny,
        boot=Boot.BIOS,
        disk=str(disk),
        disk_fingerprint=disks.fingerprint(disk),
        other_disks=(other,),
        macs=("00:50:56:9a:00:01", "00:50:56:9a:00:02"),
        memory=64,
    )
    session.run(old)
    wait_until(lambda: b"ready" in console_text())
    session.stop("tiny", within=0)
    assert places_of("tiny").other_disk(0).exists()
    more.write_bytes(bytes(2 << 20))
    with pytest.raises(MachineError, match="built anew"):
        session.run(old)


def test_twenty_starts_and_stops_leave_nothing_behind(tiny: Machine, tmp_path: Path) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    processes = []
    port = 0
    for _ in range(20):
        started = session.run(replace(tiny, forwards=(Forward(host=port, guest=80),)))
        port = started.forwards[0].host  # the same again: it must be free
        processes += [started.qemu, started.supervisor]
        assert session.stop("tiny", within=0).status is Status.STOPPED
    wait_until(lambda: all(gone(process) for process in processes))
    assert not claimed(places_of("tiny"))
    assert sorted(path.name for path in places_of("tiny").folder.iterdir()) == [
        "console.log",
        "disk.qcow2",
        "lock",
        "machine.json",
        "qemu.log",
        "state.json",
        "supervisor.log",
    ]
    assert places_of("tiny").supervisor_log.read_bytes() == b""
    assert len(os.listdir("/proc/self/fd")) <= descriptors  # fewer, if an earlier test's were collected meanwhile
    with socket.create_server(("127.0.0.1", port)):
        pass
