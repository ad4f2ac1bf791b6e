"""`jeos backup ls`: the files of a point, without mounting anything and without root."""

import argparse
import stat
import time

from jeos.backup import points
from jeos.backup.walk import Item, children, walk
from jeos.cli import output
from jeos.cli.backup import machine_files
from jeos.cli.backup.vaults import add_arguments, open_vault
from jeos.core import log
from jeos.core.errors import StoreError
from jeos.disk.root import Root
from jeos.model.tree import TYPE_BITS, Kind

HELP = "list the files of a point, without mounting anything and without root"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos backup ls`."""
    parser.add_argument("point", metavar="POINT", help="a point as `jeos backup list` shows it: web01@2, web01@latest")
    parser.add_argument("path", nargs="?", default="/", metavar="PATH", help="a folder or file (default: /)")
    parser.add_argument("-R", "--recursive", action="store_true", help="all that is below it, too")
    machine_files.add_arguments(parser)
    add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print what is there; exit with the status of a damaged store if a part of it cannot be read."""
    vault = open_vault(args)
    root = machine_files.root_of(vault, points.find(vault, args.point), volume=args.volume)
    failures: list[str] = []
    items = _items(root, args.path, recursive=args.recursive, failures=failures)
    if args.json:
        output.as_json([_data(item) for item in items])
    else:
        rows = [_row(item, recursive=args.recursive) for item in items]
        output.table(rows, header=("mode", "owner", "size", "changed", "name"), right=(2,))
    for failure in failures:
        log.warn(failure)
    return StoreError.exit_code if failures else 0


def _items(root: Root, path: str, *, recursive: bool, failures: list[str]) -> list[Item]:
    place = root.find(path)
    item = Item(place.path, place.node, place.mounted)
    if recursive:
        return list(walk(root, place.path, notes=failures))
    return children(root, item, notes=failures) if place.node.kind is Kind.DIRECTORY else [item]


def _row(item: Item, *, recursive: bool) -> tuple[str, ...]:
    node = item.node
    name = f"/{item.path}" if recursive else item.name
    if node.kind is Kind.DIRECTORY:
        name = f"{name.rstrip('/')}/"
    return (
        stat.filemode(TYPE_BITS[node.kind] | node.mode),
        f"{node.uid}:{node.gid}",
        output.size(node.size) if node.kind is Kind.FILE else "",
        _time(node.mtime),
        f"{name} -> {node.target}" if node.kind is Kind.SYMLINK else name,
    )


def _time(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):  # what a damaged disk says
        return "?"


def _data(item: Item) -> dict[str, object]:
    node = item.node
    return {
        "path": f"/{item.path}",
        "kind": node.kind,
        "mode": f"{node.mode:04o}",
        "uid": node.uid,
        "gid": node.gid,
        "size": node.size,
        "mtime": node.mtime,
        "target": node.target,
    }
