"""A release on trial: what its starts do until it is confirmed, or left for the release before.

    begin(place, machine)       before services: snapshot, migrations; in the old release: what became of the new one
    confirm(place, machine)     once there are services: wait until all is well for a time, then keep the release

What counts is on the ESP: a kernel image with a counter is on trial, one without is kept, one that has no starts left
was left. Nothing here needs the network, the channel or a right clock.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace

from jeos.core.errors import JeosError
from jeos.update import kernels, migrate, snapshot, state
from jeos.update.kernels import Entry
from jeos.update.state import MIGRATED, PREPARED, STARTED, Failure, State, Trial
from jeos.update.state_file import FOLDER

INTERVAL = 3.0  # seconds between two looks at the health of a release on trial
WITHIN = 120.0  # seconds until a check must hold, if the recipe does not say
SHORTEST_FAILED = (
    10.0  # seconds that a unit must have failed for, at the least, to be given up: others may start it again
)


@dataclass(frozen=True, slots=True)
class Place:
    """This start: the version and root hash that run, how the ESP is reached, and where the state is kept."""

    version: str
    root_hash: str
    esp: Callable[[bool], AbstractContextManager[str]]  # told whether it is only read
    folder: str = FOLDER
    etc: str = snapshot.ETC
    hooks: str = migrate.FOLDER
    root: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What can be asked of the guest, and done to it.

    `complaints` returns why it is not well, nothing if it is; `troubled` the units that have failed; `words` the last
    lines of its log. `uptime` is in seconds since boot.
    """

    restart: Callable[[], None]
    complaints: Callable[[], Sequence[str]]
    troubled: Callable[[], Sequence[str]]
    words: Callable[[], str]
    uptime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    sleep: Callable[[float], None] = time.sleep


def begin(place: Place, machine: Machine, *, keep: Sequence[str] = ()) -> str:
    """Do what is to be done before services start, and return what that was, in words.

    `keep` are the paths to copy before migrations run. The machine may be asked to restart.
    """
    known = state.read(place.folder)
    if known.trial is None:
        _note(place, lambda now: now)  # takes the mark away that a power cut left
        return "no release is on trial"
    if known.trial.root_hash == place.root_hash:
        return _begin_trial(place, machine, known, known.trial, keep=keep)
    return _look_back(place, machine, known, known.trial)


def _begin_trial(place: Place, machine: Machine, known: State, trial: Trial, *, keep: Sequence[str]) -> str:
    failure = known.failure(trial.root_hash)
    if failure is not None:  # the power went between writing that down and telling the boot loader
        return _leave(place, machine, trial, reason=failure.reason)
    _note_trial(place, stage=STARTED, reasons=())
    try:
        snapshot.take(keep, label=trial.root_hash, folder=f"{place.folder}/snapshot", etc=place.etc, root=place.root)
        due = migrate.due(migrate.hooks(place.hooks), before=trial.previous, now=place.version, done=known.hooks)
        migrate.run(due, before=trial.previous, now=place.version, ran=lambda hook: _note_hook(place, hook.name))
    except (JeosError, OSError) as error:
        reason = error.message if isinstance(error, JeosError) else str(error)
        return _leave(place, machine, trial, reason=f"its data could not be migrated: {reason}")
    _note_trial(place, stage=MIGRATED, reasons=())
    return f"{trial.version} is on trial; {len(due)} migrations ran"


def _look_back(place: Place, machine: Machine, known: State, trial: Trial) -> str:
    """Find out, in the old release, why the new one does not run, and put the data back if it was tried."""
    with place.esp(False) as esp:
        entry = kernels.of(esp, trial.root_hash)
        failure = known.failure(trial.root_hash)
        if failure is None and (entry is None or entry.left is None):
            kept = entry is not None
            _note(place, lambda now: replace(now, trial=None, confirmed=trial.version if kept else now.confirmed))
            return f"{trial.version} {'was confirmed' if kept else 'was never put in place'}"
        if failure is None and entry is not None and not entry.done and not entry.bad:
            return f"{trial.version} waits for its first start"
        if entry is not None and not entry.bad:
            kernels.condemn(esp, entry)
    reason = failure.reason if failure else guess(trial, entry)
    folder = f"{place.folder}/snapshot"
    restored = snapshot.label_of(folder) == trial.root_hash
    restart = snapshot.restore(label=trial.root_hash, folder=folder, etc=place.etc, root=place.root)
    found = Failure(trial.version, trial.root_hash, reason, time.time(), target=trial.target)
    _note(place, lambda now: _left(now.with_failure(found), hooks=trial.hooks if restored else now.hooks))
    snapshot.drop(folder, place.etc)
    if restart:
        machine.restart()
    return f"{trial.version} failed: {reason}{'; the data is as it was before' if restored else ''}"


