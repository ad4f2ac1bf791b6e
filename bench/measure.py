"""Measuring whole commands: CPU seconds of everything they started, wall time, and the machine it was on."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command cost: CPU seconds (user and system, all its processes) and wall seconds."""

    cpu: float
    wall: float


def cost(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Cost:
    """Run a command to its end and return what it cost; its output goes to standard error if it fails."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [str(word) for word in argv],
        env={**os.environ, **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        raise SystemExit(f"{' '.join(str(word) for word in argv)} failed with status {done.returncode}")
    return Cost(cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall=wall)


def median(costs: Sequence[Cost]) -> Cost:
    """Return the medians of several runs."""
    return Cost(cpu=statistics.median(one.cpu for one in costs), wall=statistics.median(one.wall for one in costs))


def machine() -> str:
    """Return one line that describes this machine."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}, Python {platform.python_version()}"


def table(rows: Sequence[Sequence[str]], *, header: Sequence[str]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def publish(
    title: str, rows: Sequence[Sequence[str]], *, header: Sequence[str], path: Path | None, data: object
) -> None:
    """Print a table, and write the figures behind it as JSON if a path is given."""
    sys.stdout.write(f"## {title}\n\nMeasured on: {machine()}\n\n{table(rows, header=header)}\n")
    if path:
        path.write_text(json.dumps(data, indent=1) + "\n")
