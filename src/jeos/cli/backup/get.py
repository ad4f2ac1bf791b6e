"""`jeos backup get`: files and folders out of a point."""

import argparse
import sys
from pathlib import Path

from jeos.backup import get, points
from jeos.cli import output
from jeos.cli.backup import machine_files
from jeos.cli.backup.vaults import add_arguments, open_vault
from jeos.core import files, log
from jeos.core.errors import StoreError, UsageError
from jeos.disk.root import Root

HELP = "take files and folders out of a point, into a folder or a tar archive"
PRIVATE = 0o600  # an archive may hold what only root could read


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos backup get`."""
    parser.add_argument("point", metavar="POINT", help="a point as `jeos backup list` shows it: web01@2, web01@latest")
    parser.add_argument("path", nargs="+", metavar="PATH", help="a file or folder of the machine")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PLACE",
        help="the folder that gets them (default: this one); with --tar the archive, - for standard output",
    )
    parser.add_argument("--tar", action="store_true", help="make a tar archive, which keeps owners, modes and devices")
    parser.add_argument("--force", action="store_true", help="with --tar: replace an archive that is there")
    machine_files.add_arguments(parser)
    add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Take them out; exit with the status of a damaged store if some could not be read."""
    if args.tar and args.output is None:
        raise UsageError("--tar makes an archive, and nobody says where", hint="-o FILE.tar, or -o - to pipe it")
    vault = open_vault(args)
    root = machine_files.root_of(vault, points.find(vault, args.point), volume=args.volume)
    with log.step("get") as step:
        got = _tar(root, args) if args.tar else _folder(root, args)
        step.done(f"{got.files} file{'s' * (got.files != 1)}, {output.size(got.bytes)}")
    for text in (*got.notes, *got.failures):
        log.warn(text)
    if args.json:
        output.as_json(got)
    return StoreError.exit_code if got.failures else 0


def _folder(root: Root, args: argparse.Namespace) -> get.Got:
    folder: Path = args.output or Path()
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint="make it first, or give another one: -o DIR")
    return get.into_folder(root, args.path, folder)


def _tar(root: Root, args: argparse.Namespace) -> get.Got:
    if str(args.output) == "-":
        if args.json or sys.stdout.isatty():
            raise UsageError("an archive does not go where text goes", hint="-o FILE.tar, or pipe it: | tar t")
        return get.into_tar(root, args.path, sys.stdout.buffer)
    files.check_new(args.output, force=args.force)
    with files.replace(args.output, mode=PRIVATE, full=files.ROOM_FOR_FILE) as file:
        return get.into_tar(root, args.path, file)
