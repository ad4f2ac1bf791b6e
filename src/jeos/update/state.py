"""What a guest remembers of its updates: the release on trial, those that failed and why, what was confirmed.

    state.read().trial                                        # None, or the release that is on trial
    state.change(lambda now: replace(now, trial=None))        # safe against power cuts and other processes

The ESP, not this, decides what starts; where the two differ (see `jeos.update.confirm`), the ESP is believed.
A state that was lost costs the memory of failures and no more.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from dataclasses import fields as fields_of
from typing import Any, TypeVar

from jeos.update import state_file
from jeos.update.errors import BusyError
from jeos.update.state_file import FOLDER

TRIAL_MARK = "trial"  # a file that is there while a release is on trial: units are started by it
MOST_FAILURES = 16  # the newest; older releases are not offered any more
LONGEST_REASON = 2000  # characters
PREPARED, STARTED, MIGRATED = "prepared", "started", "migrated"  # how far a trial got


@dataclass(frozen=True, slots=True)
class Trial:
    """A release that was put into the other slot, until it is confirmed or left again.

    `previous` and `previous_hash` are the release that ran before. `stage` is how far it got at its last start, and
    `reasons` why it was not well when last asked. `since` is in seconds since 1970. `troubled` are units that had
    failed before the update already, so that they are not held against it; `hooks` are the migrations that had run.
    `target` is the SHA-256 of the release's signed description.
    """

    version: str
    root_hash: str
    previous: str
    previous_hash: str
    since: float = 0.0
    stage: str = PREPARED
    reasons: tuple[str, ...] = ()
    troubled: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    target: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A release that was left again: it is not tried a second time, unless it is replaced by one with another hash.

    `when` is in seconds since 1970, `log` what the machine said last, `target` the SHA-256 of the signed description.
    """

    version: str
    root_hash: str
    reason: str
    when: float = 0.0
    log: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """All that is remembered. `hooks` are the migrations that ran on this data; `agent` is the planner's own."""

    trial: Trial | None = None
    confirmed: str = ""  # the version that was confirmed last; "" for the image's own
    previous: str = ""  # the one before it, in the other slot
    failures: tuple[Failure, ...] = ()
    hooks: tuple[str, ...] = ()
    agent: Mapping[str, object] = field(default_factory=dict)

    def failure(self, root_hash: str) -> Failure | None:
        """Return how the release with this root hash failed here, if it did."""
        return next((one for one in self.failures if one.root_hash == root_hash), None)

    def with_failure(self, failure: Failure) -> "State":
        """Return this state with one more failure; a release keeps its first reason."""
        known = self.failure(failure.root_hash)
        if known:
            again = replace(known, target=failure.target or known.target)
            return replace(self, failures=tuple(again if one is known else one for one in self.failures))
        short = replace(failure, reason=failure.reason[:LONGEST_REASON], log=failure.log[-LONGEST_REASON:])
        return replace(self, failures=(*self.failures, short)[-MOST_FAILURES:])


def read(folder: str = FOLDER) -> State:
    """Return the state; what cannot be read of it is as in a new one."""
    return parse(state_file.read(folder))


def change(edit: Callable[[State], State], *, folder: str = FOLDER) -> State:
    """Replace the state by what `edit` makes of it, and return it: on disk, with no other process between.

    The mark for units is made before a state with a trial is written, and taken away after one without: a cut between
    leaves a mark too many, never one too few.
    """
    mark = f"{folder}/{TRIAL_MARK}"

    def both(fields: state_file.Fields) -> state_file.Fields:
        after = edit(parse(fields))
        if after.trial is not None and not os.path.exists(mark):
            os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
            state_file.sync_folder(folder)
        return dump(after)

    after = parse(state_file.change(folder, both))
    if after.trial is None:
        with suppress(FileNotFoundError):
            os.unlink(mark)
    return after


@contextmanager
def alone(folder: str, name: str) -> Iterator[None]:
    """Keep others of this guest out of what is called `name`, as long as this process lives or the block lasts."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    lock = os.open(f"{folder}/.{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError("another update of this machine is at work", hint="jeos-agent status shows it") from None
        yield
    finally:
        os.close(lock)


def dump(state: State) -> state_file.Fields:
    """Return a state as a JSON object."""
    return asdict(state)


def parse(fields: Mapping[str, object]) -> State:
    """Return the state that a JSON object holds; each part of it that is not as it should be is left out."""
    trial = _parse(Trial, fields.get("trial"))
    failures = fields.get("failures")
    agent = fields.get("agent")
    return State(
        trial=trial,
        confirmed=_text(fields.get("confirmed")),
        previous=_text(fields.get("previous")),
        failures=tuple(
            one for item in (failures if isinstance(failures, list | tuple) else ()) if (one := _parse(Failure, item))
        ),
        hooks=_texts(fields.get("hooks")),
        agent=agent if isinstance(agent, dict) else {},
    )


Part = TypeVar("Part", Trial, Failure)


def _parse(kind: type[Part], said: object) -> Part | None:
    """Return a trial or failure; None if it lacks the two things that tell which release it is about."""
    if not isinstance(said, dict) or not _text(said.get("version")) or not _text(said.get("root_hash")):
        return None
    values: dict[str, Any] = {}
    for one in fields_of(kind):
        value = said.get(one.name)
        if one.type is float:
            values[one.name] = float(value) if isinstance(value, int | float) else 0.0
        else:
            values[one.name] = _text(value) if one.type is str else _texts(value)
    return kind(**values)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()
