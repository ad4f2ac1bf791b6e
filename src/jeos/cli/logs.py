"""`jeos logs`: what a machine said on its serial console, also after it has ended."""

import argparse
import os
import sys
import time

from jeos.core.errors import UsageError
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


def run(args: argparse.Namespace) -> int:
    """Print the log."""
    if args.follow and (args.supervisor or args.lines is not None):
        raise UsageError("--follow is not possible with --lines or --supervisor", hint="leave one of them away")
    machine = session.seen(args.name)
    places = places_of(args.name)
    if args.follow and machine.state.status in ALIVE:
        return follow(places)
    data = said(places, supervisor=args.supervisor)
    if args.lines is not None:
        data = b"".join(data.splitlines(keepends=True)[-args.lines :] if args.lines > 0 else [])
    sys.stdout.buffer.write(data)
    return 0


def follow(places: Places) -> int:
    """Print what the log has and what is added to it, through its rotation, until the machine ends."""
    current = places.console_log.open("rb")
    try:
        while True:
            alive = session.seen(places.name).state.status in ALIVE
            while data := current.read(CHUNK):
                write_all(sys.stdout.fileno(), data)
            if places.console_log.stat().st_ino != os.fstat(current.fileno()).st_ino:
                current.close()
                current = places.console_log.open("rb")
            elif not alive:
                return 0
            else:
                time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        return 0
    finally:
        current.close()


def said(places: Places, *, supervisor: bool) -> bytes:
    """Return all that is kept of a machine's console, or of what QEMU and the supervisor said."""
    if supervisor:
        logs = [places.qemu_log, places.supervisor_log]
    else:
        logs = [console.old(places.console_log), places.console_log]
    return b"".join(path.read_bytes() for path in logs if path.exists())
