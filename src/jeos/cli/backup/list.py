"""`jeos backup list`: the points that there are."""

import argparse
import json
import time

from jeos.backup import points
from jeos.cli import output
from jeos.cli.backup.create import CONSISTENT, data
from jeos.cli.backup.vaults import add_arguments, open_vault
from jeos.model.snapshot import Point
from jeos.store.vault import Vault

HELP = "list backup points: when they were taken, how large they are, what was new, and when they were verified"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos backup list`."""
    parser.add_argument("machine", nargs="?", default="", metavar="MACHINE", help="only the points of this machine")
    add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the points, oldest first."""
    vault = open_vault(args)
    found = list(points.readable(vault, args.machine))
    if args.machine and not found:
        points.find(vault, args.machine)  # says which others there are
    if args.json:
        output.as_json([{**data(point), "verified": checked(vault, point)} for point in found])
        return 0
    rows = [_row(vault, point) for point in found]
    header = ("point", "taken", "size", "data", "new", "consistency", "verified")
    output.table(rows, header=header, right=(2, 3, 4))
    return 0


def _row(vault: Vault, point: Point) -> tuple[str, ...]:
    return (
        f"{point.owner}@{point.number}",
        local(point.taken),
        output.size(point.size),
        output.size(point.data),
        output.size(point.new),
        CONSISTENT[point.consistency],
        _verified(vault, point),
    )


def local(taken: str) -> str:
    """Return a time of a point as this host's clocks show it."""
    import calendar

    seconds = calendar.timegm(time.strptime(taken, "%Y-%m-%dT%H:%M:%SZ"))
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _when(time: object) -> str:
    try:
        return local(str(time))
    except ValueError:
        return "?"


def checked(vault: Vault, point: Point) -> object:
    """Return what the last verification said about a point, None if there was none that can be read."""
    note = vault.checked(point.name)
    try:
        return json.loads(note) if note else None
    except ValueError:
        return None


def _verified(vault: Vault, point: Point) -> str:
    note = checked(vault, point)
    if not isinstance(note, dict):
        return "never"
    return f"{'' if note.get('sound') is True else 'DAMAGED, '}{_when(note.get('time'))}"
