"""`jeos stop`: let machines power off."""

import argparse

from jeos.core import log
from jeos.model.machine import ALIVE
from jeos.vm import session

HELP = "let machines power off; end those that do not do so in time"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos stop`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="the machines")
    parser.add_argument(
        "--timeout",
        type=float,
        default=session.STOP_SECONDS,
        metavar="SECONDS",
        help=f"how long each may take (default: {session.STOP_SECONDS:g})",
    )
    parser.add_argument("--force", action="store_true", help="end them at once, as by pulling the plug")


def run(args: argparse.Namespace) -> int:
    """Stop each machine in turn."""
    for name in args.names:
        if session.state(name).status not in ALIVE:
            log.info(f"{name} does not run")
            continue
        with log.step(f"stop {name}") as step:
            state = session.stop(name, within=0 if args.force else args.timeout)
            step.done(state.reason)
    return 0
