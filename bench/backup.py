"""Print what backups cost beside borg and restic: CPU seconds, stored bytes, memory.

    bench/backup.py --work /var/tmp/bench          # about ten minutes; the disks are kept there

All store the same two disks (`upgraded.py`): a first full backup, one after upgrades that finds what changed by reading
the whole disk, and a restore, which checks what it writes. All compress with zstd at level 3 (restic: its own choice).
Stores lie on the same disk as the work; figures are medians of runs that are taken in turn.
"""

import argparse
import compileall
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import instant
import jeos as jeos_package
import measure
import upgraded
from jeos.core.settings import cache_dir
from jeos.disk.blocks import PIECE, File

MIB = 1 << 20
SECRET = "correct horse battery staple"
SPARSE = 2 << 40  # bytes of the disk that shows that memory does not follow size

Argv = list[str]


@dataclass(frozen=True)
class Tool:
    """How one program makes its store, backs a disk up as `disk.raw` and restores the newest one to `out.raw`."""

    name: str
    make: Callable[[Path], Argv]
    back_up: Callable[[Path], Argv]
    restore: Callable[[Path], Argv]
    version: Argv


@dataclass
class Spent:
    """CPU seconds and peak memory (bytes) of the runs of one step, and what the store grew by."""

    cpu: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)


def jeos(*, encrypt: bool) -> Tool:
    """Return how jeos is called."""
    program = str(Path(sys.executable).parent / "jeos")
    return Tool(
        name=f"jeos{', encrypting' if encrypt else ''}",
        make=lambda store: [program, "backup", "init", "--store", str(store), *(["--encrypt"] if encrypt else [])],
        back_up=lambda store: [
            program,
            "backup",
            "create",
            "--store",
            str(store),
            "--name",
            "disk",
            "--disk",
            "disk.raw",
        ],
        restore=lambda store: [program, "backup", "restore", "disk@latest", "-o", "out.raw", "--store", str(store)],
        version=[program, "--version"],
    )


def borg(*, encrypt: bool, fixed: bool) -> Tool:
    """Return how borg is called: with the chunks that it has by itself, or with those that it advises for disks."""
    chunks = ["--chunker-params", "fixed,4194304"] if fixed else []
    words = [word for word, said in (("encrypting", encrypt), ("fixed chunks of 4 MiB", fixed)) if said]
    return Tool(
        name=", ".join(["borg", *words]),
        make=lambda store: ["borg", "init", "-e", "repokey-blake2" if encrypt else "none", str(store)],
        back_up=lambda store: ["borg", "create", "-C", "zstd,3", *chunks, f"{store}::{{now:%s.%f}}", "disk.raw"],
        restore=lambda store: [
            "sh",
            "-c",
            f"borg extract --sparse --stdout {store}::$(borg list --short --last 1 {store}) > out.raw",
        ],
        version=["borg", "--version"],
    )


def restic() -> Tool:
    """Return how restic is called; it always encrypts."""
    return Tool(
        name="restic, encrypting",
        make=lambda store: ["restic", "-q", "-r", str(store), "init"],
        back_up=lambda store: ["restic", "-q", "--no-cache", "-r", str(store), "backup", "disk.raw"],
        restore=lambda store: ["restic", "-q", "--no-cache", "-r", str(store), "restore", "latest", "--target", "out"],
        version=["restic", "version"],
    )


def tools() -> list[Tool]:
    """Return the programs that are here."""
    found = [jeos(encrypt=False), jeos(encrypt=True)]
    if shutil.which("borg"):
        found += [borg(encrypt=False, fixed=False), borg(encrypt=True, fixed=False), borg(encrypt=True, fixed=True)]
    if shutil.which("restic"):
        found.append(restic())
    return found


