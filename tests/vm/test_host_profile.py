import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

import tiny_guest
from jeos.backup import running
from jeos.core.errors import InputError
from jeos.model.machine import Status
from jeos.model.tuning import USUAL, Engine, Profile, Tuning, parse_profile, profile_text
from jeos.store.places.folder import FolderPlace
from jeos.store.vault import Vault
from jeos.vm import host_profile, session

ALL = Tuning(engine=Engine.IO_URING, direct=True, iothread=True, huge=True, packed=True)
PROFILE = Profile(ALL, taken=1_700_000_000, kernel="6.1.0", qemu="7-8")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JEOS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(host_profile, "measured_with", lambda: ("6.1.0", "7-8"))
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(4096))
    return path


def able(monkeypatch: pytest.MonkeyPatch, *, io_uring: str = "", pages: int = 1 << 20, direct: bool = True) -> None:
    monkeypatch.setattr(host_profile, "io_uring_complaint", lambda: io_uring)
    monkeypatch.setattr(host_profile, "free_huge_pages", lambda: pages)
    monkeypatch.setattr(host_profile, "around_the_cache", lambda path: direct)


def test_profile_is_what_was_written() -> None:
    assert parse_profile(profile_text(PROFILE), source="it") == PROFILE


@pytest.mark.parametrize(
    "change",
    [{"engine": "steam"}, {"direct": "yes"}, {"huge": None}],
)
def test_damaged_profile_is_refused(change: dict[str, object]) -> None:
    fields = json.loads(profile_text(PROFILE))
    fields["tuning"] |= change
    with pytest.raises(InputError, match="it is not a host's profile"):
        parse_profile(json.dumps(fields), source="it")


def test_profile_from_before_a_setting_was_known_holds() -> None:
    fields = json.loads(profile_text(PROFILE))
    del fields["tuning"]["packed"]
    assert parse_profile(json.dumps(fields), source="it").tuning == replace(ALL, packed=False)


def test_machine_starts_as_usual_without_a_profile(disk: Path) -> None:
    assert host_profile.tuning_for([disk], memory=256) == USUAL
    assert not host_profile.remove()


def test_machine_starts_by_the_profile(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    able(monkeypatch)
    host_profile.write(PROFILE)
    assert host_profile.tuning_for([disk], memory=256) == ALL
    assert host_profile.remove()
    assert host_profile.tuning_for([disk], memory=256) == USUAL


@pytest.mark.parametrize("content", [b"{", b"\xff\xff", b'{"tuning": 3}'])
def test_damaged_profile_keeps_no_machine_from_starting(
    disk: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    host_profile.place().parent.mkdir(parents=True)
    host_profile.place().write_bytes(content)
    assert host_profile.tuning_for([disk], memory=256) == USUAL
    assert "is not a host's profile" in capfd.readouterr().err


@pytest.mark.parametrize(("other", "why"), [({"kernel": "6.2.0"}, "kernel 6.2.0"), ({"qemu": "9-9"}, "another QEMU")])
def test_profile_of_another_kernel_or_qemu_is_not_used(disk: Path, other: dict[str, str], why: str) -> None:
    profile = replace(PROFILE, **other)  # type: ignore[arg-type]
    host_profile.write(profile)
    assert why in host_profile.stale(profile)
    assert host_profile.tuning_for([disk], memory=256) == USUAL


def test_what_the_host_cannot_give_is_left_out(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    able(monkeypatch, io_uring="Operation not permitted")
    assert host_profile.possible(ALL, [disk], memory=256) == replace(ALL, engine=Engine.THREADS)
    able(monkeypatch, pages=127)
    assert host_profile.possible(ALL, [disk], memory=256) == replace(ALL, huge=False)
    able(monkeypatch, pages=128)
    assert host_profile.possible(ALL, [disk], memory=256) == ALL
    able(monkeypatch, direct=False)
    native = replace(ALL, engine=Engine.NATIVE)
    assert host_profile.possible(native, [disk], memory=256) == replace(native, direct=False, engine=Engine.THREADS)


def test_file_that_is_not_there_is_not_read_around_the_cache(tmp_path: Path) -> None:
    assert not host_profile.around_the_cache(tmp_path / "nothing")


@pytest.mark.vm
@pytest.mark.usefixtures("own_machines")
@pytest.mark.parametrize("engine", list(Engine))
def test_machine_runs_by_a_profile_and_can_be_backed_up(engine: Engine, tmp_path: Path) -> None:
    kernel, qemu = host_profile.measured_with()
    wanted = Tuning(engine=engine, direct=engine is Engine.NATIVE, iothread=True)
    host_profile.write(Profile(wanted, taken=0, kernel=kernel, qemu=qemu))
    machine = tiny_guest.machine(tmp_path)
    Path(machine.disk).write_bytes(os.urandom(1 << 20))
    machine = tiny_guest.machine(tmp_path)
    possible = host_profile.possible(wanted, [Path(machine.disk)], memory=machine.memory)
    state = session.run(machine)
    words = Path(f"/proc/{state.qemu}/cmdline").read_bytes().split(b"\0")
    assert (b"iothread,id=disks" in words) == possible.iothread
    assert any(f"aio={engine}".encode() in word for word in words) == (possible.engine is not Engine.THREADS)
    vault = Vault.create(FolderPlace(tmp_path / "vault"))
    for _ in range(2):  # the second one by the bitmap
        point = running.create(vault, machine.name, freeze=False)
    assert point.disks[0].manifest.size == 1 << 20
    assert session.state(machine.name).status is Status.RUNNING
