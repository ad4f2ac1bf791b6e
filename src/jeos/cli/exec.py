"""`jeos exec`: run a program in a machine."""

import argparse
import os

from jeos.cli import times
from jeos.core.errors import UsageError
from jeos.vm import session
from jeos.vm.attach import raw_terminal
from jeos.vm.carry import carry, terminal_size
from jeos.vm.guest import ANSWER_SECONDS, Guest
from jeos.vm.places import places_of

HELP = "run a program in a machine, with this process's input and output"
EPILOG = """\
The exit status is the program's: 128 + N if signal N ended it, 127 if there is no such program, 126 if it cannot be
started. If the machine or its agent is lost, it is 9.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos exec`."""
    parser.epilog = EPILOG
    parser.add_argument("name", metavar="NAME", help="the machine")
    parser.add_argument("-t", "--tty", action="store_true", help="give the program a terminal")
    parser.add_argument("-u", "--user", default="", help="who runs it (default: root)")
    parser.add_argument("-w", "--cwd", default="", metavar="FOLDER", help="where it runs (default: the user's home)")
    parser.add_argument(
        "-e", "--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable of its environment"
    )
    times.add_wait(parser, default=ANSWER_SECONDS)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="the program and its arguments")


def run(args: argparse.Namespace) -> int:
    """Run the program and return how it ended."""
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise UsageError("no program is named", hint=f"jeos exec {args.name} -- uname -a")
    return run_program(
        args.name,
        command,
        env=_variables(args.env),
        cwd=args.cwd,
        user=args.user,
        terminal=args.tty,
        patience=args.wait,
    )


def run_program(
    name: str, command: list[str], *, env: dict[str, str], cwd: str, user: str, terminal: bool, patience: float
) -> int:
    """Run a program in a machine, connected to this process, and return its exit status."""
    session.require_running(name)
    if terminal:
        env = {"TERM": os.environ.get("TERM", "dumb"), **env}
    with Guest(places_of(name).guest) as guest:
        try:
            size = terminal_size() if terminal else None
        except OSError:
            raise UsageError("there is no terminal here", hint="leave --tty away") from None
        program = guest.start(command, env=env, cwd=cwd, user=user, terminal=size, deadline=patience)
        if not terminal:
            return carry(guest, program, terminal=False).status
        with raw_terminal():
            return carry(guest, program, terminal=True).status


def _variables(words: list[str]) -> dict[str, str]:
    variables = {}
    for word in words:
        name, found, value = word.partition("=")
        if not found or not name:
            raise UsageError(f"--env {word} is not of the form NAME=VALUE")
        variables[name] = value
    return variables
