"""`jeos template list`: the templates of this host."""

import argparse
import time

from jeos.cli import output
from jeos.cli.ls import age
from jeos.vm import template

HELP = "list the templates: what they are, how old, how large, and which machines need them"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos template list`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the templates."""
    found = template.listed()
    if args.json:
        output.as_json(found)
        return 0
    rows = [
        (
            one.name,
            f"{one.saved.machine.appliance} {one.saved.version}".strip(),
            age(time.time() - one.saved.taken),
            f"{one.saved.machine.memory} MiB",
            output.size(one.size),
            ", ".join(template.users(one.name)),
        )
        for one in found
    ]
    output.table(rows, header=("template", "appliance", "ago", "memory", "on disk", "machines"), right=(3, 4))
    return 0
