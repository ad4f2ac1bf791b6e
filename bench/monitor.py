"""Measure what jeos needs to run machines: starts from a template, memory of copies, the supervisor, the start itself.

    bench/monitor.py [--runs 5] [--copies 10] [--json FILE]

The minimal appliance is built, started cold and from a template, as a user would. CPU seconds are those of the named
processes (user and system); wall times mean something only on a machine that does nothing else, so the load is printed.
Memory is proportional (PSS). Figures are medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from boot import FIRST_LINE, JEOS, says, spent, until
from jeos.vm import accelerator, session, template
from jeos.vm.memory import Memory
from jeos.vm.places import places_of
from jeos.vm.usage import processor_seconds
from measure import machine, table

NAME = "bench-monitor"
MEBIBYTE = float(1 << 20)
POLL = 0.001  # seconds


@dataclass(frozen=True, slots=True)
class Start:
    """One start: CPU s of jeos until QEMU was there, wall s until the verb returned, CPU s of QEMU until then."""

    own: float
    wall: float
    qemu: float


def start(name: str, *words: str | Path) -> Start:
    """Start a machine in the background and return what that cost."""
    began = time.monotonic()
    command = subprocess.Popen(
        [JEOS, "-q", "run", *words, "--name", name, "--detach"], stdout=subprocess.DEVNULL, stderr=sys.stderr
    )
    own = 0.0
    while command.poll() is None and not own:
        own = own_cost(command.pid)
        time.sleep(POLL)
    if command.wait() != 0:
        raise SystemExit(f"{name} did not start")
    wall = time.monotonic() - began
    return Start(own=own, wall=wall, qemu=processor_seconds(session.state(name).qemu))


def own_cost(command: int) -> float:
    """Return the CPU s of a `jeos run` and its supervisor if QEMU has just been started; 0 if not."""
    for supervisor in children(command):
        if any(b"qemu-system" in words(process) for process in children(supervisor)):
            return processor_seconds(command) + processor_seconds(supervisor)
    return 0.0


def children(process: int) -> list[int]:
    """Return the children of a process."""
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def words(process: int) -> bytes:
    """Return the command line of a process."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def copies(count: int, *, of: str) -> list[Memory]:
    """Start copies of a template, and return what all of them together keep of memory after each."""
    found = []
    for number in range(1, count + 1):
        start(f"{NAME}-{number}", of, "--from-template")
        seen = [session.seen(f"{NAME}-{each}").memory for each in range(1, number + 1)]
        found.append(
            Memory(
                guest=sum(one.guest for one in seen),
                qemu=sum(one.qemu for one in seen),
                supervisor=sum(one.supervisor for one in seen),
            )
        )
    for number in range(1, count + 1):
        session.remove(f"{NAME}-{number}", force=True)
    return found


def measure(recipe: Path, *, runs: int, count: int) -> dict[str, float]:
    """Return all figures by their names; sizes are MiB."""
    cold, first_line, alone = [], [], []
    for _ in range(runs):
        cold.append(start(NAME, recipe))
        state = session.state(NAME)
        until(says(places_of(NAME).console_log, FIRST_LINE), what="the first line")
        first_line.append(spent(state.qemu, since=state.started).cpu)
        alone.append(session.seen(NAME).memory.supervisor)
        session.remove(NAME, force=True)
    subprocess.run([JEOS, "-q", "template", "create", recipe, "--name", NAME], check=True, stdout=sys.stderr)
    warm = []
    for _ in range(runs):
        warm.append(start(NAME, NAME, "--from-template"))
        session.remove(NAME, force=True)
    memory = copies(count, of=NAME)
    first, last = memory[0], minus(memory[-1], memory[-2])
    template.remove(NAME)
    return {
        "wall": statistics.median(one.wall for one in warm),
        "least wall": min(one.wall for one in warm),
        "warm qemu": statistics.median(one.qemu for one in warm),
        "warm own": statistics.median(one.own for one in warm),
        "own": statistics.median(one.own for one in cold),
        "first line": statistics.median(first_line),
        "supervisor": statistics.median(alone) / MEBIBYTE,
        "supervisor of many": memory[-1].supervisor / count / MEBIBYTE,
        "first guest": first.guest / MEBIBYTE,
        "first all": first.total / MEBIBYTE,
        "last guest": last.guest / MEBIBYTE,
        "last all": last.total / MEBIBYTE,
    }


def minus(more: Memory, less: Memory) -> Memory:
    """Return the difference of two memories."""
    return Memory(more.guest - less.guest, more.qemu - less.qemu, more.supervisor - less.supervisor)


def rows(found: dict[str, float], *, count: int) -> Sequence[Sequence[str]]:
    """Return the figures as rows of a table."""
    guest, everything = (100 * found[f"last {part}"] / found[f"first {part}"] for part in ("guest", "all"))
    return [
        ["template: `jeos run` until healthy, wall s", f"{found['wall']:.2f} (least {found['least wall']:.2f})"],
        ["the same, CPU s of QEMU", f"{found['warm qemu']:.2f}"],
        ["cold start to the first line of user space, CPU s of QEMU", f"{found['first line']:.2f}"],
        ["`jeos run` until QEMU is started, CPU s of our own: cold", f"{found['own']:.2f}"],
        ["the same, from a template", f"{found['warm own']:.2f}"],
        ["first copy: the guest's memory, MiB", f"{found['first guest']:.1f}"],
        [f"copy {count} adds, MiB", f"{found['last guest']:.1f} ({guest:.0f} %)"],
        ["first copy: with QEMU's own and the supervisor, MiB", f"{found['first all']:.1f}"],
        [f"copy {count} adds, MiB", f"{found['last all']:.1f} ({everything:.0f} %)"],
        ["supervisor, MiB, of one machine", f"{found['supervisor']:.1f}"],
        [f"supervisor, MiB, of each of {count}", f"{found['supervisor of many']:.1f}"],
    ]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    busy = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="jeos-bench-") as name:
        work = Path(name)
        os.environ["JEOS_STATE_DIR"] = str(work / "state")
        os.environ["JEOS_RUNTIME_DIR"] = str(work / "run")
        (work / "run").mkdir(mode=0o700)
        recipe = work / "minimal"
        new = ("new", "minimal", "--template", "minimal", "--folder", str(recipe))
        subprocess.run([str(JEOS), "-q", *new], check=True, stdout=sys.stderr)
        subprocess.run([JEOS, "-q", "build", recipe], check=True, stdout=sys.stderr)
        try:
            found = measure(recipe, runs=args.runs, count=args.copies)
        finally:
            for seen in session.all_seen():
                session.remove(seen.machine.name, force=True)
    out = sys.stdout.write
    out(f"## Machines\n\nMeasured on: {machine()}; {accelerator.choose('auto').kind}; load {busy:.1f} at the start\n\n")
    out(table(rows(found, count=args.copies), header=("what", "measured")) + "\n")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
