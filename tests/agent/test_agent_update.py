"""The command `jeos-agent update`, and what status and consoles say of updates."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jeos.agent import appliance, console, update_status, updating
from jeos.agent.appliance import Appliance
from jeos.core.errors import UsageError
from jeos.update import run, settings, state_file
from jeos.update.errors import BusyError, UpdateError
from jeos.update.run import Guest, Outcome, Wish
from jeos.update.settings import Settings

DESCRIBED = {"name": "hello", "version": "1.1", "addresses": [], "ports": [], "health": "healthy", "reasons": []}


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ([], (Wish.ASKED, "", False)),
        (["--check", "--json"], (Wish.CHECK, "", True)),
        (["--now"], (Wish.NOW, "", False)),
        (["--scheduled"], (Wish.SCHEDULED, "", False)),
        (["--from", "/mnt", "--check"], (Wish.CHECK, "/mnt", False)),
    ],
)
def test_options_are_understood(options: list[str], wanted: tuple[Wish, str, bool]) -> None:
    assert updating.parse(options) == wanted


@pytest.mark.parametrize("options", [["--later"], ["--from"], ["1.1"]])
def test_other_options_are_refused(options: list[str]) -> None:
    with pytest.raises(UsageError, match="is not understood"):
        updating.parse(options)


def test_outcome_is_told_once() -> None:
    reasons = ("1.3 is in the ring beta, and this machine in stable", "1.2 failed here: x")
    assert updating.told(Outcome(reasons[0], passed=reasons)) == [reasons[0], f"  {reasons[1]}"]
    assert updating.told(Outcome("failed: x", error="x", hint="y")) == ["failed: x", "hint: y"]


def test_folder_is_its_own_place_and_nothing_is_none(tmp_path: Path) -> None:
    with updating.offline(str(tmp_path)) as folder:
        assert folder == str(tmp_path)
    with pytest.raises(UsageError, match="cannot be read: No such file"), updating.offline("/nowhere"):
        pass


AGENT = {"tried": 1000.0, "checked": 1000.0, "next": 2000.0, "words": "1.1 is in place", "version": "1.1"}
FAILED = {"version": "1.1", "root_hash": "aa", "reason": "page: refused", "when": 15.0}  # by a wrong clock


@pytest.mark.parametrize(
    ("version", "state", "said"),
    [
        ("1.0", {}, "nothing was looked for yet"),
        ("1.0", {"agent": AGENT}, "1.1 is in place"),
        ("1.1", {"agent": AGENT, "trial": {"version": "1.1"}}, "1.1 is on trial: it is kept once its health has held"),
        ("1.1", {"agent": AGENT}, "1.1 is confirmed"),
        ("1.0", {"agent": AGENT, "failures": [FAILED]}, "1.1 failed here: page: refused; 1.0 runs again"),
        ("1.0", {"agent": {**AGENT, "failed": ["aa"], "words": "no"}, "failures": [FAILED]}, "no"),
        ("1.0", {"agent": 7, "trial": [], "failures": "x"}, "nothing was looked for yet"),
    ],
)
def test_status_says_what_holds_now(version: str, state: dict[str, object], said: str, tmp_path: Path) -> None:
    state_file.write(str(tmp_path), state)
    described = update_status.describe(version, folder=str(tmp_path))
    assert described["said"] == said
    assert update_status.lines(described)[0] == said


def test_status_tells_of_who_only_wanted_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    shown = update_status.lines({"said": "1.0 is the newest", "tried": 60.0, "checked": 3600.0, "next": 7200.0})
    assert shown == ["1.0 is the newest", "looked at 1970-01-01 01:00; again at 1970-01-01 02:00"]


def test_consoles_show_updates_below_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    agent = {**AGENT, "version": "1.2", "words": "1.2 waits\x1b", "window": "Sun 02:00-05:00", "checked": 500.0}
    state_file.write(str(tmp_path), {"agent": agent, "failures": [FAILED]})
    update = update_status.describe("1.0", folder=str(tmp_path))
    assert console.screen({**DESCRIBED, "slot": "B", "update": update}).splitlines()[4:-1] == [
        " health   healthy",
        " update   1.2 waits?",
        "          runs from slot B",
        "          looked at 1970-01-01 00:16, with success at 1970-01-01 00:08; again at 1970-01-01 00:33",
        "          restarts Sun 02:00-05:00",
        "          1.1 failed here: page: refused",
    ]
    assert "update" not in console.screen(DESCRIBED)


@pytest.fixture
def looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Wish]]:
    """Let a machine have an attached disk and a channel; return what is looked into."""
    seen: list[tuple[str, Wish]] = []
    answers = {"": Outcome("1.2 waits", version="1.2"), str(tmp_path): Outcome("1.0 is the newest")}

    def run_pass(guest: Guest, wanted: Settings, wish: Wish, *, source: str = "") -> Outcome:
        seen.append((source, wish))
        return answers[source]

    monkeypatch.setattr(updating, "OFFLINE", str(tmp_path))
    monkeypatch.setattr(updating, "this_guest", lambda own: None)
    monkeypatch.setattr(run, "is_due", lambda guest, wanted: True)
    monkeypatch.setattr(run, "run", run_pass)
    return seen


OWN = Appliance({"name": "hello", "version": "1.0"})
WANTED = Settings(channel="https://updates.example/hello")


def test_attached_disk_with_nothing_to_take_does_not_hide_the_channel(
    looked: list[tuple[str, Wish]], tmp_path: Path
) -> None:
    assert updating.make_pass(OWN, WANTED, Wish.SCHEDULED).version == "1.2"
    assert looked == [(str(tmp_path), Wish.ASKED), ("", Wish.ASKED)]


def test_attached_disk_that_cannot_be_read_does_not_hide_the_channel(
    looked: list[tuple[str, Wish]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def offline(source: str) -> Iterator[str]:
        raise UpdateError("/dev/vdb has no file system of vfat")
        yield source

    monkeypatch.setattr(updating, "offline", offline)
    assert updating.make_pass(OWN, WANTED, Wish.NOW).version == "1.2"
    assert looked == [("", Wish.NOW)]
    assert "of no use: /dev/vdb has no file system" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "status"), [(["--scheduled"], 0), ([], 1), (["--now"], 1)])
def test_channel_that_is_away_does_not_fail_the_unit(
    options: list[str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "read", lambda: WANTED)
    monkeypatch.setattr(appliance, "read", lambda: OWN)
    monkeypatch.setattr(updating, "make_pass", lambda *args, **more: Outcome("failed: away", error="away"))
    assert updating.update(options) == status


@pytest.mark.parametrize(("options", "status"), [(["--scheduled"], 0), ([], BusyError.exit_code)])
def test_pass_of_somebody_else_does_not_fail_the_unit(
    options: list[str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*args: object, **more: object) -> Outcome:
        raise BusyError("another update of this machine is at work")

    monkeypatch.setattr(settings, "read", lambda: WANTED)
    monkeypatch.setattr(appliance, "read", lambda: OWN)
    monkeypatch.setattr(updating, "make_pass", busy)
    assert updating.update(options) == status


def test_most_memory_is_no_less_than_there_ever_was() -> None:
    taken = bytearray(b"x") * (32 << 20)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    now = pages * os.sysconf("SC_PAGE_SIZE") >> 20
    del taken
    assert 32 < now <= updating.most_memory() + 1 < 10_000
