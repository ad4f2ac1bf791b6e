"""`jeos ls`: the machines of this host, as they are now."""

import argparse
import time

from jeos.cli import output
from jeos.model.machine import ALIVE
from jeos.vm import saves, session
from jeos.vm.session import Seen

HELP = "list the machines of this host: how they are, since when, their ports and what they cost of its memory"
EPILOG = """\
MEMORY is what a machine costs on this host (PSS): what the guest has touched of its memory, and beside that QEMU's own
memory (QEMU) and that of the machine's supervisor (JEOS).
"""
HEADER = ("name", "status", "for", "appliance", "memory", "qemu", "jeos", "ports", "why")

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos ls`."""
    parser.epilog = EPILOG
    parser.add_argument("--saved", action="store_true", help="list what `jeos save` kept of them instead")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the machines."""
    if args.saved:
        return list_saved(as_json=args.json)
    machines = session.all_seen()
    if args.json:
        output.as_json(machines)
        return 0
    rows = [row(seen) for seen in machines]
    output.table(rows, header=HEADER, right=(4, 5, 6))
    return 0


def list_saved(*, as_json: bool) -> int:
    """Print what was saved of the machines, the newest first."""
    found = [(seen.machine.name, saved) for seen in session.all_seen() for saved in saves.listed(seen.machine.name)]
    if as_json:
        output.as_json([saved for _, saved in found])
        return 0
    rows = [
        (f"{name}@{saved.name}", age(time.time() - saved.taken), output.size(saved.size), saved.version, saved.qemu)
        for name, saved in found
    ]
    output.table(rows, header=("saved", "ago", "size", "version", "by qemu"), right=(2,))
    return 0


def row(seen: Seen) -> tuple[str, ...]:
    """Return a machine as cells of a table."""
    machine, state, memory = seen.machine, seen.state, seen.memory
    alive = state.status in ALIVE
    return (
        machine.name,
        state.status,
        age(time.time() - state.since) if state.since else "",
        f"{machine.appliance} {state.version or machine.version}".strip() or machine.disk.rpartition("/")[2],
        *(output.size(size) if alive else "" for size in (memory.total, memory.qemu, memory.supervisor)),
        ", ".join(str(forward) for forward in state.forwards) if alive else "",
        state.reason.partition("\n")[0],
    )


def age(seconds: float) -> str:
    """Return a time in the unit that tells most: "42 s", "17 min", "5 h", "3 d"."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(0, seconds):.0f} s"
