"""One pass of updating: look, decide, download, put in place, restart; and a note of what came of it, in words.

    outcome = run(guest, settings, Wish.SCHEDULED)
    outcome.words        # "1.1 is in place, and waits for the window that opens Sun 02:00, in 26 h"

A pass is begun anew after whatever went wrong, and needs nothing of the one before but what saves work: metadata that
was trusted, a download that was broken off. All that was found out is kept in the state, for `jeos-agent status`.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from jeos.core import files
from jeos.core.errors import HostError, InputError, JeosError, NetworkError, TrustError
from jeos.model import release as releases
from jeos.model.release import Release
from jeos.model.schedule import minute_of_week
from jeos.update import fetch, plan, record, state
from jeos.update.errors import RebuildError, RoomError, UpdateError
from jeos.update.fetch import Channel
from jeos.update.offers import offers_of
from jeos.update.plan import Choice, Failure, Me, Offer, Wishes
from jeos.update.settings import Settings
from jeos.update.state_file import FOLDER

if TYPE_CHECKING:
    from jeos.trust.client import Client, Target

PATCH = "patch"  # the name of a patch while it is downloaded, with the digest behind it
KERNEL = "kernel.efi"  # what names of kernel images that are being made or fetched begin with
ANSWER = "channel.json"  # the server's last answer about the timestamp
MOST_RESTARTS = 3  # into one release that lead back here: as many starts as the boot loader gives it


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
    with state.alone(guest.folder, "pass"):
        known = state.read(guest.folder)
        me = who_is(guest, known)
        wait = record.wait(known, guest, settings) if wish is Wish.SCHEDULED and not source else 0.0
        if is_stuck(known.trial, guest) and not known.agent.get("error"):
            wait = 0.0  # this is to be told at once
        if wait > 0:  # nothing to look for yet, but perhaps a release waits for its window
            if not me.staged or known.agent.get("waits") != me.staged:
                return Outcome(str(known.agent.get("words", "")))
            outcome = _start_if_time(guest, settings, _staged(known, me), asked=False)
        else:
            outcome = _look(guest, settings, wish, me, source=source or settings.channel)
        if outcome.restarting:
            outcome = record.counted(outcome, guest, most=None if wish is Wish.NOW else MOST_RESTARTS)
        if outcome.restarting:
            guest.restart()
        return outcome


def is_due(guest: Guest, settings: Settings) -> bool:
    """Tell whether it is time to look into the channel again."""
    return record.wait(state.read(guest.folder), guest, settings) <= 0


def who_is(guest: Guest, known: state.State) -> Me:
    """Return what the planner must know of this machine."""
    trial = known.trial
    on_trial = trial is not None and trial.root_hash == guest.root_hash
    return Me(
        identity=guest.identity,
        running=guest.version,
        confirmed=not on_trial,
        staged=trial.version if trial is not None and not on_trial and trial.stage == state.PREPARED else "",
        failed={one.version: Failure(one.target, one.reason) for one in known.failures},
    )


def _look(guest: Guest, settings: Settings, wish: Wish, me: Me, *, source: str) -> Outcome:
    """Make a pass over a channel, whatever comes of it, and note that."""
    try:
        _check_put_back(state.read(guest.folder).trial, guest)
        outcome = _pass(guest, settings, wish, me, source=source)
    except Exception as error:  # a fault of ours is told like any other failure, and tried again later
        outcome = _failed(error)
    try:
        record.write_down(outcome, guest, settings, only_told=wish is Wish.CHECK)
    except OSError as error:  # a full disk, above all, must not hide what the pass itself had to say
        guest.say(f"this cannot be remembered: {error.strerror}")
    return outcome


def is_stuck(trial: state.Trial | None, guest: Guest) -> bool:
    """Tell whether a release was left, and the data is still as that release made it.

    To start it again would only lead back here, and to overwrite it would lose what is to be put back.
    """
    return trial is not None and trial.root_hash != guest.root_hash and trial.stage != state.PREPARED


def _check_put_back(trial: state.Trial | None, guest: Guest) -> None:
    if trial is not None and is_stuck(trial, guest):
        raise UpdateError(
            f"{trial.version} was left, but what it changed could not be put back",
            hint="journalctl -u jeos-begin tells why; mend that, then restart the machine",
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
    channel = guest.open_channel(source, line=line, memory=f"{guest.folder}/{ANSWER}")
    try:
        client = Client(f"{guest.folder}/metadata", root=guest.root, fetch=channel.get, now=guest.clock)
        try:
            client.refresh()
        except TrustError:  # not to be given the same again under its validator, which may be somebody else's
            with suppress(FileNotFoundError):
                os.unlink(f"{guest.folder}/{ANSWER}")
            raise
        targets = client.targets()
        offers = list(offers_of(targets.values(), name=guest.name))
        choice = plan.choose(offers, me, wishes_of(settings, asked=asked))
        if choice.drop:
            guest.withdraw()
            guest.say(f"{me.staged} will not be started: {choice.drop}")
            me = replace(me, staged="")
        if choice.offer is None and wish is not Wish.CHECK and not settings.pause:
            _sweep(guest.folder, kinds=(f"{PATCH}-", KERNEL))
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
    _check_not_failed(guest, release, target=target.sha256)
    patch = releases.patch_from(release, guest.root_hash)
    if patch is not None:
        guest.say(f"{release.version} comes as a patch of {patch.blob.length} bytes")
        place = f"{guest.folder}/{PATCH}-{patch.blob.sha256}"
        _sweep(guest.folder, keep=place)
        begun = _size(place)
        try:
            _check_room(guest.folder, wanted=patch.blob.length - begun)
            fetch.save(channel, patch.blob, place)
            guest.install(release, patch=place, channel=channel, settings=settings, target=target.sha256)
            os.unlink(place)
            return
        except (NetworkError, RebuildError) as error:
            if isinstance(error, fetch.FetchError) and error.again and _size(place) > begun:
                raise  # it goes on the next time, and costs less than packs
            guest.say(f"the patch is of no use, so that packs are fetched: {error.message}")
    else:
        guest.say(f"{release.version} has no patch from {guest.version}, so that packs are fetched")
    _sweep(guest.folder)
    guest.install(release, patch=None, channel=channel, settings=settings, target=target.sha256)


def _check_not_failed(guest: Guest, release: Release, *, target: str) -> None:
    """Refuse a system that failed here under another description, and remember it under this one too."""
    failed = state.read(guest.folder).failure(release.root_hash)
    if failed is not None:
        state.change(lambda now: now.with_failure(replace(failed, target=target)), folder=guest.folder)
        raise UpdateError(
            f"{release.version} failed here: {failed.reason}", hint="its vendor must publish one that is mended"
        )


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
    critical = known.agent.get("critical") is True and known.agent.get("waits") == me.staged
    return Offer(version=me.staged, critical=critical)


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


def _size(place: str) -> int:
    try:
        return os.stat(place).st_size
    except FileNotFoundError:
        return 0


def _sweep(folder: str, *, keep: str = "", kinds: tuple[str, ...] = (f"{PATCH}-",)) -> None:
    """Delete what was downloaded, or begun, for releases that are not wanted any more."""
    for name in os.listdir(folder):
        if name.startswith(kinds) and f"{folder}/{name}" != keep:
            os.unlink(f"{folder}/{name}")
