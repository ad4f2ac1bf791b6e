"""Machines as domains of a real libvirt, from their start to their end, with a guest of 70 bytes."""

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import tiny_guest
from jeos.core.errors import HostError, JeosError, MachineError, UsageError
from jeos.model.machine import Forward, Limits, Machine, Share, State, Status
from jeos.vm import begin, saves, session, share
from jeos.vm.domains import alone
from jeos.vm.domains.library import Host, connected
from jeos.vm.places import places_of
from jeos_command import wait_until
from libvirt_daemon import session_libvirt
from tiny_guest import console_text, type_keys

pytestmark = [pytest.mark.vm, pytest.mark.usefixtures("own_machines")]
NAME = "jeos-tiny"


@pytest.fixture(scope="module")
def uri() -> Iterator[str]:
    with session_libvirt() as found:
        yield found


@pytest.fixture(params=["qemu", "libvirt"])
def any_engine(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "qemu" else str(request.getfixturevalue("uri"))


@pytest.fixture
def host(uri: str) -> Iterator[Host]:
    with connected(uri) as found:
        yield found


@pytest.fixture
def tiny(tmp_path: Path, uri: str) -> Machine:
    # A QEMU of libvirt's is known by its machine's UUID, which guests of tests beside this one must not have.
    return replace(tiny_guest.machine(tmp_path), engine=uri, uuid=str(uuid.uuid4()))


def state() -> State:
    return session.state("tiny")


def say(text: bytes) -> None:
    """Type on the console, and wait until the guest has repeated it."""
    before = console_text()
    type_keys(text)
    wait_until(lambda: console_text() == before + text)


def domains(host: Host) -> list[str]:
    return [one.name() for one in host.listAllDomains()]  # type: ignore[attr-defined]


def test_every_engine_runs_pauses_saves_loads_and_stops(tmp_path: Path, any_engine: str) -> None:
    tiny = replace(tiny_guest.machine(tmp_path), engine=any_engine)
    started = session.run(tiny)
    assert (started.status, started.boots, started.accelerator) == (Status.RUNNING, 1, "tcg")
    wait_until(lambda: console_text() == b"ready\n")
    say(b"abc")
    assert session.seen("tiny").machine == tiny
    assert session.seen("tiny").memory.qemu > 1 << 20
    session.pause("tiny")
    assert (state().status, state().reason) == (Status.PAUSED, "paused")
    with pytest.raises(MachineError, match="stands still"):
        session.require_running("tiny")
    session.resume("tiny")
    assert state().status is Status.RUNNING
    saves.save("tiny", "one", stop=False)
    say(b"d")  # the same guest, which did not boot again
    saves.save("tiny", "two", stop=True)
    assert (state().status, state().reason) == (Status.STOPPED, "saved as tiny@two")
    assert [one.name for one in saves.listed("tiny")] == ["two", "one"]
    assert saves.load("tiny", "two", force=False).status is Status.RUNNING
    say(b"e")
    saves.remove("tiny", "two")
    with pytest.raises(UsageError, match="would be lost"):
        saves.load("tiny", "one", force=False)
    saves.load("tiny", "one", force=True)
    say(b"f")
    assert [one.name for one in saves.listed("tiny")] == ["one"]
    stopped = session.stop("tiny", within=0.2)
    assert stopped.reason == "stopped without the guest, which did not power off within 0.2 s"
    assert not Path(f"/proc/{stopped.qemu}").exists()
    session.remove("tiny")
    assert session.all_seen() == []


def test_domain_is_libvirts_from_the_start_to_the_removal(tiny: Machine, host: Host) -> None:
    session.run(replace(tiny, forwards=(Forward(0, 80),)))
    assert domains(host) == [NAME]
    with pytest.raises(MachineError, match="in use"):
        session.run(tiny)
    session.stop("tiny", within=0)
    assert domains(host) == [NAME]  # defined, for whoever looks at it with other tools
    session.remove("tiny")
    assert domains(host) == []


@pytest.mark.parametrize("kind", ["9p", "virtiofs"])
def test_folders_are_served_and_keep_a_machine_from_being_saved(
    tiny: Machine, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JEOS_SHARING", kind)
    if share.choose().kind != kind:
        pytest.skip(f"this host has no {kind} for us: {share.choose()}")
    for name in ("open", "locked"):
        (tmp_path / name).mkdir()
    shares = (Share(str(tmp_path / "open"), "/mnt/a"), Share(str(tmp_path / "locked"), "/mnt/b", read_only=True))
    started = session.run(replace(tiny, shares=shares))
    assert started.sharing.startswith(kind)
    words = Path(f"/proc/{started.qemu}/cmdline").read_bytes().decode().split("\0")
    if kind == "9p":
        served = [word for word in words if "fsdriver" in word or word.startswith("local,")]
        assert [(one.count("none"), "readonly" in one) for one in served] == [(1, False), (1, True)]
    else:
        assert len([word for word in words if "vhost-user-fs-pci" in word]) == 2
    with pytest.raises(MachineError, match="sees folders of this host"):
        saves.save("tiny", "one", stop=False)
    session.stop("tiny", within=0)


@pytest.mark.root
def test_a_tap_device_of_the_host_is_the_machines(tiny: Machine) -> None:
    name = f"jeos{os.getpid() % 100000}"
    with pytest.raises(HostError, match=f"no tap device {name}"):
        session.run(replace(tiny, tap=name))
    subprocess.run(["ip", "tuntap", "add", name, "mode", "tap"], check=True)
    try:
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        carrier = Path(f"/sys/class/net/{name}/carrier")
        assert carrier.read_text() == "0\n"
        assert session.run(replace(tiny, tap=name)).network == "tap"
        assert carrier.read_text() == "1\n"  # somebody is at its other end
        session.stop("tiny", within=0)
    finally:
        subprocess.run(["ip", "tuntap", "del", name, "mode", "tap"], check=True)


def test_a_lost_supervisor_leaves_the_machine_and_the_next_verb_takes_it_up(tiny: Machine) -> None:
    started = session.run(replace(tiny, forwards=(Forward(0, 80),)))
    wait_until(lambda: console_text() == b"ready\n")
    os.kill(started.supervisor, signal.SIGKILL)
    wait_until(lambda: state().reason == alone.ALONE)
    assert state().status is Status.RUNNING
    with pytest.raises(MachineError, match="runs already"):
        session.run(tiny)
    taken = session.require_running("tiny")
    assert (taken.qemu, taken.forwards, taken.accelerator) == (started.qemu, started.forwards, "tcg")
    assert taken.supervisor != started.supervisor
    say(b"a")


def test_what_others_do_through_libvirt_is_seen(tiny: Machine, host: Host) -> None:
    session.run(tiny)
    domain = host.lookupByName(NAME)
    domain.suspend()
    wait_until(lambda: state().status is Status.PAUSED)
    domain.resume()
    wait_until(lambda: state().status is Status.RUNNING)
    wait_until(lambda: console_text() == b"ready\n")
    domain.reset(0)  # type: ignore[attr-defined]
    wait_until(lambda: console_text() == b"ready\nready\n")
    wait_until(lambda: state().boots == 2)
    domain.destroy()
    wait_until(lambda: state().status is Status.STOPPED)
    assert state().reason == "ended through libvirt"
    session.stop("tiny")  # only waits for the supervisor
    places_of("tiny").inside.mkdir(parents=True)
    domain.createWithFlags(0)
    assert (state().status, state().reason) == (Status.RUNNING, alone.ALONE)
    session.end("tiny")
    assert not domain.isActive()


def test_killed_qemu_is_a_failure(tiny: Machine) -> None:
    started = session.run(tiny)
    os.kill(started.qemu, signal.SIGKILL)
    wait_until(lambda: state().status is Status.FAILED)
    assert state().reason == "the machine tiny ended: libvirt says that its QEMU failed"


def test_a_start_that_libvirt_refuses_says_why_and_leaves_nothing(tiny: Machine, host: Host) -> None:
    Path(tiny.kernel).write_bytes(b"no kernel")
    with pytest.raises(MachineError, match=r"libvirt: .*(kernel|monitor)"):
        session.run(tiny)
    assert session.all_seen() == []


def test_a_start_that_is_given_up_leaves_no_domain(tiny: Machine, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(descriptor: int) -> bytes:
        wait_until(lambda: domains(host) == [NAME])  # in the midst of what libvirt does
        raise MachineError("did not start in time")

    monkeypatch.setattr(begin, "_read_line", give_up)
    with pytest.raises(MachineError, match="did not start in time"):
        session.run(tiny)
    assert domains(host) == []
    assert session.all_seen() == []


def test_a_stopped_machine_changes_its_engine_also_to_the_one_that_it_was_saved_on(tiny: Machine, host: Host) -> None:
    session.run(tiny)
    session.stop("tiny", within=0)
    session.run(replace(tiny, engine=""))
    assert domains(host) == []
    assert session.seen("tiny").machine.engine == ""
    saves.save("tiny", "own", stop=True)
    session.run(tiny)
    assert domains(host) == [NAME]
    saves.load("tiny", "own", force=True)
    assert domains(host) == []
    assert session.seen("tiny").machine.engine == ""


def test_what_cannot_be_done_is_refused_before_anything_is_made(tiny: Machine, host: Host) -> None:
    with pytest.raises(UsageError, match="held to limits"):
        session.run(replace(tiny, limits=Limits(cpu=50)))
    assert session.all_seen() == []
    assert domains(host) == []


def test_a_libvirt_that_does_not_answer_is_an_error_and_leaves_nothing(tiny: Machine, tmp_path: Path) -> None:
    gone = replace(tiny, engine=f"qemu:///session?socket={tmp_path}/none")
    with pytest.raises(JeosError, match="does not answer"):
        session.run(gone)
    assert session.all_seen() == []
