"""`jeos resize-memory`: give a machine less memory, or more."""

import argparse

from jeos.cli.run import MEBIBYTE, parse_size
from jeos.cli.times import wait
from jeos.core import log
from jeos.vm import session

HELP = "change a machine's memory: at once within what it started with, otherwise for its next start"
SECONDS = 60.0  # that a guest may take to give memory back


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos resize-memory`."""
    parser.add_argument("name", metavar="NAME", help="the machine")
    parser.add_argument("size", metavar="SIZE", help="its memory, as 512M or 2G")
    parser.add_argument(
        "--wait",
        type=wait,
        default=SECONDS,
        metavar="TIME",
        help="how long the guest may take to give memory back, as 90 or 5m (default: %(default)gs)",
    )


def run(args: argparse.Namespace) -> int:
    """Change the memory, and say what the machine has now."""
    wanted = parse_size(args.size, option="SIZE") // MEBIBYTE
    held, running = session.resize_memory(args.name, wanted, seconds=args.wait)
    if not running:
        log.info(f"{args.name} starts with {held} MiB")
    elif held == wanted:
        log.info(f"{args.name} has {held} MiB until it is stopped")
    else:
        log.warn(f"{args.name} kept {held} MiB: its guest gives no more back than that")
    return 0
