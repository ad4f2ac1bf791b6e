"""A pass over a signed channel: what is decided, fetched, noted, and what happens when it goes wrong."""

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import channel_keys
from channel_keys import Clock
from jeos.channel.change import Keys
from jeos.model import release as releases
from jeos.model.release import Blob, Patch, Release, System
from jeos.model.schedule import Windows, minute_of_week
from jeos.trust.repository import Expiry, Folder, Repository
from jeos.update import fetch, record, run, state
from jeos.update.errors import BusyError, RebuildError, RoomError
from jeos.update.fetch import Channel
from jeos.update.fetch_http import HttpChannel
from jeos.update.run import Guest, Outcome, Wish
from jeos.update.settings import Settings
from jeos.update.state import Failure, Trial
from scripted_server import serving, static

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()  # a Monday
DAY = 86400.0
RUNNING, OTHER = "aa" * 32, "bb" * 32
PATCH = b"a patch" * 100
UUID = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def keys() -> Keys:
    """A vendor's keys."""
    return channel_keys.vendor(clock=Clock(NOW)).keys()


def blob(data: bytes) -> Blob:
    return Blob(hashlib.sha256(data).hexdigest(), len(data))


def release(version: str, *, patch: bool = True) -> Release:
    system = System(size=4096, uuid=UUID, label="hello", time=0, hashes_size=4096, hashes_uuid=UUID, salt="")
    return Release(
        name="hello",
        version=version,
        architecture="amd64",
        date=0,
        root_hash=OTHER,
        system=system,
        kernel=blob(b"kernel"),
        index=blob(b"index"),
        packs=(),
        patches=(Patch(RUNNING, "1.0", blob(PATCH)),) if patch else (),
    )


@dataclass
class Vendor:
    """A vendor with a channel in a folder."""

    folder: Path
    keys: Keys

    def publish(self, *all_of_them: Release, custom: Mapping[str, object] | None = None, at: float = NOW) -> None:
        """Offer releases."""
        repository = Repository.open(Folder(self.folder), roots=self.keys.roots)
        for one in all_of_them:
            said = {"version": one.version, **(custom or {})}
            repository.add_target(f"releases/{one.name}_{one.version}.json", releases.dump(one), custom=said)
        repository.commit(self.keys.signers, now=at)
        place = self.folder / fetch.blob_path(blob(PATCH))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(PATCH)

    def decide(self, version: str, *, at: float = NOW, **custom: object) -> None:
        """Say something else of a release."""
        repository = Repository.open(Folder(self.folder), roots=self.keys.roots)
        repository.set_custom(f"releases/hello_{version}.json", {"version": version, **custom})
        repository.commit(self.keys.signers, now=at)


@dataclass
class Happened:
    """What was done to the machine."""

    installed: list[tuple[str, bytes | None]] = field(default_factory=list)
    withdrawn: int = 0
    restarts: int = 0
    said: list[str] = field(default_factory=list)
    fail: Callable[[bytes | None], None] = lambda patch: None


@dataclass
class Machine:
    """A machine whose slots are a note of what was put into them."""

    guest: Guest
    settings: Settings
    happened: Happened

    def run(self, wish: Wish = Wish.ASKED, **settings: object) -> Outcome:
        """Make a pass."""
        return run.run(self.guest, replace(self.settings, **settings), wish)  # type: ignore[arg-type]

    def at(self, moment: float) -> "Machine":
        """Return the machine at another time."""
        return replace(self, guest=replace(self.guest, now=lambda: moment))


@pytest.fixture
def vendor(tmp_path: Path, keys: Keys) -> Vendor:
    """A vendor who has published 1.0."""
    one = Vendor(tmp_path / "channel", keys)
    one.publish(release("1.0", patch=False))
    return one


