"""`jeos new`: a folder with a recipe that builds at once."""

import argparse
from pathlib import Path

from jeos.build import scaffold
from jeos.cli import output
from jeos.core import log
from jeos.core.errors import UsageError

HELP = "make a folder with a commented recipe that builds at once"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the appliance's name, and the folder's")
    parser.add_argument("--template", default="web", metavar="TEMPLATE", help="what to start from (default: web)")
    parser.add_argument("--folder", type=Path, help="make this folder instead of one called NAME")
    parser.add_argument("--list", action="store_true", help="list the templates")
    parser.add_argument("--json", action="store_true", help="with --list: print JSON")


def run(args: argparse.Namespace) -> int:
    """Make the folder, or list the templates."""
    if args.list:
        found = scaffold.templates()
        if args.json:
            output.as_json([{"name": name, "summary": summary} for name, summary in found.items()])
        else:
            output.table(list(found.items()), header=("template", "summary"))
        return 0
    if not args.name:
        raise UsageError("a new appliance needs a name", hint="jeos new hello; `jeos new --list` shows the templates")
    folder = args.folder or Path(args.name)
    for path in scaffold.make(folder, name=args.name, template=args.template):
        output.line(str(path))
    log.info(f"made {folder}; go on with: cd {folder} && jeos build && jeos run")
    return 0
