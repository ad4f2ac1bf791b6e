"""`jeos top`: what the machines use just now, again and again."""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from jeos.cli import output, times
from jeos.core.errors import UsageError
from jeos.model.machine import ALIVE
from jeos.vm import session, usage
from jeos.vm.memory import Memory
from jeos.vm.session import Seen
from jeos.vm.usage import Count, Rates

HELP = "show what machines use just now: processors, memory, disks and network"
EPILOG = """\
CPU is in percent of one processor. MEMORY is what the machine costs on this host (PSS): GUEST is what the guest has
touched of its memory, QEMU what that needs beside it, JEOS the machine's supervisor. What went
over the network is the guest's word.
"""
HEADER = ("name", "status", "cpu", "memory", "guest", "qemu", "jeos", "disk in", "disk out", "net in", "net out")
NUMBERS = tuple(range(2, len(HEADER)))
ONCE_SECONDS = 1.0  # between the two looks that one table is made of
OTHER_SCREEN, OWN_SCREEN, ANEW = "\x1b[?1049h", "\x1b[?1049l", "\x1b[H\x1b[J"  # xterm's control sequences


@dataclass(frozen=True, slots=True)
class Line:
    """What one machine uses."""

    name: str
    status: str
    memory: Memory
    rates: Rates


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos top`."""
    parser.epilog = EPILOG
    parser.add_argument("names", nargs="*", metavar="NAME", help="the machines (default: all that run)")
    parser.add_argument("--once", action="store_true", help="print one table and end, as where there is no terminal")
    parser.add_argument(
        "--interval",
        type=times.wait,
        default=2.0,
        metavar="TIME",
        help="time between two looks, as 0.5 or 10s (default: %(default)gs)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, once")


def run(args: argparse.Namespace) -> int:
    """Show the table until Ctrl-C, or once."""
    if args.interval <= 0:
        raise UsageError(f"--interval {args.interval:g}: the time between two looks is longer than none", hint="try 2s")
    if args.json or args.once or not sys.stdout.isatty():
        lines = next(looks(args.names, seconds=min(args.interval, ONCE_SECONDS)))
        if args.json:
            output.as_json(lines)
        else:
            show(lines)
        return 0
    with contextlib.suppress(KeyboardInterrupt), other_screen():  # Ctrl-C is how one ends it
        for lines in looks(args.names, seconds=args.interval):
            sys.stdout.write(ANEW)
            show(lines)
            output.line(f"\n{time.strftime('%H:%M:%S')}, every {args.interval:g} s; Ctrl-C ends it")
            sys.stdout.flush()
    return 0


def looks(names: Sequence[str], *, seconds: float) -> Iterator[list[Line]]:
    """Yield what machines use, measured over `seconds` each; a machine is shown from its second look on."""
    before: dict[tuple[str, float], Count] = {}
    while True:
        machines = seen(names)
        counts = usage.count_all(machines)
        now = {(one.machine.name, one.state.started): count for one, count in zip(machines, counts, strict=True)}
        if before or not machines:
            yield [
                Line(one.machine.name, one.state.status, one.memory, usage.rates(before[key], now[key]))
                for one, key in zip(machines, now, strict=True)
                if key in before
            ]
        before = now
        time.sleep(seconds)


def seen(names: Sequence[str]) -> list[Seen]:
    """Return the machines that run, or those of `names`. Raises MachineError for a name that there is not."""
    found = [session.seen(name) for name in dict.fromkeys(names)] if names else session.all_seen()
    return [one for one in found if one.state.status in ALIVE]


def show(lines: Sequence[Line]) -> None:
    """Print the table."""
    output.table([row(line) for line in lines], header=HEADER, right=NUMBERS)


def row(line: Line) -> tuple[str, ...]:
    """Return a line as cells of the table."""
    rates, memory = line.rates, line.memory
    sizes = (memory.total, memory.guest, memory.qemu, memory.supervisor)
    flows = (rates.read, rates.written, rates.received, rates.sent)
    return (
        line.name,
        line.status,
        f"{100 * rates.processor:.1f} %",
        *(output.size(size) for size in sizes),
        *("-" if flow is None else f"{output.size(round(flow))}/s" for flow in flows),
    )


@contextmanager
def other_screen() -> Iterator[None]:
    """Show the table on the terminal's other screen, so that what was there before is there again afterwards."""
    sys.stdout.write(OTHER_SCREEN)
    try:
        yield
    finally:
        sys.stdout.write(OWN_SCREEN)
        sys.stdout.flush()
