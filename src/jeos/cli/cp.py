"""`jeos cp`: copy files and folders into a machine and out of it."""

import argparse
import os
from pathlib import Path

from jeos.cli import output, times
from jeos.core import log
from jeos.core.errors import HostError, UsageError
from jeos.model.machine import NAME_PATTERN
from jeos.vm import copy, session
from jeos.vm.guest import ANSWER_SECONDS, Guest
from jeos.vm.places import places_of

HELP = "copy files and folders into a machine, or out of it: jeos cp FILE web:/srv, jeos cp web:/etc/nginx ."
EPILOG = """\
Into a folder that is there, things come under their own names; else the last path is the new name. A file takes the
place of another once it is complete; a folder that is there is never replaced or merged. Links are copied as links.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos cp`."""
    parser.epilog = EPILOG
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="files and folders, here or (NAME:/PATH) in a machine"
    )
    parser.add_argument("target", metavar="TARGET", help="where they go, on the other side")
    parser.add_argument(
        "-o", "--owner", metavar="USER[:GROUP]", help="whose they become in the machine (default: root's)"
    )
    parser.add_argument("-a", "--archive", action="store_true", help="keep owners, as numbers, and all bits of modes")
    times.add_wait(parser, default=ANSWER_SECONDS)


def run(args: argparse.Namespace) -> int:
    """Copy each source in turn."""
    target, sources = remote(args.target), [remote(source) for source in args.sources]
    if args.archive and args.owner:
        raise UsageError("--owner is not possible with --archive", hint="leave one of them away")
    if target is not None and not any(sources):
        return send(args, *target)
    if target is None and all(sources):
        return fetch(args, [source for source in sources if source is not None])
    raise UsageError("one side must be in a machine, the other here", hint="jeos cp web:/etc/hosts .")


def remote(word: str) -> tuple[str, str] | None:
    """Return machine and path of a word such as "web:/etc"; None for a path here, as "./web:1" is in any case."""
    name, colon, path = word.partition(":")
    return (name, path) if colon and NAME_PATTERN.fullmatch(name) else None


def send(args: argparse.Namespace, name: str, path: str) -> int:
    """Copy files and folders into a machine."""
    session.require_running(name)
    owner = "" if args.archive else args.owner or "0:0"
    with Guest(places_of(name).guest) as guest:
        for source in args.sources:
            with log.step(f"copy {source}") as step:
                step.done(output.size(copy.send(guest, Path(source), path, owner=owner, deadline=args.wait)))
    return 0


def fetch(args: argparse.Namespace, sources: list[tuple[str, str]]) -> int:
    """Copy files and folders out of machines."""
    if args.owner:
        raise UsageError("--owner is for files that go into a machine", hint="leave it away")
    if args.archive and os.geteuid() != 0:
        raise HostError("only root can give files away, as --archive does", hint="leave --archive away, or use sudo")
    for name, path in sources:
        session.require_running(name)
        with Guest(places_of(name).guest) as guest, log.step(f"copy {name}:{path}") as step:
            taken = copy.fetch(guest, path, Path(args.target), owners=args.archive, deadline=args.wait)
            step.done(f"{output.size(taken.bytes)}, {taken.files} files")
        for note in taken.notes:
            log.warn(note)
    return 0