@pytest.fixture
def machine(tmp_path: Path, vendor: Vendor) -> Machine:
    """A machine that runs 1.0."""
    happened = Happened()
    folder = str(tmp_path / "state")

    def install(release: Release, *, patch: str | None, channel: Channel, settings: Settings, target: str) -> object:
        data = Path(patch).read_bytes() if patch else None
        happened.fail(data)
        happened.installed.append((release.version, data))
        trial = Trial(release.version, release.root_hash, "1.0", RUNNING, target=target)
        return state.change(lambda old: replace(old, trial=trial), folder=folder)

    def withdraw() -> None:
        happened.withdrawn += 1
        state.change(lambda old: replace(old, trial=None), folder=folder)

    def restart() -> None:
        happened.restarts += 1

    guest = Guest(
        name="hello",
        version="1.0",
        root_hash=RUNNING,
        identity="0123456789abcdef0123456789abcdef",
        root=vendor.keys.roots[0],
        built=NOW - 100 * DAY,
        install=install,
        withdraw=withdraw,
        restart=restart,
        folder=folder,
        now=lambda: NOW,
        say=happened.said.append,
    )
    return Machine(guest, Settings(channel=f"file://{vendor.folder}"), happened)


def agent(machine: Machine) -> Mapping[str, object]:
    return state.read(machine.guest.folder).agent


def test_nothing_new_is_said_and_written_down(machine: Machine) -> None:
    assert machine.run() == Outcome("1.0 is the newest")
    known = agent(machine)
    assert (known["words"], known["error"], known["checked"], known["failures"]) == ("1.0 is the newest", "", NOW, 0)


