"""`jeos backup create`: make a backup point."""

import argparse

from jeos.backup import running
from jeos.cli import output
from jeos.cli.backup.vaults import add_arguments, open_vault
from jeos.core import log
from jeos.model.snapshot import Point
from jeos.vm import session

HELP = "back a machine up while it runs: the first time whole, then what changed"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos backup create`."""
    parser.add_argument("machine", metavar="MACHINE", help="a machine that runs")
    parser.add_argument(
        "--no-freeze",
        action="store_true",
        help="do not freeze the guest's file systems for the instant: as after a power cut",
    )
    add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Make the point and say what it is."""
    session.require_alive(args.machine)
    vault = open_vault(args, create=True)
    with log.step(f"back up {args.machine}") as step:
        point = running.create(
            vault,
            args.machine,
            freeze=not args.no_freeze,
            progress=lambda name, done, size: step.update(f"{name}: {output.size(done)} of {output.size(size)}"),
        )
        step.done(f"{output.size(point.read)} read, {output.size(point.new)} new")
    tell(point, json=args.json)
    return 0


def tell(point: Point, *, json: bool) -> None:
    """Say what a point is, and print its name."""
    for note in point.notes:
        log.info(f"  {note}")
    if json:
        output.as_json(
            {
                "name": point.name,
                "number": point.number,
                "taken": point.taken,
                "consistency": point.consistency,
                "size": point.size,
                "data": point.data,
                "read": point.read,
                "new": point.new,
                "notes": point.notes,
            }
        )
    else:
        output.line(f"{point.owner}@{point.number}")
