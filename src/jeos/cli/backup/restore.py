"""`jeos backup restore`: the disks of a point, written out again."""

import argparse
import stat
from pathlib import Path

from jeos.backup import points, restore
from jeos.backup.fill import Progress
from jeos.cli import output
from jeos.cli.backup.vaults import add_arguments, need_terminal_or_yes, open_vault
from jeos.core import files, log
from jeos.core.errors import UsageError
from jeos.model.snapshot import Point, PointDisk
from jeos.store.vault import Vault

HELP = "write the disks of a point to files or a device, or give them back to the machine"
ENDINGS = {".raw": "raw", ".img": "raw", ".qcow2": "qcow2"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos backup restore`."""
    parser.add_argument("point", metavar="POINT", help="a point as `jeos backup list` shows it: web01@2, web01@latest")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the new disk, or a block device; a point with several disks makes FILE, FILE-2…",
    )
    where.add_argument(
        "--in-place", action="store_true", help="give the disks back to the machine of that name, which is stopped"
    )
    parser.add_argument("--to", choices=restore.FORMATS, help="the format (default: as FILE ends, else raw)")
    parser.add_argument("--disk", type=int, metavar="N", help="only the Nth disk of the point, counted from 1")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--yes", action="store_true", help="do not ask before a machine's or device's data is replaced")
    add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Restore, and say what was written."""
    vault = open_vault(args)
    point = points.find(vault, args.point)
    if args.in_place:
        written = _in_place(vault, point, args)
    else:
        chosen = _chosen(point, args.disk)
        written = [_to(vault, disk, _numbered(args.output, number), args) for number, disk in enumerate(chosen)]
    if args.json:
        output.as_json({"point": point.name, "written": written})
    else:
        for path in written:
            output.line(str(path))
    return 0


def _chosen(point: Point, number: int | None) -> tuple[PointDisk, ...]:
    if number is None:
        return point.disks
    if not 1 <= number <= len(point.disks):
        raise UsageError(f"{point.owner}@{point.number} has no disk {number}", hint=f"it has {len(point.disks)}")
    return (point.disks[number - 1],)


def _numbered(path: Path, number: int) -> Path:
    return path if not number else path.with_name(f"{path.stem}-{number + 1}{path.suffix}")


def _to(vault: Vault, disk: PointDisk, path: Path, args: argparse.Namespace) -> Path:
    if path.exists() and stat.S_ISBLK(path.stat().st_mode):
        if args.to == "qcow2":
            raise UsageError(f"{path} is a device", hint="devices take raw disks: leave --to away")
        need_terminal_or_yes(args, f"Replace all that is on {path}?")
        with log.step(f"restore {path.name}") as step:
            restore.into_device(vault, disk, path, progress=_shown(step))
            step.done(output.size(disk.manifest.size))
        return path
    files.check_new(path, force=args.force)
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="make it first")
    with log.step(f"restore {path.name}") as step:
        form = args.to or ENDINGS.get(path.suffix.lower(), "raw")
        restore.restore(vault, disk, path, format=form, progress=_shown(step))
        step.done(f"{output.size(disk.manifest.size)}, {output.size(disk.data)} of it data, as {form}")
    return path


def _in_place(vault: Vault, point: Point, args: argparse.Namespace) -> list[Path]:
    if args.to or args.disk:
        raise UsageError("--in-place gives all disks back as the machine has them", hint="leave --to and --disk away")
    need_terminal_or_yes(args, f"Replace the disks of the machine {point.owner} by those of {point.taken}?")
    with log.step(f"restore {point.owner}") as step:
        written = restore.into_machine(vault, point, progress=_shown(step))
        step.done(f"{output.size(point.data)} of data")
    return written


def _shown(step: log.Step) -> Progress:
    return lambda done, size: step.update(f"{output.size(done)} of {output.size(size)}")
