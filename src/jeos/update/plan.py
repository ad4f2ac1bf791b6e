"""Decide which release a machine takes, if any, and when; with the reason in words. Nothing here does I/O.

    choice = choose(offers, me, wishes)
    choice.offer, choice.reason        # None, "1.1 is in the ring beta, and this machine in stable"

The newest release that nothing speaks against is taken, so that versions are skipped; a machine never goes back to an
older one. Of a release for 40 percent, each machine knows from its own identity whether it is among them.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jeos.model.schedule import ALWAYS, Windows, in_words, minute_in_words
from jeos.model.version import newer, sort_key

EVERYBODY = "stable"  # the ring whose releases every ring takes
BACKOFF = 120.0  # seconds after a first failure; doubled by each further one
JITTER = 0.1  # of a period, before and after it
PINNED = "this machine is pinned to"


@dataclass(frozen=True, slots=True)
class Offer:
    """A release as the channel's signed metadata offers it; `percent` of the machines may take it."""

    version: str
    path: str = ""
    sha256: str = ""
    ring: str = EVERYBODY
    percent: float = 100.0
    critical: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A release that did not hold on this machine: the digest of its description then, and why."""

    sha256: str
    reason: str


@dataclass(frozen=True, slots=True)
class Me:
    """What a machine knows of itself: `staged` is the version in the other slot that waits for the restart.

    `confirmed` tells whether the running release has proved its health.
    """

    identity: str
    running: str
    confirmed: bool = True
    staged: str = ""
    failed: Mapping[str, Failure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What vendor and operator want: `pin` is "" or a version, or "1.4.*"; `pause` is "" or how long, in words.

    `asked` tells that somebody waits for the update now: percentages, pauses and windows do not hold it up.
    """

    ring: str = EVERYBODY
    pin: str = ""
    pause: str = ""
    restart: bool = True
    windows: Windows = ALWAYS
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The release to have, or None, and why; `passed` tells of each newer release why it is not taken.

    `drop` tells that what waits in the other slot must not be started any more.
    """

    offer: Offer | None
    reason: str
    passed: tuple[str, ...] = ()
    drop: str = ""


def choose(offers: Iterable[Offer], me: Me, wishes: Wishes) -> Choice:
    """Return the newest release that this machine may take."""
    offers = sorted(offers, key=lambda offer: sort_key(offer.version), reverse=True)
    drop = _drop(offers, me, wishes)
    if wishes.pause and not wishes.asked:
        return Choice(None, f"updates are paused {wishes.pause}", drop=drop)
    if not me.confirmed:
        return Choice(None, f"{me.running} is on trial: nothing else is taken until its health has held", drop=drop)
    passed: list[str] = []
    for offer in offers:
        if not newer(offer.version, me.running):
            break
        against = objection(offer, me, wishes)
        if not against:
            waits = " and waits for the restart" if offer.version == me.staged and not drop else ""
            return Choice(offer, f"{offer.version} is newer than {me.running}{waits}", tuple(passed), drop=drop)
        passed.append(against)
    return Choice(None, _nothing(offers, me, wishes, passed), tuple(passed), drop=drop)


def objection(offer: Offer, me: Me, wishes: Wishes) -> str:
    """Return why a machine does not take a release, or "" if nothing speaks against it."""
    version = offer.version
    failure = me.failed.get(version)
    if wishes.pin and not matches(version, wishes.pin):
        return f"{version} is newer, but {PINNED} {wishes.pin}"
    if offer.withdrawn:
        return f"{version} has been withdrawn"
    if failure is not None and failure.sha256 == offer.sha256:
        return f"{version} failed here: {failure.reason}"
    if version == wishes.pin:
        return ""  # the operator has chosen it: rings and percentages are for those who did not
    if offer.ring not in (EVERYBODY, wishes.ring):
        return f"{version} is in the ring {offer.ring}, and this machine in {wishes.ring}"
    if not wishes.asked and place(me.identity, version) >= offer.percent:
        return f"{version} goes to {offer.percent:g} % of the machines so far, and this one is not among them"
    return ""


def matches(version: str, pin: str) -> bool:
    """Tell whether a version is one that a pin allows: the same, or of the series "1.4.*"."""
    series = pin.removesuffix("*")
    return version == pin if series == pin else version.startswith(series)


def place(identity: str, version: str) -> float:
    """Return a machine's place in a version's roll-out, from 0 up to 100; percentages above it reach the machine.

    It stays the same, so that raising a percentage only adds machines, and differs from version to version, so that
    not the same machines are always first.
    """
    digest = hashlib.sha256(f"{identity} {version}".encode()).digest()
    return int.from_bytes(digest[:6]) / (1 << 48) * 100


def _drop(offers: list[Offer], me: Me, wishes: Wishes) -> str:
    """Return why the release in the other slot must not be started, or ""."""
    if not me.staged:
        return ""
    for offer in offers:
        if offer.version == me.staged:
            if offer.withdrawn:
                return f"{offer.version} has been withdrawn"
            break
    else:
        return f"{me.staged} is not in the channel any more"
    if wishes.pin and not matches(me.staged, wishes.pin):
        return f"{PINNED} {wishes.pin}"
    return ""


def _nothing(offers: list[Offer], me: Me, wishes: Wishes, passed: list[str]) -> str:
    """Return why no release is taken: what speaks against the newest one that the pin allows comes first."""
    other = [words for words in passed if PINNED not in words]
    if other:
        return other[0]
    if wishes.pin and matches(me.running, wishes.pin):
        return f"{PINNED} {wishes.pin}"
    if wishes.pin and newer(me.running, wishes.pin.removesuffix("*").rstrip(".")):
        return f"{PINNED} {wishes.pin}, and never goes back from {me.running}"
    if wishes.pin:
        return f"{PINNED} {wishes.pin}, which the channel does not have"
    if any(offer.version == me.running and offer.withdrawn for offer in offers):
        return f"{me.running} has been withdrawn, and nothing newer is there yet"
    return f"{me.running} is the newest"


def hold_up(offer: Offer, wishes: Wishes, *, minute: int) -> str:
    """Return why a machine does not restart into a release yet at a minute of the week, or "" if it may."""
    if wishes.asked:
        return ""
    if wishes.pause:
        return f"{offer.version} is in place, and waits: updates are paused {wishes.pause}"
    if wishes.pin and not matches(offer.version, wishes.pin):
        return f"{offer.version} is in place, and waits: {PINNED} {wishes.pin}"
    if not wishes.restart:
        return f"{offer.version} is in place, and starts when the operator restarts the machine"
    wait = 0 if offer.critical else wishes.windows.wait(minute)
    if wait:
        opens = minute_in_words(minute + wait)
        return f"{offer.version} is in place, and waits for the window that opens {opens}, in {in_words(60 * wait)}"
    return ""


def next_check(last: float, *, failures: int, period: float, identity: str) -> float:
    """Return when to ask the channel again, after `failures` in a row, in the seconds of `last` (0: never asked).

    The machines of a vendor are spread over a tenth of the period on both sides, each by its identity.
    """
    if not last:
        return 0.0
    wait = min(period, BACKOFF * 2.0 ** min(failures - 1, 30)) if failures else period
    spread = place(identity, f"check at {last:.0f}") / 100
    return last + wait * (1 - JITTER + 2 * JITTER * spread)
