"""`jeos load`: let a machine go on where it was saved."""

import argparse

from jeos.core import log
from jeos.vm import saves

HELP = "let a machine go on where it was saved, with memory, devices and disks: jeos load NAME[@SNAPSHOT]"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos load`."""
    parser.add_argument("name", metavar="NAME[@SNAPSHOT]", help="the machine, and what was saved of it")
    parser.add_argument("--force", action="store_true", help="lose what the machine did since")


def run(args: argparse.Namespace) -> int:
    """Bring the machine back."""
    name, snapshot = saves.parse_target(args.name)
    with log.step(f"load {name}@{snapshot}") as step:
        state = saves.load(name, snapshot, force=args.force)
        step.done(f"{name} is {state.status}")
    return 0
