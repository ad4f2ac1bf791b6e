"""`jeos size`: what takes the space in a built image."""

import argparse
from pathlib import Path

from jeos.build import outputs, sizes
from jeos.cli import output
from jeos.model.report import Report
from jeos.model.tree import Tree

HELP = "show what takes the space in an image: by package, folder and file, and what slim took out"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos size`."""
    parser.add_argument("path", nargs="?", type=Path, default=Path(), help="recipe folder or image description")
    parser.add_argument("--by", choices=("package", "folder", "file", "rule"), help="show this list alone")
    parser.add_argument("--top", type=int, default=12, metavar="N", help="lines per list (default: 12; 0 shows all)")
    parser.add_argument("--depth", type=int, default=3, metavar="N", help="levels of folders (default: 3)")
    parser.add_argument("--diff", type=Path, metavar="PATH", help="show the differences to another build instead")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the lists that were asked for."""
    built = outputs.find(args.path)
    tree = built.tree()
    if args.diff:
        return _difference(outputs.find(args.diff).tree(), tree, args=args)
    lists = _lists(built.report(), tree, depth=args.depth)
    if args.by:
        lists = {args.by: lists[args.by]}
    if args.json:
        output.as_json({name: [{"name": row[0], "bytes": row[1]} for row in rows] for name, rows in lists.items()})
        return 0
    if not args.by:
        image = built.image
        output.line(f"{image.name} {image.version}: {len(tree)} entries, {output.size(tree.size)} of files")
        output.line(
            f"  system slot    {output.size(image.system_size)} (and {output.size(image.verity_size)} of verity)"
        )
        output.line(f"  kernel image   {output.size(image.kernel_size)}")
        output.line(f"  disk           {output.size(image.disk_size)}, sparse")
    for name, rows in lists.items():
        output.line()
        title = "taken out by slim" if name == "rule" else f"by {name}"
        shown = rows[: args.top] if args.top else rows
        output.table([(row[0], output.size(row[1]), row[2]) for row in shown], header=(title, "size", ""), right=(1,))
    return 0


def _lists(report: Report, tree: Tree, *, depth: int) -> dict[str, list[tuple[str, int, str]]]:
    packages = [(item.name or "(no package)", item.size, item.version) for item in report.packages]
    folders = [(f"/{path}", size, "") for path, size in sizes.by_folder(tree, depth=depth).items()]
    files = [(f"/{path}", size, "") for path, size in sizes.by_file(tree).items()]
    rules = [(item.name, item.size, item.why) for item in report.rules]
    lists = {"package": packages, "folder": folders, "file": files, "rule": rules}
    return {name: sorted(rows, key=lambda row: (-row[1], row[0])) for name, rows in lists.items()}


def _difference(before: Tree, after: Tree, *, args: argparse.Namespace) -> int:
    changes = sizes.changes(before, after)
    if args.json:
        output.as_json(changes)
        return 0
    shown = changes[: args.top] if args.top else changes
    rows = [
        (
            f"/{change.path}",
            "-" if change.before is None else output.size(change.before),
            "-" if change.after is None else output.size(change.after),
            f"{change.gain:+,}",
        )
        for change in shown
    ]
    output.table(rows, header=("file", "there", "here", "bytes"), right=(1, 2, 3))
    total = sum(change.gain for change in changes)
    output.line()
    output.line(f"{len(changes)} files differ; {total:+,} bytes in all")
    return 0
