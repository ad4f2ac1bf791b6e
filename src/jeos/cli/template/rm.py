"""`jeos template rm`: delete templates."""

import argparse

from jeos.cli.failures import for_each
from jeos.core import log
from jeos.vm import template

HELP = "delete templates that no machine needs"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos template rm`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="the templates")


def run(args: argparse.Namespace) -> int:
    """Delete each template; one that cannot be deleted keeps none of the others."""
    return for_each(args.names, _remove)


def _remove(name: str) -> None:
    template.remove(name)
    log.info(f"the template {name} is removed")
