"""`jeos rm`: delete machines with their disks."""

import argparse

from jeos.cli.failures import for_each
from jeos.core import log
from jeos.vm import session

HELP = "delete machines and their disks; the images that they were made of stay"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos rm`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="the machines")
    parser.add_argument("--force", action="store_true", help="end those that run, without asking their guests")


def run(args: argparse.Namespace) -> int:
    """Delete each machine; one that cannot be deleted keeps none of the others."""
    return for_each(args.names, lambda name: _remove(name, force=args.force))


def _remove(name: str, *, force: bool) -> None:
    session.remove(name, force=force)
    log.info(f"{name} is removed")
