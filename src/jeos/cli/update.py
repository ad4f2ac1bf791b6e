"""`jeos update`: have a machine look for a newer release of its appliance, and take it."""

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from jeos.cli import output, times
from jeos.core import log
from jeos.core.errors import MachineError, UsageError
from jeos.core.terminal import plain
from jeos.model.machine import ALIVE
from jeos.vm import session
from jeos.vm.guest import Guest
from jeos.vm.places import places_of

HELP = "have a machine look for a newer release of its appliance in the vendor's channel, and take it"
EPILOG = """\
The machine looks by itself, too, as often as its recipe says. With --now, this waits until the new release is confirmed
by its health, or until the machine has gone back to the old one, which ends with exit status 9.
"""
COMMAND = "/usr/bin/jeos-agent"
PASS_SECONDS = 3600.0  # for a pass in the guest, which gives up on hanging servers by itself
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it: the version that runs, whether that is a new one, and why, in words."""

    machine: str
    version: str
    updated: bool
    words: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos update`."""
    parser.epilog = EPILOG
    parser.add_argument("name", nargs="?", metavar="NAME", help="the machine (default: the only one that runs)")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--check", action="store_true", help="only tell what would be done")
    way.add_argument("--now", action="store_true", help="wait for no percentages, pauses and windows")
    parser.add_argument(
        "--timeout",
        type=times.wait,
        default=900.0,
        metavar="TIME",
        help="how long the machine may take to start and prove its health, as 90 or 5m (default: 15m)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Make the guest's agent look for a release, and follow what it does."""
    name = args.name or the_only_one()
    session.require_alive(name)
    option = ["--check"] if args.check else ["--now"] if args.now else []
    with Guest(places_of(name).guest) as guest:
        before = guest.status()
        outcome = ask(guest, option)
    words = str(outcome.get("words", ""))
    if outcome.get("error"):
        raise MachineError(f"{name} could not be updated: {plain(words)}", hint=plain(str(outcome.get("hint", ""))))
    result = Result(machine=name, version=str(before.get("version", "")), updated=False, words=words)
    if outcome.get("restarting") is True:
        log.info(f"{name}: {plain(words)}")
        result = follow(name, before, wanted=str(outcome.get("version", "")), seconds=args.timeout)
    if args.json:
        output.as_json({**outcome, "result": result})
    else:
        output.line(f"{name}: {plain(result.words)}")
    return 0


def the_only_one() -> str:
    """Return the name of the one machine that runs. Raises UsageError if none does, or several."""
    running = [seen.machine.name for seen in session.all_seen() if seen.state.status in ALIVE]
    if len(running) != 1:
        there = f"{', '.join(running)} run" if running else "no machine runs"
        raise UsageError(f"which machine is to be updated? {there}", hint="name one: jeos update NAME")
    return running[0]


def ask(guest: Guest, options: list[str]) -> Mapping[str, object]:
    """Have a pass made in the guest, and return what came of it. Raises MachineError."""
    done = guest.exec([COMMAND, "update", "--json", *options], deadline=PASS_SECONDS)
    for line in done.stderr.decode(errors="replace").splitlines():
        log.info(f"  {plain(line.removeprefix('jeos: '))}")
    try:
        outcome = json.loads(done.stdout)
    except ValueError:
        outcome = None
    if not isinstance(outcome, dict):
        reason = plain(done.stderr.decode(errors="replace").strip())[-400:] or f"it ended with status {done.status}"
        raise MachineError(f"the guest does not update itself: {reason}", hint="does its recipe have an [update]?")
    return outcome


def follow(name: str, before: Mapping[str, object], *, wanted: str, seconds: float) -> Result:
    """Wait until the machine has started again and its release is kept or left. Raises MachineError if it is left."""
    until = time.monotonic() + seconds
    with log.step("restart") as step:
        while True:
            status = _asked(name, seconds=max(1.0, until - time.monotonic()))
            decided = verdict(status, before, wanted=wanted)
            if decided is True:
                step.done(f"{wanted} runs")
                return Result(name, wanted, True, f"{wanted} runs, and is confirmed")
            if decided is not None:
                raise MachineError(
                    plain(f"{name} went back to {status.get('version')}: {decided}"), hint=f"jeos logs {name}"
                )
            if time.monotonic() > until:
                raise MachineError(
                    f"{name} has not confirmed {wanted} after {seconds:g} s", hint=f"jeos logs {name} shows why"
                )
            step.update(f"{status.get('version')} is {status.get('health')}")
            time.sleep(POLL_SECONDS)


def verdict(status: Mapping[str, object], before: Mapping[str, object], *, wanted: str) -> bool | str | None:
    """Tell from a machine's status whether a release was kept, or why it was left; None while that is open."""
    update = status.get("update")
    if not isinstance(update, dict) or status.get("boot") == before.get("boot"):
        return None
    failed = [one for one in update.get("failed", ()) if isinstance(one, dict) and one.get("version") == wanted]
    if status.get("version") == wanted:
        return True if not update.get("trial") else None
    return str(failed[-1].get("reason")) if failed and not update.get("trial") else None


def _asked(name: str, *, seconds: float) -> Mapping[str, object]:
    """Return the machine's status as soon as its agent answers; nothing while it is between two starts."""
    session.require_alive(name)
    try:
        with Guest(places_of(name).guest) as guest:
            return guest.status(deadline=seconds)
    except MachineError as error:
        log.debug(f"not yet: {error.message}")
        return {}
