"""`jeos logs`: what a machine said on its serial console, also after it has ended.

What a terminal would obey, as systemd says it to colour its lines, is left out unless it is asked for (`--raw`).
"""

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import BinaryIO

from jeos.core.errors import UsageError
from jeos.core.terminal import Plain
from jeos.model.machine import ALIVE
from jeos.vm import console, session
from jeos.vm.attach import write_all
from jeos.vm.places import Places, places_of

HELP = "print what a machine said on its console (--follow: and goes on to say)"

CHUNK = 64 << 10
POLL_SECONDS = 0.1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos logs`."""
    parser.add_argument("name", metavar="NAME", help="the machine")
    parser.add_argument("--follow", "-f", action="store_true", help="go on until the machine ends")
    parser.add_argument("--lines", "-n", type=int, metavar="N", help="print the last N lines only")
    parser.add_argument(
        "--supervisor", action="store_true", help="print what QEMU and the machine's supervisor said instead"
    )
    parser.add_argument("--raw", action="store_true", help="print all bytes, also those that a terminal obeys")


def run(args: argparse.Namespace) -> int:
    """Print the log."""
    if args.follow and (args.supervisor or args.lines is not None):
        raise UsageError("--follow is not possible with --lines or --supervisor", hint="leave one of them away")
    state = session.state(args.name)
    places = places_of(args.name)
    if args.follow and state.status in ALIVE:
        with contextlib.suppress(KeyboardInterrupt):  # how one ends it
            follow(places, raw=args.raw)
        return 0
    data = said(places, supervisor=args.supervisor)
    if args.lines is not None:
        data = b"".join(data.splitlines(keepends=True)[-args.lines :] if args.lines > 0 else [])
    sys.stdout.buffer.write(data if args.raw else Plain().feed(data, final=True))
    return 0


def follow(places: Places, *, raw: bool) -> None:
    """Print what the log has and what is added to it, through its rotation, until the machine ends."""
    plain = Plain()
    with contextlib.ExitStack() as stack:
        current: BinaryIO | None = None
        while True:
            alive = session.state(places.name).status in ALIVE
            while current and (data := current.read(CHUNK)):
                write_all(sys.stdout.fileno(), data if raw else plain.feed(data))
            newer = newer_log(places.console_log, current)
            if newer:
                current = stack.enter_context(newer)
            elif not alive:
                return
            else:
                time.sleep(POLL_SECONDS)


def newer_log(path: Path, current: BinaryIO | None) -> BinaryIO | None:
    """Return the log, opened, if it is another one than the current; None also if there is none just now."""
    with contextlib.suppress(FileNotFoundError):
        if current is None or path.stat().st_ino != os.fstat(current.fileno()).st_ino:
            return path.open("rb")
    return None


def said(places: Places, *, supervisor: bool) -> bytes:
    """Return all that is kept of a machine's console, or of what QEMU and the supervisor said."""
    if supervisor:
        logs = [places.qemu_log, places.supervisor_log]
    else:
        logs = [console.old(places.console_log), places.console_log]
    return b"".join(path.read_bytes() for path in logs if path.exists())