def run(argv: Argv, *, work: Path) -> tuple[float, int]:
    """Run a command to its end; return its CPU seconds and its peak memory in bytes, all its processes together."""
    secrets = ("JEOS_PASSPHRASE", "BORG_PASSPHRASE", "RESTIC_PASSWORD")
    environment = {
        **os.environ,
        **dict.fromkeys(secrets, SECRET),
        "BORG_BASE_DIR": str(work / "borg-home"),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    }
    process = subprocess.Popen(argv, cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(argv)} failed with status {process.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def size_of(store: Path) -> int:
    """Return the bytes of all files of a store."""
    return sum(path.stat().st_size for path in store.rglob("*") if path.is_file())


def measured(tool: Tool, before: Path, after: Path, work: Path, spent: dict[str, Spent]) -> None:
    """Back up, back up again after the upgrades, and restore; add what it cost to `spent`."""
    store, disk = work / "store", work / "disk.raw"
    shutil.rmtree(store, ignore_errors=True)
    run(tool.make(store), work=work)
    for step, source in (("first full", before), ("increment", after)):
        disk.unlink(missing_ok=True)
        subprocess.run(["cp", "--sparse=always", str(source), str(disk)], check=True)
        size = size_of(store)
        _note(spent[step], run(tool.back_up(store), work=work), stored=size_of(store) - size)
    for stale in (work / "out.raw", work / "out"):
        subprocess.run(["rm", "-rf", str(stale)], check=True)
    _note(spent["restore"], run(tool.restore(store), work=work), stored=0)
    written = work / "out.raw" if (work / "out.raw").exists() else next((work / "out").rglob("disk.raw"))
    check_same(after, written)
    subprocess.run(["rm", "-rf", str(written), str(store), str(disk)], check=True)


def _note(spent: Spent, used: tuple[float, int], *, stored: int) -> None:
    spent.cpu.append(used[0])
    spent.memory.append(used[1])
    spent.stored.append(stored)


def check_same(disk: Path, written: Path) -> None:
    """End with a message if a restored disk is not what was backed up."""
    with File(disk) as expected, File(written) as found:
        for at in range(0, expected.size, PIECE):
            if found.size != expected.size or found.read(at, PIECE) != expected.read(at, PIECE):
                raise SystemExit(f"{written} differs from {disk} in the MiB from byte {at} on")


def sparse(work: Path) -> tuple[float, int]:
    """Return what jeos takes for a disk of 2 TiB with some data at its ends."""
    store, disk = work / "store", work / "disk.raw"
    tool = jeos(encrypt=False)
    run(tool.make(store), work=work)
    with disk.open("wb") as file:
        for at in (0, SPARSE // 2, SPARSE - MIB):
            file.seek(at)
            file.write(os.urandom(MIB))
    used = run(tool.back_up(store), work=work)
    subprocess.run(["rm", "-rf", str(store), str(disk)], check=True)
    return used


def main() -> None:
    """Make the disks if need be, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, default=cache_dir() / "bench")
    given = parser.parse_args()
    compileall.compile_dir(Path(jeos_package.__file__).parent, quiet=1)  # as pip does where it installs
    before, after = upgraded.make(given.work)
    data, changed, floor = upgraded.floor(before, after)
    sys.stdout.write(
        f"The disk has 2 GiB, {data * upgraded.BLOCK / MIB:.0f} MiB of them data; upgrades change "
        f"{changed / data:.1%} of its blocks, {floor / MIB:.1f} MiB if each block of 4 KiB is packed alone. "
        f"{os.getloadavg()[0]:.1f} processors were busy when this began.\n\n"
    )
    chosen = tools()
    spent = {tool.name: {step: Spent() for step in ("first full", "increment", "restore")} for tool in chosen}
    for _ in range(given.runs):
        for tool in chosen:
            measured(tool, before, after, given.work, spent[tool.name])
    header = [
        "",
        "first full, CPU s",
        "stored, MiB",
        "increment, CPU s",
        "new, MiB",
        "restore, CPU s",
        "peak memory, MiB",
    ]
    rows = [[name, *_cells(steps)] for name, steps in spent.items()]
    measure.publish("Backups of a disk file", rows, header=header, path=None, data=None)
    cpu, memory = sparse(given.work)
    sys.stdout.write(
        f"\njeos, a disk of 2 TiB with 3 MiB of data: {cpu:.1f} CPU s, {memory / MIB:.0f} MiB of memory.\n\n"
    )
    starts = instant.starts(given.work, runs=2 * given.runs - 1)
    header = ["the web site, until its page comes, started from", "wall s", "CPU s", "MiB read from the vault"]
    measure.publish("Starting from a backup", instant.lines(starts), header=header, path=None, data=None)
    sys.stdout.write(f"\n{instant.compared(starts)}\n\n")
    for tool in chosen:
        said = subprocess.run(tool.version, check=True, capture_output=True, text=True).stdout
        sys.stdout.write(f"{tool.name}: {said.splitlines()[0]}\n")


def _cells(steps: dict[str, Spent]) -> list[str]:
    cpu = {name: f"{statistics.median(step.cpu):.1f}" for name, step in steps.items()}
    stored = {name: f"{statistics.median(step.stored) / MIB:.1f}" for name, step in steps.items()}
    memory = max(max(step.memory) for step in steps.values()) / MIB
    full, more = "first full", "increment"
    return [cpu[full], stored[full], cpu[more], stored[more], cpu["restore"], f"{memory:.0f}"]


if __name__ == "__main__":
    main()
