"""`jeos stop`: let machines power off."""

import argparse

from jeos.cli import times
from jeos.cli.failures import for_each
from jeos.core import log
from jeos.model.machine import ALIVE
from jeos.vm import session

HELP = "let machines power off; end those that do not do so in time"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos stop`."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="the machines")
    parser.add_argument(
        "--timeout",
        type=times.wait,
        default=session.STOP_SECONDS,
        metavar="TIME",
        help=f"how long each may take, as 90 or 5m (default: {session.STOP_SECONDS:g}s)",
    )
    parser.add_argument("--force", action="store_true", help="end them at once, as by pulling the plug")


def run(args: argparse.Namespace) -> int:
    """Stop each machine in turn; one that cannot be stopped keeps none of the others running."""
    return for_each(args.names, lambda name: _stop(name, within=0 if args.force else args.timeout))


def _stop(name: str, *, within: float) -> None:
    if session.state(name).status not in ALIVE:
        log.info(f"{name} does not run")
        return
    with log.step(f"stop {name}") as step:
        step.done(session.stop(name, within=within).reason)
