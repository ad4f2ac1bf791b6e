"""`jeos resume`: let machines that stand still run on."""

import argparse

from jeos.cli.failures import for_each
from jeos.core import log
from jeos.vm import session

HELP = "let paused machines run on, with their clocks set right"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos resume`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="the machines")


def run(args: argparse.Namespace) -> int:
    """Resume each machine; one that cannot be resumed keeps none of the others standing."""
    return for_each(args.names, _resume)


def _resume(name: str) -> None:
    session.resume(name)
    log.info(f"{name} runs")
