"""One pass of updating: look, decide, download, put in place, restart; and a note of what came of it, in words.

    outcome = run(guest, settings, Wish.SCHEDULED)
    outcome.words        # "1.1 is in place, and waits for the window that opens Sun 02:00, in 26 h"

A pass is begun anew after whatever went wrong, and needs nothing of the one before but what saves work: metadata that
was trusted, a download that was broken off. All that was found out is kept in the state, for `jeos-agent status`.
"""

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from jeos.core import files
from jeos.core.errors import HostError, InputError, JeosError, NetworkError
from jeos.model import release as releases
from jeos.model.release import Release
from jeos.model.schedule import minute_of_week
from jeos.update import fetch, plan, state
from jeos.update.errors import BusyError, RebuildError, RoomError
from jeos.update.fetch import Channel
from jeos.update.offers import offers_of
from jeos.update.plan import Choice, Failure, Me, Offer, Wishes
from jeos.update.settings import Settings
from jeos.update.state_file import FOLDER

if TYPE_CHECKING:
    from jeos.trust.client import Client, Target

PATCH = "patch"  # the name of a patch while it is downloaded, with the digest behind it


class Wish(Enum):
    """Why a pass is made: the timer came, somebody asks, only wants to know, or wants it all now."""

    SCHEDULED = "scheduled"
    ASKED = "asked"
    CHECK = "check"
    NOW = "now"


class Install(Protocol):
    """Put a release into the other slot: `jeos.update.apply.apply` with how a slot is rebuilt."""

    def __call__(
        self, release: Release, *, patch: str | None, channel: Channel, settings: Settings, target: str
    ) -> object:
        """Install a release, from the downloaded file `patch` or, without it, from the channel's packs."""


