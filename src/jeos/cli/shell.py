"""`jeos shell`: work inside a machine."""

import argparse

from jeos.cli import times
from jeos.cli.exec import run_program
from jeos.core.errors import UsageError
from jeos.vm.carry import terminal_size
from jeos.vm.guest import ANSWER_SECONDS

HELP = "open a shell in a machine; Ctrl-] three times leaves it, should it hang"
LOGIN = ["/bin/sh", "-c", 'exec "$SHELL" -l']  # the agent sets SHELL to the user's own


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos shell`."""
    parser.add_argument("name", metavar="NAME", help="the machine")
    parser.add_argument("-u", "--user", default="", help="whose shell (default: root's)")
    times.add_wait(parser, default=ANSWER_SECONDS)


def run(args: argparse.Namespace) -> int:
    """Open the shell and return how it ended."""
    try:
        terminal_size()
    except OSError:
        raise UsageError("there is no terminal here", hint=f"jeos exec {args.name} -- COMMAND needs none") from None
    return run_program(args.name, LOGIN, env={}, cwd="", user=args.user, terminal=True, patience=args.wait)
