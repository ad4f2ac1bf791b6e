"""`jeos save`: keep a running machine as it is, with its memory."""

import argparse

from jeos.cli import output
from jeos.core import log
from jeos.model.saved import DEFAULT
from jeos.vm import saves

HELP = "keep a running machine as it is just now, with memory, devices and disks: jeos save NAME[@SNAPSHOT]"
EPILOG = f"""\
`jeos load` lets it go on there. Without @SNAPSHOT it is kept as {DEFAULT}, in the place of what had that name.
The machine stands still while its memory is written. `jeos ls --saved` lists what is kept, `jeos rm NAME@SNAPSHOT`
deletes it. It is no backup: it lies beside the machine, on the same disk.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos save`."""
    parser.epilog = EPILOG
    parser.add_argument("name", metavar="NAME[@SNAPSHOT]", help="the machine, and what it is kept as")
    parser.add_argument("--stop", action="store_true", help="end the machine then, to go on later")


def run(args: argparse.Namespace) -> int:
    """Save the machine."""
    name, snapshot = saves.parse_target(args.name)
    with log.step(f"save {name}@{snapshot}") as step:
        saved = saves.save(name, snapshot, stop=args.stop)
        step.done(output.size(saved.size))
    return 0
