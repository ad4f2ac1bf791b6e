"""A release on trial: kept when it is well, left when it is not, with the reason; through cuts and hangs."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from guest_disk import NEW, OLD, VERSIONS, GuestDisk, kernel_image
from jeos.update import confirm, kernels, state
from jeos.update.confirm import Machine, Place
from jeos.update.state import Failure, State, Trial

TRIAL = Trial(version="1.1", root_hash=NEW, previous="1.0", previous_hash=OLD, target="ff" * 32)


class CutError(Exception):
    """The power fails."""


class RestartError(Exception):
    """The machine restarts: nothing goes on."""


@dataclass
class Guest:
    """A guest whose clock goes when it sleeps; `well` tells by the time since boot why it is not well."""

    disk: GuestDisk
    well: Callable[[float], Sequence[str]] = lambda now: ()
    troubled: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    now: float = 0.0
    said: list[str] = field(default_factory=list)
    left: list[float] = field(default_factory=list)  # when it restarted

    def machine(self) -> Machine:
        def restart() -> None:
            self.left.append(self.now)
            raise RestartError

        def sleep(seconds: float) -> None:
            self.now += seconds

        return Machine(
            restart=restart,
            complaints=lambda: self.well(self.now),
            troubled=lambda: self.troubled,
            words=lambda: "the last words of the log",
            uptime=lambda: self.now,
            sleep=sleep,
        )

    def place(self, running: str) -> Place:
        return Place(
            version=VERSIONS[running],
            root_hash=running,
            esp=self.disk.mounted,
            folder=str(self.disk.state),
            etc=str(self.disk.folder / "etc"),
            hooks=str(self.disk.folder / "hooks"),
            root=str(self.disk.folder / "root"),
        )

    def boot(self, *, hold: float = 60.0) -> str:
        """Start what the boot loader chooses, with what happens in each start; return what runs in the end."""
        for _ in range(6):
            running = self.disk.start()
            self.now = 10.0
            with suppress(RestartError):
                self.said.append(confirm.begin(self.place(running), self.machine(), keep=self.keep))
                self.said.append(confirm.confirm(self.place(running), self.machine(), hold=hold))
                return running
        raise AssertionError("it restarts for ever")

    def hang(self, *, early: bool) -> None:
        """Start what the boot loader chooses, and let it hang until a watchdog or somebody restarts it."""
        running = self.disk.start()
        if not early:
            confirm.begin(self.place(running), self.machine(), keep=self.keep)

    @property
    def state(self) -> State:
        return state.read(str(self.disk.state))


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[Guest]:
    """A guest with 1.1 in its other slot, to be tried at the next start."""
    disk = GuestDisk(tmp_path).make()
    source = tmp_path / "new.efi"
    source.write_bytes(kernel_image(NEW))
    state.change(lambda now: State(trial=TRIAL), folder=str(disk.state))
    kernels.install(str(disk.esp), str(source), name="hello", version="1.1", root_hash=NEW)
    yield Guest(disk)


def hook(guest: Guest, name: str, text: str) -> None:
    path = guest.disk.folder / "hooks" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_release_that_is_well_is_kept(guest: Guest) -> None:
    assert guest.boot() == NEW
    assert guest.disk.names() == ["hello_1.0.efi", "hello_1.1.efi"]
    assert guest.state == State(confirmed="1.1", previous="1.0")
    assert guest.now == 70.0, "it was held for a minute"
    assert not (guest.disk.state / state.TRIAL_MARK).exists()
    assert guest.boot() == NEW
    assert guest.said[-2:] == ["no release is on trial", "no release is on trial"]


def test_a_release_that_is_well_after_a_while_is_kept(guest: Guest) -> None:
    guest.well = lambda now: ["web: connection refused"] if now < 100 else ()
    assert guest.boot() == NEW
    assert guest.state.confirmed == "1.1"


def test_a_release_that_is_not_well_is_left_with_the_reason(guest: Guest) -> None:
    guest.well = lambda now: ["web: connection refused"] if guest.disk.starts[-1] == NEW else ()
    assert guest.boot() == OLD
    assert guest.disk.starts == [NEW, OLD]
    assert guest.disk.names() == ["hello_1.0.efi", "hello_1.1+0-3.efi"]
    failure = guest.state.failure(NEW)
    assert failure is not None
    assert (failure.version, failure.reason, failure.log) == (
        "1.1",
        "web: connection refused",
        "the last words of the log",
    )
    assert failure.target == TRIAL.target
    assert guest.state.trial is None
    assert guest.boot() == OLD
    assert len(guest.state.failures) == 1


def test_a_release_that_is_well_now_and_then_is_left(guest: Guest) -> None:
    guest.well = lambda now: ["web: no"] if now % 40 < 5 and guest.disk.starts[-1] == NEW else ()
    assert guest.boot() == OLD


def test_a_unit_that_fails_is_held_against_the_release_unless_it_had_failed_before(guest: Guest) -> None:
    guest.troubled = ("bad.service",)
    assert guest.boot() == OLD
    assert getattr(guest.state.failure(NEW), "reason", "") == "bad.service has failed"


@pytest.mark.parametrize(("hold", "seconds"), [(60.0, 60), (0.0, 12)])
def test_a_unit_that_has_failed_for_good_is_not_waited_for_longer(guest: Guest, hold: float, seconds: int) -> None:
    guest.troubled = ("bad.service",)
    assert guest.boot(hold=hold) == OLD
    assert guest.left == [10 + seconds]


def test_a_unit_that_has_failed_and_is_started_again_may_still_be_well(guest: Guest) -> None:
    def well(now: float) -> Sequence[str]:
        guest.troubled = ("slow.service",) if now < 60 else ()
        return guest.troubled

    guest.well = well
    assert guest.boot() == NEW
    assert guest.left == []


def test_a_unit_that_had_failed_before_is_not_held_against_the_release(guest: Guest) -> None:
    state.change(lambda now: State(trial=replace(TRIAL, troubled=("bad.service",))), folder=str(guest.disk.state))
    guest.troubled = ("bad.service",)
    assert guest.boot() == NEW


@pytest.mark.parametrize(
    ("early", "reason"),
    [(True, "it never came as far as its first service"), (False, "it stopped or hung before its health was proved")],
)
def test_a_release_that_panics_or_hangs_is_left_when_its_starts_are_used_up(
    guest: Guest, early: bool, reason: str
) -> None:
    for _ in range(3):
        guest.hang(early=early)
    assert guest.boot() == OLD
    failure = guest.state.failure(NEW)
    assert failure is not None
    assert failure.reason.startswith(reason)
    assert "(3 starts)" in failure.reason


def test_the_last_known_complaint_is_in_the_reason_of_a_release_that_stopped(guest: Guest) -> None:
    def well(now: float) -> Sequence[str]:
        if now > 20 and guest.disk.starts[-1] == NEW:
            raise RestartError  # without a word, as a panic does
        return ["database: not there yet"]

    guest.well = lambda now: well(now) if guest.disk.starts[-1] == NEW else ()
    assert guest.boot() == OLD
    failure = guest.state.failure(NEW)
    assert failure is not None
    assert failure.reason.endswith("it lacked: database: not there yet")


def test_migrations_run_once_before_the_release_is_tried(guest: Guest) -> None:
    hook(guest, "1.0-old", "false")
    hook(guest, "1.1-move", f'echo "$JEOS_FROM $JEOS_TO" >> {guest.disk.folder}/ran')
    hook(guest, "1.2-later", "false")
    guest.hang(early=False)
    assert guest.boot() == NEW
    assert (guest.disk.folder / "ran").read_text() == "1.0 1.1\n"
    assert guest.state.hooks == ("1.1-move",)


def test_a_migration_that_fails_takes_the_machine_back_at_once(guest: Guest) -> None:
    hook(guest, "1.1-move", "echo cannot; exit 1")
    assert guest.boot() == OLD
    assert guest.disk.starts == [NEW, OLD]
    failure = guest.state.failure(NEW)
    assert failure is not None
    assert failure.reason == "its data could not be migrated: 1.1-move ended with status 1; it said: cannot"


def test_data_comes_back_with_the_old_release_and_migrations_count_as_not_run(guest: Guest) -> None:
    app = guest.disk.folder / "root/var/lib/app"
    app.mkdir(parents=True)
    (app / "db").write_text("old")
    (guest.disk.folder / "etc/upper/app.conf").write_text("old")
    hook(guest, "1.1-move", f"echo new > {app}/db; echo new > {guest.disk.folder}/etc/upper/app.conf")
    guest.keep = ("/var/lib/app",)
    guest.well = lambda now: ["web: no"] if guest.disk.starts[-1] == NEW else ()
    assert guest.boot() == OLD
    assert (app / "db").read_text() == "old"
    assert guest.disk.starts == [NEW, OLD, OLD], "what changed in /etc comes back with one more start"
    assert (guest.disk.folder / "etc/upper.next/app.conf").read_text() == "old"
    assert guest.state.hooks == ()
    assert not (guest.disk.state / "snapshot").exists()


def test_a_snapshot_is_gone_once_the_release_is_kept(guest: Guest) -> None:
    (guest.disk.folder / "root/var/lib/app").mkdir(parents=True)
    guest.keep = ("/var/lib/app",)
    assert guest.boot() == NEW
    assert not (guest.disk.state / "snapshot").exists()


def test_a_release_that_was_never_put_in_place_is_no_failure(guest: Guest) -> None:
    (guest.disk.esp / "EFI/Linux/hello_1.1+3.efi").unlink()
    assert guest.boot() == OLD
    assert guest.said[0] == "1.1 was never put in place"
    assert guest.state == State()


def test_a_release_that_was_not_started_yet_still_waits(guest: Guest) -> None:
    said = confirm.begin(guest.place(OLD), guest.machine())
    assert said == "1.1 waits for its first start"
    assert guest.state.trial == TRIAL


def test_without_a_way_back_the_machine_stays_up_and_says_so(guest: Guest) -> None:
    (guest.disk.esp / "EFI/Linux/hello_1.0.efi").unlink()
    guest.well = lambda now: ["web: no"]
    assert guest.boot() == NEW
    assert guest.said[-1] == "1.1 is not well, but there is no release to go back to: web: no"
    assert guest.state.failures == ()


def test_a_trial_whose_state_was_lost_is_kept_or_left_by_its_counter(guest: Guest) -> None:
    state.change(lambda now: State(), folder=str(guest.disk.state))
    assert guest.boot() == NEW
    assert guest.disk.names() == ["hello_1.0.efi", "hello_1.1.efi"]
    assert guest.state.confirmed == "1.1"


def test_a_failure_that_was_written_down_before_the_power_went_counts(guest: Guest) -> None:
    failure = Failure("1.1", NEW, "web: no", 5.0, target="ff" * 32)
    state.change(lambda now: now.with_failure(failure), folder=str(guest.disk.state))
    assert guest.boot() == OLD
    assert guest.state.failures == (failure,)


def cut_at(monkeypatch: pytest.MonkeyPatch, step: int) -> list[int]:
    """Let the power fail before an operation that changes the disk; the list has how many there are left."""
    left = [step]
    for name in ("rename", "unlink", "link", "fsync", "mkdir"):
        real = getattr(os, name)

        def operation(*arguments: object, real: object = real, **more: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise CutError
            return real(*arguments, **more)  # type: ignore[operator]

        monkeypatch.setattr(os, name, operation)
    return left


@pytest.mark.parametrize("good", [True, False])
def test_a_trial_cut_at_any_step_ends_as_it_would_have(
    guest: Guest, monkeypatch: pytest.MonkeyPatch, good: bool
) -> None:
    app = guest.disk.folder / "root/var/lib/app"
    app.mkdir(parents=True)
    (app / "db").write_text("old")
    hook(guest, "1.1-move", f"echo new > {app}/db")
    guest.keep = ("/var/lib/app",)
    guest.well = lambda now: ["web: no"] if guest.disk.starts[-1] == NEW and not good else ()
    kept = {path: path.read_bytes() for path in sorted(guest.disk.folder.rglob("*")) if path.is_file()}
    step, left = int(good), [0]
    while left[0] <= 0:
        step += 2  # the other half of the steps is in the other test
        reset(guest, kept)
        with monkeypatch.context() as patched:
            left = cut_at(patched, step)
            with suppress(CutError):
                guest.boot()
        running = guest.boot()
        assert running == (NEW if good else OLD)
        assert (app / "db").read_text() == ("new\n" if good else "old")
        assert guest.state.trial is None
        assert [failure.version for failure in guest.state.failures] == ([] if good else ["1.1"])
    assert step > 20


def reset(guest: Guest, kept: dict[Path, bytes]) -> None:
    """Make everything as it was before the first start."""
    for path in guest.disk.state.glob("snapshot*"):
        shutil.rmtree(path)
    for folder in (guest.disk.state, guest.disk.esp / "EFI/Linux"):
        for path in folder.iterdir():
            path.unlink()
    for path, data in kept.items():
        path.write_bytes(data)
