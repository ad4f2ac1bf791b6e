"""`jeos pause`: let machines stand still, with all that is in their memory."""

import argparse

from jeos.cli.failures import for_each
from jeos.core import log
from jeos.vm import session

HELP = "let machines stand still: they use no processor, and keep their memory; `jeos resume` lets them run on"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos pause`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="the machines")


def run(args: argparse.Namespace) -> int:
    """Pause each machine; one that cannot be paused keeps none of the others running."""
    return for_each(args.names, _pause)


def _pause(name: str) -> None:
    session.pause(name)
    log.info(f"{name} is paused")