def test_update_comes_by_its_patch_and_restarts(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    outcome = machine.run()
    assert outcome == Outcome("1.1 is in place, and the machine restarts", version="1.1", changed=True, restarting=True)
    assert machine.happened.installed == [("1.1", PATCH)]
    assert machine.happened.restarts == 1
    assert sorted(os.listdir(machine.guest.folder)) == [
        *(".pass.lock", ".state.json.lock", "metadata", "state.json", "state.json.old", "trial")
    ]


def test_update_over_http(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    files = {str(path.relative_to(vendor.folder)): path.read_bytes() for path in vendor.folder.rglob("*.*")}
    files[fetch.blob_path(blob(PATCH))] = PATCH
    with serving(static(files)) as server:
        assert machine.run(channel=server.address).restarting
        assert (
            machine.run(Wish.CHECK, channel=server.address).words == "1.1 is newer than 1.0 and waits for the restart"
        )
        assert [asked.path for asked in server.asked][-2:] == [
            "/hello/metadata/2.root.json",
            "/hello/metadata/timestamp.json",
        ]
    assert machine.happened.installed == [("1.1", PATCH)]


def test_looking_and_finding_nothing_moves_less_than_two_kilobytes(machine: Machine, vendor: Vendor) -> None:
    files = {str(path.relative_to(vendor.folder)): path.read_bytes() for path in vendor.folder.rglob("*.json")}
    channels: list[HttpChannel] = []

    def open_channel(address: str, **more: Any) -> Channel:
        channel = fetch.open_channel(address, **more)
        assert isinstance(channel, HttpChannel)
        channels.append(channel)
        return channel

    with serving(static(files)) as server:
        guest = replace(machine.guest, open_channel=open_channel)
        for _ in range(2):
            assert (
                run.run(guest, replace(machine.settings, channel=server.address), Wish.ASKED).words
                == "1.0 is the newest"
            )
    assert sum(channels[1].bytes_moved) < 1000
    assert sum(channels[1].bytes_moved) < sum(channels[0].bytes_moved) < 8000


def test_check_changes_nothing(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    assert machine.run(Wish.CHECK) == Outcome("1.1 is newer than 1.0", version="1.1")
    assert machine.happened.installed == []


def test_patch_that_does_not_fit_is_followed_by_packs(machine: Machine, vendor: Vendor) -> None:
    def fail(patch: bytes | None) -> None:
        if patch is not None:
            raise RebuildError("the slot is not what was signed")

    vendor.publish(release("1.1"))
    machine.happened.fail = fail
    assert machine.run().restarting
    assert machine.happened.installed == [("1.1", None)]
    assert "the patch is of no use" in machine.happened.said[1]


def test_patch_that_is_not_there_is_followed_by_packs(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    shutil.rmtree(vendor.folder / "data")
    assert machine.run().restarting
    assert machine.happened.installed == [("1.1", None)]


def test_release_without_a_patch_from_here_comes_from_packs(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1", patch=False))
    assert machine.run().restarting
    assert machine.happened.installed == [("1.1", None)]


def test_failure_is_told_counted_and_tried_again_later(machine: Machine, vendor: Vendor) -> None:
    def fail(patch: bytes | None) -> None:
        raise RoomError("the slot has 10 bytes, and the release needs 20", hint="")

    vendor.publish(release("1.1"))
    machine.happened.fail = fail
    outcome = machine.run(Wish.SCHEDULED)
    assert outcome.words == "failed: the slot has 10 bytes, and the release needs 20"
    assert agent(machine)["failures"] == 1
    later = machine.at(NOW + 60)
    assert later.run(Wish.SCHEDULED).words == outcome.words  # not tried: it is too early
    assert agent(machine)["tried"] == NOW
    machine.happened.fail = lambda patch: None
    assert machine.at(NOW + 150).run(Wish.SCHEDULED).restarting
    assert agent(machine)["failures"] == 0


def test_unreachable_channel_is_told_and_asked_less_and_less(machine: Machine, tmp_path: Path) -> None:
    for failures in range(1, 9):
        assert "there is no metadata/timestamp.json" in machine.run(channel=f"file://{tmp_path}/away").error
        known = agent(machine)
        wait = float(str(known["next"])) - NOW
        assert known["failures"] == failures
        assert 0.89 * min(120 * 2 ** (failures - 1), 21600) < wait < 1.11 * min(120 * 2 ** (failures - 1), 21600)
    assert known["checked"] == 0


def test_scheduled_pass_comes_once_in_its_period(machine: Machine, vendor: Vendor) -> None:
    assert machine.run(Wish.SCHEDULED).words == "1.0 is the newest"
    vendor.publish(release("1.1"))
    assert machine.at(NOW + 5 * 3600).run(Wish.SCHEDULED).words == "1.0 is the newest"
    assert machine.at(NOW + 7 * 3600).run(Wish.SCHEDULED).restarting


def test_scheduled_pass_comes_when_the_clock_went_back(machine: Machine) -> None:
    machine.run(Wish.SCHEDULED)
    machine.at(NOW - 3600).run(Wish.SCHEDULED)
    assert agent(machine)["tried"] == NOW - 3600


def test_restart_waits_for_its_window_without_asking_the_channel(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    minute = minute_of_week(time.localtime(NOW))
    opens = f"{(minute // 60 + 3) % 24:02}:00"
    closes = f"{(minute // 60 + 4) % 24:02}:00"
    windows = Windows.parse(f"{opens}-{closes}")
    outcome = machine.run(windows=windows)
    assert outcome.words.startswith("1.1 is in place, and waits for the window that opens")
    shutil.rmtree(vendor.folder)
    assert machine.at(NOW + 3600).run(Wish.SCHEDULED, windows=windows).restarting is False
    assert machine.at(NOW + 3 * 3600).run(Wish.SCHEDULED, windows=windows).restarting
    assert machine.happened.installed == [("1.1", PATCH)]
    assert machine.happened.restarts == 1


def test_critical_release_does_not_wait(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"), custom={"critical": True})
    minute = minute_of_week(time.localtime(NOW))
    windows = Windows(((minute + 60, 30),))
    assert machine.run(Wish.SCHEDULED, windows=windows).restarting


def test_release_that_waits_and_is_withdrawn_is_taken_back(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    machine.run(restart=False)
    vendor.decide("1.1", withdrawn=True)
    assert machine.run(restart=False).words == "1.1 has been withdrawn"
    assert machine.happened.withdrawn == 1
    assert state.read(machine.guest.folder).trial is None


def test_newer_release_takes_the_place_of_one_that_waits(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    machine.run(restart=False)
    vendor.publish(release("1.2"))
    assert machine.run(restart=False).version == "1.2"
    assert [version for version, _ in machine.happened.installed] == ["1.1", "1.2"]


def test_release_on_trial_and_failed_ones_are_let_be(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    trial = Trial("1.0", RUNNING, "0.9", OTHER)
    state.change(lambda old: replace(old, trial=trial), folder=machine.guest.folder)
    assert machine.run(Wish.NOW).words.startswith("1.0 is on trial")
    target = hashlib.sha256(releases.dump(release("1.1"))).hexdigest()
    failure = Failure("1.1", OTHER, "the page answered 500", target=target)
    state.change(lambda old: replace(old.with_failure(failure), trial=None), folder=machine.guest.folder)
    assert machine.run(Wish.NOW).words == "1.1 failed here: the page answered 500"
    assert machine.happened.installed == []


def test_expired_metadata_stops_updates_and_nothing_else(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    outcome = machine.at(NOW + 40 * DAY).run()
    assert "expired" in outcome.error
    vendor.publish(at=NOW + 40 * DAY)
    assert machine.at(NOW + 40 * DAY).run().restarting


def test_clock_that_is_years_behind_does_not_stop_updates(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    assert machine.at(0.0).run().restarting


def test_channel_signed_by_another_vendor_is_refused(machine: Machine, tmp_path: Path) -> None:
    impostor = Vendor(tmp_path / "impostor", channel_keys.vendor(clock=Clock(NOW)).keys())
    impostor.publish(release("1.1"))
    outcome = machine.run(channel=f"file://{impostor.folder}")
    assert outcome.error
    assert machine.happened.installed == []


def test_description_of_another_release_is_refused(machine: Machine, vendor: Vendor) -> None:
    repository = Repository.open(Folder(vendor.folder), roots=vendor.keys.roots)
    repository.add_target("releases/hello_1.5.json", releases.dump(release("1.1")), custom={"version": "1.5"})
    repository.commit(vendor.keys.signers, now=NOW, expires=Expiry())
    assert machine.run().error == "releases/hello_1.5.json describes hello 1.1"


def test_two_passes_at_once_are_one_too_many(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))

    def fail(patch: bytes | None) -> None:
        with pytest.raises(BusyError):
            machine.run()

    machine.happened.fail = fail
    assert machine.run().restarting


def test_download_for_an_older_release_is_deleted(machine: Machine, vendor: Vendor) -> None:
    Path(machine.guest.folder).mkdir()
    stale = Path(machine.guest.folder, f"{run.PATCH}-{'0' * 64}")
    stale.write_bytes(b"x")
    vendor.publish(release("1.1"))
    machine.run()
    assert not stale.exists()


def test_fault_of_ours_is_told_and_tried_again(
    machine: Machine, vendor: Vendor, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(patch: bytes | None) -> None:
        raise KeyError("surprise")

    vendor.publish(release("1.1"))
    machine.happened.fail = fail
    assert machine.run().words == "failed: KeyError: 'surprise'"
    assert agent(machine)["failures"] == 1
    assert "Traceback" in capsys.readouterr().err


def test_full_disk_is_told_even_where_nothing_can_be_noted(machine: Machine, vendor: Vendor) -> None:
    def fail(patch: bytes | None) -> None:
        shutil.rmtree(machine.guest.folder)
        Path(machine.guest.folder).write_text("in the way")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    vendor.publish(release("1.1"))
    machine.happened.fail = fail
    outcome = machine.run()
    assert (outcome.error, outcome.hint) == ("No space left on device", "free some of the data disk, or enlarge it")
    assert machine.happened.said[-1] == "this cannot be remembered: File exists"


def closed_window() -> Windows:
    """Return a window that opens an hour after NOW, for half an hour."""
    return Windows(((minute_of_week(time.localtime(NOW)) + 60, 30),))


@pytest.mark.parametrize(
    "change",
    [{"pause": "by the operator"}, {"pin": "1.0"}, {"restart": False}],
)
def test_release_that_waits_is_not_started_against_the_operator(
    machine: Machine, vendor: Vendor, change: dict[str, object]
) -> None:
    vendor.publish(release("1.1"))
    machine.run(windows=closed_window())
    assert not machine.at(NOW + 3700).run(Wish.SCHEDULED, windows=closed_window(), **change).restarting
    assert machine.happened.restarts == 0
    assert machine.at(NOW + 3700).run(Wish.SCHEDULED, windows=closed_window()).restarting


def test_release_that_waits_is_not_started_once_its_roll_out_was_halted(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    machine.run(windows=closed_window())
    vendor.decide("1.1", percent=0)
    assert machine.run(windows=closed_window()).words.startswith("1.1 goes to 0 %")
    assert not machine.at(NOW + 3700).run(Wish.SCHEDULED, windows=closed_window()).restarting
    vendor.decide("1.1", percent=100)
    assert machine.at(NOW + 3800).run(Wish.ASKED, windows=closed_window()).restarting
    assert [version for version, _ in machine.happened.installed] == ["1.1"]


def test_release_that_waits_starts_though_the_channel_went_away(
    machine: Machine, vendor: Vendor, tmp_path: Path
) -> None:
    vendor.publish(release("1.1"))
    machine.run(windows=closed_window())
    away = f"file://{tmp_path}/away"
    assert machine.at(NOW + 10).run(windows=closed_window(), channel=away).error
    for minutes in range(10, 70, 10):
        machine.at(NOW + 60 * minutes).run(Wish.SCHEDULED, windows=closed_window(), channel=away)
    assert machine.happened.restarts == 1


def test_looking_often_does_not_put_the_next_pass_off(machine: Machine, vendor: Vendor) -> None:
    machine.run(Wish.SCHEDULED)
    vendor.publish(release("1.1"))
    for hour in range(1, 8):
        assert machine.at(NOW + 3600 * hour).run(Wish.CHECK).version == "1.1"
    assert agent(machine)["checked"] == NOW + 7 * 3600
    assert machine.at(NOW + 7 * 3600 + 1).run(Wish.SCHEDULED).restarting


def test_data_that_could_not_be_put_back_stops_updates_and_restarts(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    machine.run(windows=closed_window())
    # It was started, failed, and the first step of this release could not put the data back.
    trial = Trial("1.1", OTHER, "1.0", RUNNING, stage=state.MIGRATED)
    state.change(lambda old: replace(old, trial=trial), folder=machine.guest.folder)
    for wish in (Wish.SCHEDULED, Wish.ASKED, Wish.NOW):
        outcome = machine.at(NOW + 3700).run(wish)
        assert outcome.error == "1.1 was left, but what it changed could not be put back"
        assert "jeos-begin" in outcome.hint
    assert machine.happened.restarts == 0
    assert state.read(machine.guest.folder).trial == trial


def test_patch_that_was_cut_off_goes_on_the_next_time(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    line = {"left": 100, "offset": -1}

    def open_channel(address: str, **more: Any) -> Channel:
        channel = fetch.open_channel(address, **more)

        def save(path: str, descriptor: int, *, length: int) -> None:
            line["offset"] = os.lseek(descriptor, 0, os.SEEK_END)
            part = PATCH[line["offset"] :][: line["left"]]
            os.write(descriptor, part)
            if line["offset"] + len(part) < length:
                raise fetch.FetchError("the connection failed", again=True)

        channel.save = save  # type: ignore[method-assign]
        return channel

    guest = replace(machine.guest, open_channel=open_channel)
    assert run.run(guest, machine.settings, Wish.ASKED).error == "the connection failed"
    assert machine.happened.installed == []  # a line that fails is no reason to fetch far more
    line["left"] = len(PATCH)
    assert run.run(guest, machine.settings, Wish.ASKED).restarting
    assert line["offset"] == 100
    assert machine.happened.installed == [("1.1", PATCH)]


def test_patch_that_never_comes_is_followed_by_packs(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))

    def open_channel(address: str, **more: Any) -> Channel:
        channel = fetch.open_channel(address, **more)

        def save(path: str, descriptor: int, *, length: int) -> None:
            raise fetch.FetchError("the server answered '503 No'", again=True)

        channel.save = save  # type: ignore[method-assign]
        return channel

    guest = replace(machine.guest, open_channel=open_channel)
    assert run.run(guest, machine.settings, Wish.ASKED).restarting
    assert machine.happened.installed == [("1.1", None)]


def test_what_an_abandoned_update_left_is_deleted(machine: Machine) -> None:
    left = [f"{run.PATCH}-{'0' * 64}", "kernel.efi", "kernel.efi.0123456789abcdef.partial"]
    Path(machine.guest.folder).mkdir()
    for name in left:
        Path(machine.guest.folder, name).write_bytes(b"x")
    machine.run(Wish.CHECK)
    machine.run(pause="by the operator")
    assert set(left) <= set(os.listdir(machine.guest.folder))  # it may go on
    machine.run()
    assert not set(left) & set(os.listdir(machine.guest.folder))


def test_room_is_asked_for_what_is_not_there_yet(
    machine: Machine, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.publish(release("1.1"))
    Path(machine.guest.folder).mkdir()
    Path(machine.guest.folder, f"{run.PATCH}-{blob(PATCH).sha256}").write_bytes(PATCH[:-10])

    class Room:
        f_bavail, f_frsize = 10, 1

    monkeypatch.setattr(os, "statvfs", lambda path: Room())
    assert machine.run().restarting
    assert machine.happened.installed == [("1.1", PATCH)]


def test_timestamp_that_does_not_hold_is_not_asked_for_by_its_validator_again(machine: Machine, vendor: Vendor) -> None:
    files = {str(path.relative_to(vendor.folder)): path.read_bytes() for path in vendor.folder.rglob("*.json")}
    with serving(static(files)) as server:
        machine.run(channel=server.address)
        memory = Path(machine.guest.folder, "channel.json")
        assert memory.exists()
        # Somebody in the middle has answered with rubbish, under the validator that the vendor's server gives.
        known = json.loads(memory.read_text())
        memory.write_text(json.dumps({**known, "body": "AAAA"}))
        assert machine.run(channel=server.address).error
        assert machine.run(channel=server.address).words == "1.0 is the newest"
        memory.write_text(json.dumps({**known, "body": "A"}))
        assert machine.run(channel=server.address).words == "1.0 is the newest"


def test_what_is_noted_stays_small(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(*(release(f"1.{minor}") for minor in range(1, 60)), custom={"ring": "beta"})
    assert len(machine.run().passed) == 59
    noted = agent(machine)["passed"]
    assert isinstance(noted, list)
    assert len(noted) == record.MOST_PASSED


def test_restarts_that_lead_back_end(machine: Machine, vendor: Vendor) -> None:
    vendor.publish(release("1.1"))
    machine.run(windows=closed_window())
    later = machine.at(NOW + 3700)
    restarted = [later.run(Wish.SCHEDULED, windows=closed_window()).restarting for _ in range(5)]
    assert restarted == [True, True, True, False, False]
    outcome = later.run(Wish.SCHEDULED, windows=closed_window())
    assert outcome.error == "1.1 is in place, but 3 restarts led back to 1.0"
    assert later.run(Wish.NOW).restarting
    assert machine.happened.restarts == 4


def test_restart_that_cannot_be_noted_is_not_made(
    machine: Machine, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.publish(release("1.1"))
    machine.run(windows=closed_window())

    def change(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(state, "change", change)
    outcome = machine.at(NOW + 3700).run(Wish.SCHEDULED, windows=closed_window())
    assert outcome.error == "1.1 is in place, but cannot be started: No space left on device"
    assert machine.happened.restarts == 0


def test_failed_release_under_a_new_description_is_not_tried_again(machine: Machine, vendor: Vendor) -> None:
    failure = Failure("1.1", OTHER, "the page answered 500", target="0" * 64)
    state.change(lambda old: old.with_failure(failure), folder=machine.guest.folder)
    vendor.publish(release("1.1"))
    assert machine.run().error == "1.1 failed here: the page answered 500"
    assert machine.run() == Outcome(
        "1.1 failed here: the page answered 500", passed=("1.1 failed here: the page answered 500",)
    )
    assert machine.happened.installed == []
