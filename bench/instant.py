"""How soon a machine answers that starts from a backup, beside one that starts from its disk.

    rows = starts(work, runs=3)

The web site of examples/web is built, run, stopped and backed up; then it is started by turns from its disk, as the
backup has it, and from the vault, and asked for its page. Both begin with the command of jeos, so that all that either
needs first is counted.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from boot import JEOS, WEB, answers, until
from jeos.vm import session
from jeos.vm.places import places_of

NAME, RESTORED = "bench-disk", "bench-store"
MIB = 1 << 20


@dataclass(frozen=True)
class Start:
    """Seconds until the page came, CPU seconds of QEMU (and of what serves the backup), MiB read from the vault."""

    wall: float
    cpu: float
    read: float


def starts(work: Path, *, runs: int) -> dict[str, list[Start]]:
    """Return how long it took, by turns."""
    with tempfile.TemporaryDirectory(prefix="instant-", dir=work) as name:
        folder = Path(name)
        (folder / "run").mkdir(mode=0o700)
        os.environ |= {
            "JEOS_STATE_DIR": str(folder / "state"),
            "JEOS_RUNTIME_DIR": str(folder / "run"),
            "JEOS_BACKUPS": str(folder / "vault"),
        }
        shutil.copytree(WEB, folder / "web", ignore=shutil.ignore_patterns("build"))
        _jeos("build", folder / "web")
        found: dict[str, list[Start]] = {"a disk": [], "a backup": []}
        _jeos("run", folder / "web", "--name", NAME, "--detach", "--wait", "healthy", "--port", "0:80")
        session.stop(NAME)
        _jeos("backup", "create", NAME)
        for _ in range(runs):
            _jeos("backup", "restore", f"{NAME}@1", "--in-place", "--yes")
            found["a disk"].append(_answered(NAME, "run", NAME, "--detach"))
            session.stop(NAME)
            words = ("backup", "boot", f"{NAME}@1", "--name", RESTORED, "--port", "0:80")
            found["a backup"].append(_answered(RESTORED, *words))
            session.remove(RESTORED, force=True)
        session.remove(NAME, force=True)
        return found


def _jeos(*words: str | Path) -> None:
    subprocess.run([JEOS, "-q", *words], check=True, stdout=sys.stderr)


def _answered(name: str, *words: str | Path) -> Start:
    """Start a machine and return what it took until its page came."""
    began = time.monotonic()
    _jeos(*words)
    state = session.seen(name).state
    until(answers(state.forwards[0].host), what="the page")
    wall = time.monotonic() - began
    serving = _serving(places_of(name).supply)
    used = [_cpu(process) for process in [state.qemu, *serving]]
    return Start(wall, sum(used), sum(_read(process) for process in serving) / MIB)


def _serving(socket: Path) -> list[int]:
    """Return the processes that were told to serve a backup on this socket."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if b"serve" in words and os.fsencode(socket) in words:
            found.append(int(place.parent.name))
    return found


def _cpu(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read(process: int) -> int:
    """Return the bytes that a process has read, its own program included (proc(5), `io`)."""
    lines = Path(f"/proc/{process}/io").read_text().splitlines()
    return int(dict(line.split(": ", 1) for line in lines)["rchar"])


def lines(found: dict[str, list[Start]]) -> list[list[str]]:
    """Return the rows of a table: medians, and the most that was read."""
    rows = []
    for name, runs in found.items():
        wall, cpu = (statistics.median(getattr(run, what) for run in runs) for what in ("wall", "cpu"))
        read = max(run.read for run in runs)
        rows.append([name, f"{wall:.1f}", f"{cpu:.1f}", f"{read:.0f}" if read else ""])
    return rows


def compared(found: dict[str, list[Start]]) -> str:
    """Return how a start from a backup compares with the one from a disk before it: this host's speed changes."""
    parts = sorted(later.wall / first.wall for first, later in zip(*found.values(), strict=True))
    return (
        f"A start from a backup took {statistics.median(parts):.3f} times as long as the one from a disk before it "
        f"(median of {len(parts)}, {parts[0]:.2f} to {parts[-1]:.2f})."
    )