@dataclass(frozen=True, slots=True)
class Guest:
    """The machine that is updated: what it is, and what can be done to it.

    `root` is the vendor's TUF root of the image, `built` when the image was made (seconds since 1970): a clock that
    says less is wrong. `say` is told what is going on.
    """

    name: str
    version: str
    root_hash: str
    identity: str
    root: bytes
    built: float
    install: Install
    withdraw: Callable[[], None]
    restart: Callable[[], None]
    folder: str = FOLDER
    now: Callable[[], float] = time.time
    say: Callable[[str], None] = lambda words: None
    open_channel: Callable[..., Channel] = fetch.open_channel

    def clock(self) -> float:
        """Return the time: never before the image was made, whatever the machine's clock says."""
        return max(self.now(), self.built)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a pass: in `words`; `error` is "" unless it failed; `changed` if a release was put in place."""

    words: str
    version: str = ""
    error: str = ""
    hint: str = ""
    changed: bool = False
    restarting: bool = False
    critical: bool = False
    passed: tuple[str, ...] = ()


def run(guest: Guest, settings: Settings, wish: Wish, *, source: str = "") -> Outcome:
    """Make one pass and return what came of it; it is also written down.

    `source` is a folder with a channel that goes before the one of the settings. Raises BusyError if another pass is
    at work; all else that goes wrong is the outcome.
    """
    with _alone(guest.folder):
        known = state.read(guest.folder)
        me = who_is(guest, known)
        wait = _wait(known, settings, guest) if wish is Wish.SCHEDULED and not source else 0.0
        if wait > 0 and not me.staged:
            return Outcome(str(known.agent.get("words", "")))
        try:
            if wait > 0:  # nothing to look for yet, but a release waits for its window
                outcome = _start_if_time(guest, settings, _staged(known, me), asked=False)
                if outcome.restarting:
                    guest.restart()
                return outcome
            outcome = _pass(guest, settings, wish, me, source=source or settings.channel)
        except Exception as error:  # a fault of ours is told like any other failure, and tried again later
            outcome = _failed(error)
        try:
            _write_down(guest, outcome, settings=settings)
        except OSError as error:  # a full disk, above all, must not hide what the pass itself had to say
            guest.say(f"this cannot be remembered: {error.strerror}")
        if outcome.restarting:
            guest.restart()
        return outcome


def is_due(guest: Guest, settings: Settings) -> bool:
    """Tell whether it is time to look into the channel again."""
    return _wait(state.read(guest.folder), settings, guest) <= 0


def who_is(guest: Guest, known: state.State) -> Me:
    """Return what the planner must know of this machine."""
    trial = known.trial
    on_trial = trial is not None and trial.root_hash == guest.root_hash
    return Me(
        identity=guest.identity,
        running=guest.version,
        confirmed=not on_trial,
        staged=trial.version if trial is not None and not on_trial else "",
        failed={one.version: Failure(one.target, one.reason) for one in known.failures},
    )


def wishes_of(settings: Settings, *, asked: bool) -> Wishes:
    """Return what the planner must know of the settings."""
    return Wishes(
        ring=settings.ring,
        pin=settings.pin,
        pause=settings.pause,
        restart=settings.restart,
        windows=settings.windows,
        asked=asked,
    )


def _pass(guest: Guest, settings: Settings, wish: Wish, me: Me, *, source: str) -> Outcome:
    """Look into the channel and do what is to be done."""
    from jeos.trust.client import Client  # large, and mostly the timer comes too early to need it

    asked = wish is Wish.NOW
    line = fetch.Line(bandwidth=settings.bandwidth, proxy=settings.proxy)
    channel = guest.open_channel(source, line=line, memory=f"{guest.folder}/channel.json")
    try:
        client = Client(f"{guest.folder}/metadata", root=guest.root, fetch=channel.get, now=guest.clock)
        client.refresh()
        targets = client.targets()
        offers = list(offers_of(targets.values(), name=guest.name))
        choice = plan.choose(offers, me, wishes_of(settings, asked=asked))
        if choice.drop:
            guest.withdraw()
            guest.say(f"{me.staged} will not be started: {choice.drop}")
            me = replace(me, staged="")
        if choice.offer is None or wish is Wish.CHECK:
            return Outcome(choice.reason, version=_version(choice), passed=choice.passed)
        changed = choice.offer.version != me.staged
        if changed:
            _take(guest, settings, client, channel, targets[choice.offer.path])
        outcome = _start_if_time(guest, settings, choice.offer, asked=asked)
        return replace(outcome, changed=changed, critical=choice.offer.critical, passed=choice.passed)
    finally:
        channel.close()


def _take(guest: Guest, settings: Settings, client: "Client", channel: Channel, target: "Target") -> None:
    """Put a release into the other slot: by its patch if there is one that fits, else from packs."""
    release = described(client, target, name=guest.name)
    patch = releases.patch_from(release, guest.root_hash)
    if patch is not None:
        guest.say(f"{release.version} comes as a patch of {patch.blob.length} bytes")
        place = f"{guest.folder}/{PATCH}-{patch.blob.sha256}"
        _sweep(guest.folder, keep=place)
        try:
            _check_room(guest.folder, wanted=patch.blob.length)
            fetch.save(channel, patch.blob, place)
            guest.install(release, patch=place, channel=channel, settings=settings, target=target.sha256)
            os.unlink(place)
            return
        except (NetworkError, RebuildError) as error:
            guest.say(f"the patch is of no use, so that packs are fetched: {error.message}")
    else:
        guest.say(f"{release.version} has no patch from {guest.version}, so that packs are fetched")
    _sweep(guest.folder)
    guest.install(release, patch=None, channel=channel, settings=settings, target=target.sha256)


def described(client: "Client", target: "Target", *, name: str) -> Release:
    """Return the release that a target describes. Raises InputError if it is another than its path says."""
    if target.length > releases.MOST_BYTES:
        raise InputError(f"{target.path} has {target.length} bytes, more than {releases.MOST_BYTES}")
    release = releases.load(client.download(target))
    if target.path != f"releases/{release.name}_{release.version}.json" or release.name != name:
        raise InputError(f"{target.path} describes {release.name} {release.version}", hint="its vendor must replace it")
    return release


def _start_if_time(guest: Guest, settings: Settings, offer: Offer, *, asked: bool) -> Outcome:
    """Return whether what was put in place is to be started now, or what it waits for."""
    minute = minute_of_week(time.localtime(guest.clock()))
    held_up = plan.hold_up(offer, wishes_of(settings, asked=asked), minute=minute)
    if held_up:
        return Outcome(held_up, version=offer.version)
    return Outcome(f"{offer.version} is in place, and the machine restarts", version=offer.version, restarting=True)


def _staged(known: state.State, me: Me) -> Offer:
    """Return what is known of the release that waits, without asking the channel."""
    critical = known.agent.get("critical") is True and known.agent.get("version") == me.staged
    return Offer(version=me.staged, critical=critical)


def _wait(known: state.State, settings: Settings, guest: Guest) -> float:
    """Return the seconds until the channel is to be asked again."""
    last = known.agent.get("tried")
    now = guest.clock()
    if not isinstance(last, int | float) or last > now:
        return 0.0
    failures = known.agent.get("failures")
    due = plan.next_check(
        float(last),
        failures=failures if isinstance(failures, int) else 0,
        period=settings.check,
        identity=guest.identity,
    )
    return due - now


def _write_down(guest: Guest, outcome: Outcome, *, settings: Settings) -> None:
    """Keep what came of a pass, for the next one and for `jeos-agent status`."""
    now = guest.clock()

    def edit(known: state.State) -> state.State:
        before = known.agent.get("failures")
        failures = (before if isinstance(before, int) else 0) + 1 if outcome.error else 0
        due = plan.next_check(now, failures=failures, period=settings.check, identity=guest.identity)
        said: Mapping[str, object] = {
            "tried": now,
            "checked": known.agent.get("checked", 0) if outcome.error else now,
            "failures": failures,
            "next": due,
            "words": outcome.words,
            "error": outcome.error,
            "version": outcome.version,
            "critical": outcome.critical,
            "passed": list(outcome.passed),
            "failed": [one.root_hash for one in known.failures],  # so that later ones are known without a right clock
            "window": settings.windows.text,
            "pin": settings.pin,
        }
        return replace(known, agent=said)

    state.change(edit, folder=guest.folder)


def _failed(error: Exception) -> Outcome:
    """Return the outcome that tells an error."""
    if isinstance(error, HostError) or (isinstance(error, OSError) and files.out_of_room(error)):
        words = error.message if isinstance(error, HostError) else str(error.strerror)
        return Outcome(f"failed: {words}", error=words, hint="free some of the data disk, or enlarge it")
    if isinstance(error, JeosError):
        return Outcome(f"failed: {error.message}", error=error.message, hint=error.hint)
    words = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    if not isinstance(error, OSError):
        sys.excepthook(type(error), error, error.__traceback__)
    return Outcome(f"failed: {words}", error=words, hint="journalctl -u jeos-update tells more")


def _version(choice: Choice) -> str:
    return choice.offer.version if choice.offer else ""


def _check_room(folder: str, *, wanted: int) -> None:
    room = os.statvfs(folder)
    free = room.f_bavail * room.f_frsize
    if free < wanted:
        raise RoomError(f"the data disk has {free} bytes left, and the update needs {wanted}", hint="free some of it")


def _sweep(folder: str, *, keep: str = "") -> None:
    """Delete what was downloaded for releases that are not wanted any more."""
    for name in os.listdir(folder):
        if name.startswith(f"{PATCH}-") and f"{folder}/{name}" != keep:
            os.unlink(f"{folder}/{name}")


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Keep other passes of this guest out."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    lock = os.open(f"{folder}/.pass.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BusyError("another update of this machine is at work", hint="jeos-agent status shows it") from None
    finally:
        os.close(lock)