def guess(trial: Trial, entry: Entry | None) -> str:
    """Return why a release that had no time to say so may have failed, from how far it got."""
    starts = f" ({entry.done} starts)" if entry is not None and entry.done > 1 else ""
    if trial.stage == PREPARED:
        return f"it never came as far as its first service: kernel, initrd or verified system failed{starts}"
    if trial.stage == STARTED:
        return f"it stopped while its data was migrated{starts}"
    last = f"; it lacked: {'; '.join(trial.reasons)}" if trial.reasons else ""
    return f"it stopped or hung before its health was proved{starts}{last}"


def confirm(place: Place, machine: Machine, *, hold: float, within: float = WITHIN) -> str:
    """Keep the running release once it has been well for `hold` seconds, and return what happened, in words.

    It has `within` seconds from now to become well, however long its migrations took; the decision falls `hold` seconds
    later, or twice that where it was well for a part of the time. A unit that has failed, and stays so for `hold`, is
    not waited for: systemd has given it up. A release that is not well is left: the reason is kept, the boot loader
    told, and the machine restarted.
    """
    known = state.read(place.folder)
    with place.esp(True) as esp:
        entry = kernels.of(esp, place.root_hash)
    trial = known.trial if known.trial is not None and known.trial.root_hash == place.root_hash else None
    if entry is None or (trial is None and entry.left is None):
        return "no release is on trial"
    if trial is None:  # the data, and with it the state, was lost or exchanged since the update
        trial = Trial(place.version, place.root_hash, previous="", previous_hash="", stage=MIGRATED)
    if entry.left is not None:
        if trial.stage != MIGRATED:
            return _leave(place, machine, trial, reason="its first step, which migrates data, did not end")
        reasons = _watch(place, machine, trial, hold=hold, within=within)
        if reasons:
            return _leave(place, machine, trial, reason="; ".join(reasons), log=machine.words())
        with place.esp(False) as esp:
            kernels.bless(esp, entry)
    return _keep(place, trial)


def _watch(place: Place, machine: Machine, trial: Trial, *, hold: float, within: float) -> Sequence[str]:
    """Wait until the machine was well for `hold` seconds; return why it is not when its time is up."""
    shown: Sequence[str] = trial.reasons
    well_since: float | None = None
    failed_since: dict[str, float] = {}
    end = machine.uptime() + within + hold
    while True:
        failed = [unit for unit in machine.troubled() if unit not in trial.troubled]
        reasons = [*machine.complaints(), *(f"{unit} has failed" for unit in failed)]
        now = machine.uptime()
        failed_since = {unit: failed_since.get(unit, now) for unit in failed}
        if any(now - since >= max(hold, SHORTEST_FAILED) for since in failed_since.values()):
            return reasons
        if reasons:
            well_since = None
        elif well_since is None:
            well_since = now
        if well_since is not None and now - well_since >= hold:
            return ()
        if now >= end and (reasons or now >= end + hold):
            return reasons or ("it was well, but never for as long as it must be",)
        if list(reasons) != list(shown):
            shown = reasons
            _note_trial(place, stage=MIGRATED, reasons=tuple(reasons))
        left = hold - (now - well_since) if well_since is not None else INTERVAL
        machine.sleep(max(0.05, min(INTERVAL, left)))


def _keep(place: Place, trial: Trial) -> str:
    _note(place, lambda now: replace(now, trial=None, confirmed=trial.version, previous=trial.previous))
    with suppress(OSError):  # it takes room, and no more
        snapshot.drop(f"{place.folder}/snapshot", place.etc)
    return f"{trial.version} is confirmed"


def _leave(place: Place, machine: Machine, trial: Trial, *, reason: str, log: str = "") -> str:
    """Give a release up for the one before, unless there is none to start."""
    failure = Failure(trial.version, trial.root_hash, reason, time.time(), log=log, target=trial.target)
    with place.esp(False) as esp:
        found = kernels.entries(esp)
        if not any(one.root_hash and one.root_hash != place.root_hash and not one.bad for one in found):
            _note_trial(place, stage=trial.stage, reasons=(reason,))
            return f"{trial.version} is not well, but there is no release to go back to: {reason}"
        _note(place, lambda now: now.with_failure(failure))
        for entry in found:
            if entry.root_hash == place.root_hash:
                kernels.condemn(esp, entry)
    machine.restart()
    return f"{trial.version} failed: {reason}"


def _left(now: State, *, hooks: tuple[str, ...]) -> State:
    return replace(now, trial=None, hooks=hooks)


def _note(place: Place, edit: Callable[[State], State]) -> None:
    state.change(edit, folder=place.folder)


def _note_hook(place: Place, name: str) -> None:
    _note(place, lambda now: replace(now, hooks=(*now.hooks, name)))


def _note_trial(place: Place, *, stage: str, reasons: tuple[str, ...]) -> None:
    def edit(now: State) -> State:
        if now.trial is None or now.trial.root_hash != place.root_hash:
            return now
        return replace(now, trial=replace(now.trial, stage=stage, reasons=reasons))

    _note(place, edit)
