"""`jeos kill`: end machines at once."""

import argparse

from jeos.cli.failures import for_each
from jeos.core import log
from jeos.model.machine import ALIVE
from jeos.vm import session

HELP = "end machines at once, as by pulling the plug, also those whose supervisor hangs"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos kill`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="the machines")


def run(args: argparse.Namespace) -> int:
    """End each machine; one that cannot be ended keeps none of the others."""
    return for_each(args.names, _kill)


def _kill(name: str) -> None:
    if session.state(name).status not in ALIVE:
        log.info(f"{name} does not run")
        return
    session.end(name)
    log.info(f"{name} is ended")
