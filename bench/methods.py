"""The tools that people use for updates, each as a function from two releases to what an update by it costs.

    for name in METHODS:
        figure = by(name, old, new, work)

A tool that is not there, that fails, or that takes more processor time than anybody would wait for, says so instead.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jeos.model.tree import Kind
from sides import KERNEL, Side

LIMIT = 1800  # CPU seconds that each process of a method may take


class FailedError(Exception):
    """A program that is measured ended with an error."""


class UnfinishedError(FailedError):
    """A program that is measured took all the processor time that it may take."""


@dataclass(frozen=True)
class Figure:
    """What a method costs: bytes; processor seconds and peak memory (bytes) of applying; seconds of making.

    What is not known is None. `problem` says why there is nothing.
    """

    size: int | None = None
    cpu: float | None = None
    memory: int | None = None
    making: float | None = None
    problem: str = ""

    def row(self) -> list[str]:
        """Return cells of a table: bytes, applying, making."""
        if self.size is None:
            return [self.problem or "-", "-", "-"]
        size = f"{self.size / 1e6:.2f} MB" if self.size >= 1e6 else f"{self.size / 1e3:.1f} kB"
        applying = "-" if self.cpu is None or self.memory is None else f"{self.cpu:.2f} / {self.memory / 1e6:.0f} MB"
        return [size, applying, "-" if self.making is None else f"{self.making:.1f}"]


@cache
def launcher() -> subprocess.Popen[str]:
    """Start what starts the programs that are measured."""
    argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py"))]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def measured(argv: Sequence[str | Path], *, env: dict[str, str] | None = None) -> tuple[float, int]:
    """Run a command and return its processor seconds and the peak of its memory in bytes.

    Raises FailedError, and UnfinishedError after LIMIT CPU seconds.
    """
    words = [str(word) for word in argv]
    process = launcher()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([words, {**os.environ, **(env or {})}, LIMIT]) + "\n")
    process.stdin.flush()
    status, cpu, memory, said = json.loads(process.stdout.readline())
    if status in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
        raise UnfinishedError(f"not finished within {LIMIT} CPU s")
    if status:
        raise FailedError(f"{words[0]} failed with status {status}: {said}")
    return cpu, memory


def zstd_whole(old: Side, new: Side, work: Path) -> Figure:
    """Pack the whole image."""
    making, _ = measured(["zstd", "-19", "-q", "-f", new.whole, "-o", work / "zst"])
    cpu, memory = measured(["zstd", "-d", "-q", "-f", work / "zst", "-o", work / "out"])
    return Figure((work / "zst").stat().st_size, cpu, memory, making)


def zstd_patch(old: Side, new: Side, work: Path) -> Figure:
    """Pack the whole image behind the older one."""
    long = ["--long=28", f"--patch-from={old.whole}", "-q", "-f"]
    making, _ = measured(["zstd", "-19", *long, new.whole, "-o", work / "zst"])
    cpu, memory = measured(["zstd", "-d", *long, "--memory=2048MB", work / "zst", "-o", work / "out"])
    return Figure((work / "zst").stat().st_size, cpu, memory, making)


def zstd_files(old: Side, new: Side, work: Path) -> Figure:
    """Pack each content that the older release has not, behind the file that had the same path in it, if any.

    One process a file, from two scripts of the shell; what finds out which files differ is not counted.
    """
    trees, packed, made = work / "old", work / "packed", work / "made"
    old.extract(trees)
    new.extract(work / "new")
    for folder in (packed, made):
        folder.mkdir()
    there = {entry.digest for entry in old.source.tree if entry.kind is Kind.FILE}
    wanted = {
        entry.digest: entry.path
        for entry in new.source.tree
        if entry.kind is Kind.FILE and entry.size and entry.digest not in there
    }
    make, apply = [], []
    for number, path in enumerate([*wanted.values(), KERNEL]):
        before = trees / path
        known = before.is_file() and not before.is_symlink() and before.stat().st_size
        options = ["-q", "-f", *([f"--patch-from={before}"] if known else [])]
        make.append(shlex.join(["zstd", "-19", *options, str(work / "new" / path), "-o", str(packed / str(number))]))
        apply.append(shlex.join(["zstd", "-d", *options, str(packed / str(number)), "-o", str(made / str(number))]))
    making, _ = measured(_script(work / "make", make))
    cpu, memory = measured(_script(work / "apply", apply))
    for number, path in enumerate([*wanted.values(), KERNEL]):
        if (made / str(number)).read_bytes() != (work / "new" / path).read_bytes():
            raise FailedError(f"{path} is not what it should be")
    size = sum(path.stat().st_size for path in packed.iterdir())
    return Figure(size, cpu, memory, making)


def _script(place: Path, lines: Sequence[str]) -> list[str | Path]:
    place.write_text("set -e\n" + "\n".join(lines) + "\n")
    return ["sh", place]


def xdelta(old: Side, new: Side, work: Path) -> Figure:
    """Let xdelta3 compare the whole images with all of the older one in its window."""
    size = str(max(old.whole.stat().st_size, 1 << 28))
    making, _ = measured(
        ["xdelta3", "-e", "-9", "-S", "lzma", "-B", size, "-f", "-s", old.whole, new.whole, work / "xd"]
    )
    cpu, memory = measured(["xdelta3", "-d", "-B", size, "-f", "-s", old.whole, work / "xd", work / "out"])
    return Figure((work / "xd").stat().st_size, cpu, memory, making)


def casync(old: Side, new: Side, work: Path) -> Figure:
    """Count the chunks that a store lacks which has those of the older image; applying fills a copy from both."""
    store = work / "store.castr"

    def stored() -> int:
        return sum(path.stat().st_size for path in store.rglob("*.cacnk"))

    measured(["casync", "make", f"--store={store}", work / "old.caibx", old.whole])
    before = stored()
    making, _ = measured(["casync", "make", f"--store={store}", work / "new.caibx", new.whole])
    size = stored() - before + (work / "new.caibx").stat().st_size
    cpu, memory = measured(
        ["casync", "extract", f"--store={store}", f"--seed={old.whole}", work / "new.caibx", work / "out"]
    )
    return Figure(size, cpu, memory, making)


def ostree(old: Side, new: Side, work: Path) -> Figure:
    """Make a static delta between two commits."""
    repository = work / "repository"
    run = ["ostree", f"--repo={repository}"]
    measured([*run, "init", "--mode=bare-user-only"])
    for name, one in (("old", old), ("new", new)):
        one.extract(work / f"tree-{name}")
        measured([*run, "commit", f"--branch={name}", "--canonical-permissions", work / f"tree-{name}"])
    out = work / "delta"
    make = [*run, "static-delta", "generate", "--from=old", "--to=new", "--inline", f"--filename={out}"]
    making, _ = measured(make)
    fresh = work / "fresh"
    measured(["ostree", f"--repo={fresh}", "init", "--mode=bare-user-only"])
    measured(["ostree", f"--repo={fresh}", "pull-local", repository, "old"])
    cpu, memory = measured(["ostree", f"--repo={fresh}", "static-delta", "apply-offline", out])
    return Figure(out.stat().st_size, cpu, memory, making)


def bsdiff(old: Side, new: Side, work: Path) -> Figure:
    """Let bsdiff compare the whole images."""
    # It sorts by calling itself, and needs more than the usual 8 MiB of stack.
    deep = ["sh", "-c", 'ulimit -s unlimited; exec "$@"', "sh"]
    making, _ = measured([*deep, "bsdiff", old.whole, new.whole, work / "bs"])
    cpu, memory = measured(["bspatch", old.whole, work / "out", work / "bs"])
    return Figure((work / "bs").stat().st_size, cpu, memory, making)


@dataclass(frozen=True)
class Method:
    """A method: what the table calls it, the program that must be there, and what measures it."""

    title: str
    program: str
    measure: Callable[[Side, Side, Path], Figure]


METHODS = {
    "zstd": Method("whole image, zstd -19", "zstd", zstd_whole),
    "casync": Method("casync", "casync", casync),
    "xdelta3": Method("xdelta3, whole image", "xdelta3", xdelta),
    "zstd-patch": Method("zstd -19 --long --patch-from, whole image", "zstd", zstd_patch),
    "bsdiff": Method("bsdiff, whole image", "bsdiff", bsdiff),
    "ostree": Method("OSTree static delta", "ostree", ostree),
    "zstd-files": Method("per file, zstd -19 --patch-from, same paths", "zstd", zstd_files),
}


def by(name: str, old: Side, new: Side, work: Path) -> Figure:
    """Return what a method costs, or why it cannot be told."""
    method = METHODS[name]
    if not shutil.which(method.program):
        return Figure(problem="not installed")
    folder = work / name
    folder.mkdir()
    try:
        return method.measure(old, new, folder)
    except UnfinishedError as error:
        return Figure(problem=str(error))
    except FailedError as error:
        sys.stderr.write(f"{error}\n")
        return Figure(problem="failed")
    finally:
        shutil.rmtree(folder)
