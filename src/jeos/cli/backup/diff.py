"""`jeos backup diff`: the files that differ between two points."""

import argparse
from collections import Counter

from jeos.backup import points
from jeos.backup.diff import Change, Difference, differences
from jeos.cli import output
from jeos.cli.backup import machine_files
from jeos.cli.backup.vaults import add_arguments, open_vault
from jeos.core import log
from jeos.core.errors import StoreError

HELP = "list the files that were added, changed or removed between two points"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos backup diff`."""
    parser.add_argument("old", metavar="OLD", help="a point as `jeos backup list` shows it: web01@1")
    parser.add_argument("new", metavar="NEW", help="the point to compare with it: web01@2, web01@latest")
    parser.add_argument("path", nargs="?", default="/", metavar="PATH", help="only this folder or file (default: /)")
    parser.add_argument(
        "--contents",
        action="store_true",
        help="compare the contents of files whose size and time are the same, too: slow, and sure",
    )
    machine_files.add_arguments(parser)
    add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the differences; exit with the status of a damaged store if a part could not be read."""
    vault = open_vault(args)
    old, new = points.find(vault, args.old), points.find(vault, args.new)
    failures: list[str] = []
    found: list[Difference] = []
    same = [disk.manifest for disk in old.disks] == [disk.manifest for disk in new.disks]
    if not same:  # else not a single byte differs
        before, after = (machine_files.root_of(vault, point, volume=args.volume) for point in (old, new))
        found = list(differences(before, after, args.path, contents=args.contents, notes=failures))
    if args.json:
        output.as_json([_data(item) for item in found])
    else:
        output.table([_row(item) for item in found], header=("change", "size", "what", "path"), right=(1,))
        counts = Counter(item.change for item in found)
        log.info(", ".join(f"{counts[change]} {change}" for change in Change))
    for failure in failures:
        log.warn(failure)
    return StoreError.exit_code if failures else 0


def _row(item: Difference) -> tuple[str, ...]:
    size = item.size_before if item.change is Change.REMOVED else item.size
    return item.change, output.size(size), ", ".join(item.what), f"/{item.path}"


def _data(item: Difference) -> dict[str, object]:
    return {
        "path": f"/{item.path}",
        "change": item.change,
        "what": item.what,
        "size_before": item.size_before,
        "size": item.size,
    }
