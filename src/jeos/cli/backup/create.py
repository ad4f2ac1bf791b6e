"""`jeos backup create`: make a backup point."""

import argparse
from pathlib import Path

from jeos.backup import stopped
from jeos.backup.create import Progress
from jeos.cli import output
from jeos.cli.backup.vaults import add_arguments, open_vault
from jeos.core import log
from jeos.core.errors import UsageError
from jeos.model.machine import ALIVE
from jeos.model.snapshot import Consistency, Point
from jeos.store.vault import Vault
from jeos.vm import session

HELP = "back up a machine, running or stopped, or disk files: the first time whole, then what changed"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos backup create`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("machine", nargs="?", metavar="MACHINE", help="a machine of this host: `jeos ls` lists them")
    what.add_argument(
        "--disk",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the disks of one machine, in their order: files in any format or devices, which nothing may write to",
    )
    parser.add_argument("--name", default="", help="with --disk: what the backups are called (default: as the file)")
    parser.add_argument("--format", default="", metavar="NAME", help="with --disk: the format (default: find it out)")
    parser.add_argument(
        "--no-freeze",
        action="store_true",
        help="do not freeze the file systems of a running guest for the instant: as after a power cut",
    )
    add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Make the point and say what it is."""
    if args.machine and (args.name or args.format):
        raise UsageError("--name and --format are for --disk", hint="the backups of a machine are called as it is")
    alive = bool(args.machine) and session.state(args.machine).status in ALIVE
    if args.disk:
        for path in args.disk:
            if not path.exists():
                raise UsageError(f"there is no disk {path}", hint="look at its name")
    vault = open_vault(args, create=True)
    with log.step(f"back up {args.machine or args.name or args.disk[0].name}") as step:
        point = _make(
            vault,
            args,
            alive=alive,
            progress=lambda name, done, size: step.update(f"{name}: {output.size(done)} of {output.size(size)}"),
        )
        step.done(f"{output.size(point.read)} read, {output.size(point.new)} new")
    tell(point, json=args.json)
    return 0


def _make(vault: Vault, args: argparse.Namespace, *, alive: bool, progress: Progress) -> Point:
    if args.disk:
        return stopped.of_files(vault, args.disk, owner=args.name, format=args.format, progress=progress)
    if alive:
        from jeos.backup import running  # loads what speaks to QEMU, which disk files do not need

        return running.create(vault, args.machine, freeze=not args.no_freeze, progress=progress)
    return stopped.of_machine(vault, args.machine, progress=progress)


def tell(point: Point, *, json: bool) -> None:
    """Say what a point is, and print its name."""
    for note in point.notes:
        log.info(f"  {note}")
    if json:
        output.as_json(data(point))
    else:
        output.line(f"{point.owner}@{point.number}")


def data(point: Point) -> dict[str, object]:
    """Return what is told of a point, for programs."""
    return {
        "name": point.name,
        "machine": point.owner,
        "number": point.number,
        "taken": point.taken,
        "consistency": point.consistency,
        "size": point.size,
        "data": point.data,
        "read": point.read,
        "new": point.new,
        "disks": [
            {"name": disk.name, "format": disk.format, "size": disk.manifest.size, "data": disk.data}
            for disk in point.disks
        ],
        "notes": point.notes,
    }


CONSISTENT = {
    Consistency.CRASH: "as after a power cut",
    Consistency.FILE_SYSTEM: "file systems frozen",
    Consistency.STOPPED: "stopped",
}
