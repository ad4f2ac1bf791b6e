"""`jeos backup watch`: back up the machines of this host when their schedules say so."""

import argparse
import calendar
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from jeos.backup import points, running, stopped
from jeos.backup.needs import needs
from jeos.backup.retention import Rules, keep
from jeos.backup.schedule import Schedule, Schedules, parse
from jeos.cli import output
from jeos.cli.backup import vaults
from jeos.cli.failures import for_each, report
from jeos.core import log, settings
from jeos.core.errors import JeosError, UsageError
from jeos.model.machine import ALIVE
from jeos.store.vault import Vault
from jeos.store.vault_collect import collect
from jeos.vm import session

HELP = "back up the machines of this host when their schedules say so, until it is stopped (or --once)"

LOOK_SECONDS = 30.0  # between two looks at the schedules: they count in minutes
FILE = "backups.toml"
UNITS = """\
# ~/.config/systemd/user/jeos-backup.service (or, for root's machines, /etc/systemd/system/jeos-backup.service)
[Unit]
Description=Back up the machines of jeos whose schedules say so

[Service]
Type=oneshot
ExecStart={command} backup watch --once{more}
# Beside whatever else this host does.
Nice=10
IOSchedulingClass=idle

# jeos-backup.timer, in the same folder; then: systemctl --user enable --now jeos-backup.timer
[Unit]
Description=Look every five minutes which machines of jeos are to be backed up

[Timer]
OnCalendar=*:0/5
RandomizedDelaySec=30
Persistent=true

[Install]
WantedBy=timers.target
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos backup watch`."""
    parser.add_argument(
        "--schedules",
        type=Path,
        metavar="FILE",
        help=f"the file that says how often (default: {FILE} in the state folder)",
    )
    parser.add_argument("--once", action="store_true", help="make the backups that are due now, and end")
    parser.add_argument(
        "--print-units", action="store_true", help="print a systemd service and timer that do this, and end"
    )
    vaults.add_arguments(parser, json=False)


def run(args: argparse.Namespace) -> int:
    """Make the backups that are due, once or again and again."""
    place = args.schedules or settings.state_dir() / FILE
    if args.print_units:
        return _print_units(args)
    failures: dict[str, float] = {}
    status = _round(args, read(place), failures)
    while not args.once:
        time.sleep(LOOK_SECONDS)
        try:
            _round(args, read(place), failures)
        except JeosError as error:  # a file that is just being edited must not end it
            report(error)
    return status


def read(place: Path) -> Schedules:
    """Read the file of schedules. Raises UsageError if there is none."""
    try:
        return parse(place.read_text(), source=str(place))
    except FileNotFoundError:
        hint = 'write it: [default] on one line, every = "24h" on the next'
        raise UsageError(f"there are no schedules at {place}", hint=hint) from None


def _round(args: argparse.Namespace, schedules: Schedules, failures: dict[str, float]) -> int:
    """Make each backup that is due; one that fails keeps none of the others from being made."""
    opened: dict[str, Vault] = {}

    def back_up(name: str) -> None:
        schedule = schedules.of(name)
        assert schedule is not None
        try:
            where = argparse.Namespace(**{**vars(args), "store": schedule.store or args.store})
            key = str(vaults.place(where).place)
            opened[key] = opened.get(key) or vaults.open_vault(where, create=True)
            _back_up(opened[key], name, schedule, failed=failures.get(name, 0.0))
            failures.pop(name, None)
        except JeosError:
            failures[name] = time.time()
            raise

    names = [seen.machine.name for seen in session.all_seen()]
    missing = sorted(set(schedules.machines) - set(names))
    for name in missing:
        log.debug(f"there is no machine {name}, which has a schedule")
    return for_each([name for name in names if schedules.of(name) is not None], back_up)


def _back_up(vault: Vault, name: str, schedule: Schedule, *, failed: float) -> None:
    owner = points.owner_name(name)
    newest = points.newest(vault, owner)
    last = float(calendar.timegm(time.strptime(newest.taken, "%Y-%m-%dT%H:%M:%SZ"))) if newest else 0.0
    state = session.state(name)
    alive = state.status in ALIVE
    if not schedule.due(last=last, now=time.time(), failed=failed) or (not alive and 0 < state.since < last):
        return  # one that was stopped before its last point has not changed since
    with log.step(f"back up {name}") as step:
        point = running.create(vault, name) if alive else stopped.of_machine(vault, name)
        step.done(f"{output.size(point.read)} read, {output.size(point.new)} new")
    if schedule.keep:
        _thin(vault, owner, schedule.keep)


def _thin(vault: Vault, owner: str, rules: Rules) -> None:
    """Delete the points of a machine that no rule wants, and what nothing needs any more."""
    names = points.names_of(vault, owner)
    zone = datetime.now().astimezone().tzinfo
    kept = keep(names, rules, zone=zone or UTC)
    going = [name for name in names if name not in kept]
    if not going:
        return
    with log.step(f"thin out {owner}") as step:
        for name in going:
            vault.delete_point(name)
        collected = collect(vault, needs=needs)
        step.done(f"{len(going)} points deleted, {output.size(collected.freed)} freed")


def _print_units(args: argparse.Namespace) -> int:
    found = shutil.which("jeos") or str(Path(sys.argv[0]).absolute())
    more = f" --schedules {args.schedules.absolute()}" if args.schedules else ""
    if args.store:
        more += f" --store {args.store}"
    output.line(UNITS.format(command=found, more=more).rstrip())
    return 0
