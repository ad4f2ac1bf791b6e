"""`jeos rm`: delete machines with their disks, and what was saved of them."""

import argparse

from jeos.cli.failures import for_each
from jeos.core import log
from jeos.vm import saves, session

HELP = "delete machines and their disks; the images that they were made of stay"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos rm`."""
    parser.add_argument(
        "names", nargs="+", metavar="NAME[@SNAPSHOT]", help="the machines; with @SNAPSHOT only what was saved as that"
    )
    parser.add_argument("--force", action="store_true", help="end those that run, without asking their guests")


def run(args: argparse.Namespace) -> int:
    """Delete each machine; one that cannot be deleted keeps none of the others."""
    return for_each(args.names, lambda name: _remove(name, force=args.force))


def _remove(name: str, *, force: bool) -> None:
    if "@" in name:
        saves.remove(*saves.parse_target(name))
    else:
        session.remove(name, force=force)
    log.info(f"{name} is removed")
