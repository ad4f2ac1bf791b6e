"""`jeos console`: the serial console of a running machine."""

import argparse

from jeos.core import log
from jeos.vm import session
from jeos.vm.attach import End, attach
from jeos.vm.places import places_of

HELP = "connect this terminal to a machine's serial console; Ctrl-] detaches, the machine runs on"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos console`."""
    parser.add_argument("name", metavar="NAME", help="the machine")


def run(args: argparse.Namespace) -> int:
    """Carry keys and output until the machine ends or Ctrl-] is typed."""
    session.require_alive(args.name)
    log.info("Ctrl-] detaches")
    if attach(places_of(args.name).console) is End.MACHINE:
        log.info(f"{args.name} has ended")
    return 0
