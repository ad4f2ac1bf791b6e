"""What an update costs: bytes to fetch, and processor and memory to apply it; jeos beside the tools people use.

    .venv/bin/python bench/update.py --pair large --json figures.json
    .venv/bin/python bench/update.py --pair small --peers zstd,casync

Pair "large" is Debian 12 without and with its updates (a new kernel), "small" Debian 13 where only nginx changed,
"whole" the large one with nothing slimmed away, so with all of Debian's kernel modules. All methods take the same two
systems: the slot as it is, with the kernel image behind it. A peer that is not installed is left out.

Publishing is measured from `--earlier` releases: as if each differed from the new one in its own way, and as if all
differed in the same files.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pairs
from jeos.build.outputs import Outputs
from jeos.channel import delta, packs
from jeos.channel.source import Source
from jeos.channel.streams import Memory
from jeos.disk import erofs_reader, verity
from jeos.disk import zstd_library as zstd
from jeos.model import pack_index, tree_text
from jeos.model import release as releases
from jeos.model.image import TYPE_ROOT, TYPE_ROOT_VERITY
from jeos.model.tree import Kind
from measure import publish

APPLY = """
import json, resource, sys
from jeos.model import release
from jeos.update.rebuild import rebuild
def fetch(blob, offset, length):
    raise SystemExit(f"{length} bytes are not in the patch")
arguments = json.load(open(sys.argv[1]))
why = rebuild(release.load(open(sys.argv[2], "rb").read()), fetch=fetch, **arguments)
sys.exit(why or 0)
"""


class FailedError(Exception):
    """A program that is measured ended with an error."""


@dataclass(frozen=True)
class Side:
    """One release of a pair, as files: slot, hashes, kernel image, and both in one for tools that know no more."""

    source: Source
    description: releases.Release
    system: Path
    hashes: Path
    whole: Path


@dataclass(frozen=True)
class Figure:
    """What a method costs: bytes; processor seconds and peak memory (bytes) of applying; seconds of making.

    A size of -1 stands for a method that failed.
    """

    method: str
    size: int
    cpu: float | None = None
    memory: int | None = None
    making: float | None = None

    def row(self) -> list[str]:
        """Return the line of the table."""
        size = f"{self.size / 1e6:.2f} MB" if self.size >= 1e6 else f"{self.size / 1e3:.1f} kB"
        if self.size < 0:
            size = "failed"
        cpu = "-" if self.cpu is None else f"{self.cpu:.2f}"
        memory = "-" if self.memory is None else f"{self.memory / 1e6:.0f} MB"
        making = "-" if self.making is None else f"{self.making:.1f}"
        return [self.method, size, cpu, memory, making]


@cache
def launcher() -> subprocess.Popen[str]:
    """Start what starts the programs that are measured."""
    argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py"))]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def measured(argv: Sequence[str | Path], *, env: dict[str, str] | None = None) -> tuple[float, int]:
    """Run a command and return its processor seconds and the peak of its memory in bytes. Raises FailedError."""
    words = [str(word) for word in argv]
    process = launcher()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([words, {**os.environ, **(env or {})}, os.devnull]) + "\n")
    process.stdin.flush()
    status, cpu, memory, said = json.loads(process.stdout.readline())
    if status:
        raise FailedError(f"{words[0]} failed with status {status}: {said}")
    return cpu, memory


def side(outputs: Outputs, work: Path) -> Side:
    """Take a build apart."""
    image, folder = outputs.image, outputs.folder
    work.mkdir(parents=True, exist_ok=True)
    paths = {TYPE_ROOT: work / "system", TYPE_ROOT_VERITY: work / "hashes"}
    sizes = {TYPE_ROOT: image.system_size, TYPE_ROOT_VERITY: image.verity_size}
    with outputs.disk.open("rb") as disk:
        for part in image.partitions[:3]:
            if part.type in paths:
                disk.seek(part.start)
                paths[part.type].write_bytes(disk.read(sizes[part.type]))
    system, hashes = paths[TYPE_ROOT], paths[TYPE_ROOT_VERITY]
    whole = work / "whole"
    whole.write_bytes(system.read_bytes() + outputs.kernel.read_bytes())
    filesystem = erofs_reader.Filesystem(system.open("rb"))
    tree = tree_text.parse((folder / image.tree).read_text(), source=image.tree)
    path_of = {entry.digest: entry.path for entry in tree if entry.digest and not entry.hardlink}
    source = Source(
        version=image.version,
        root_hash=image.root_hash,
        time=filesystem.superblock.time,
        tree=tree,
        read=lambda digest: filesystem.read(path_of[digest]),
        kernel=outputs.kernel,
    )
    superblock = verity.Superblock.parse(hashes.read_bytes()[: verity.BLOCK])
    description = releases.Release(
        name=image.name,
        version=image.version,
        architecture="amd64",
        date=source.time,
        root_hash=image.root_hash,
        system=releases.System(
            size=image.system_size,
            uuid=filesystem.uuid,
            label=filesystem.label,
            time=source.time,
            hashes_size=image.verity_size,
            hashes_uuid=superblock.uuid,
            salt=superblock.salt.hex(),
        ),
        kernel=_blob(outputs.kernel),
        index=_blob(outputs.kernel),
        packs=(),
    )
    return Side(source, description, system, hashes, whole)


def _blob(path: Path) -> releases.Blob:
    data = path.read_bytes()
    return releases.Blob(sha256=hashlib.sha256(data).hexdigest(), length=len(data))


@contextmanager
def libraries(old: Side, work: Path) -> Iterator[dict[str, str]]:
    """Give the environment in which programs load libzstd and liblz4 of the older release, as in the guest."""
    folder = work / "libraries"
    folder.mkdir(exist_ok=True)
    for entry in old.source.tree:
        for name in ("libzstd.so.1", "liblz4.so.1"):
            if entry.kind is Kind.FILE and entry.name.startswith(name) and entry.path.startswith("usr/lib/"):
                (folder / name).write_bytes(old.source.read(entry.digest))
    yield {"LD_LIBRARY_PATH": str(folder)}


def jeos(old: Side, new: Side, work: Path, *, earlier: int) -> Figure:
    """Make the patch, apply it in a process of its own, compare the result; tell what publishing would take."""
    began = time.process_time()
    patch, memory = work / "patch", Memory()
    patch.write_bytes(delta.make_patch(old.source, new.source, memory=memory))
    making = time.process_time() - began
    began = time.process_time()
    if delta.make_patch(old.source, new.source, memory=memory) != patch.read_bytes():
        raise SystemExit("the same patch, made twice, differs")
    repeating = time.process_time() - began
    packed = packs.make(old.source)
    index = pack_index.load(
        packed.index, time=old.source.time, unpack=lambda packed, size: zstd.decompress(packed, size=size)
    )
    began = time.process_time()
    again = packs.make(new.source, earlier=[index])
    packing = time.process_time() - began
    shared = making + repeating * (earlier - 1) + packing
    sys.stderr.write(
        f"packs: {sum(map(len, packed.new)) / 1e6:.1f} MB, of the newer one {sum(map(len, again.new)) / 1e6:.1f} MB; "
        f"publishing against {earlier} releases: {making * earlier + packing:.0f} CPU s if nothing is alike, "
        f"{shared:.0f} if all changes are\n"
    )
    arguments = {
        "active": str(old.system),
        "kernel": str(old.source.kernel),
        "patch": str(patch),
        "system": str(work / "made-system"),
        "hashes": str(work / "made-hashes"),
        "kernel_out": str(work / "made-kernel"),
        "work": str(work / "apply"),
    }
    for name, size in (("system", new.description.system.size), ("hashes", new.description.system.hashes_size)):
        with (work / f"made-{name}").open("wb") as file:
            file.truncate(size)
    (work / "arguments").write_text(json.dumps(arguments))
    (work / "release").write_bytes(releases.dump(new.description))
    with libraries(old, work) as env:
        cpu, peak = measured([sys.executable, "-c", APPLY, work / "arguments", work / "release"], env=env)
    for made, wanted in (("made-system", new.system), ("made-hashes", new.hashes), ("made-kernel", new.source.kernel)):
        if (work / made).read_bytes() != wanted.read_bytes():
            raise SystemExit(f"{made} is not what it should be")
    return Figure("jeos", patch.stat().st_size, cpu, peak, making)


def zstd_whole(old: Side, new: Side, work: Path) -> Figure:
    """Pack the whole image."""
    making, _ = measured(["zstd", "-19", "-q", "-f", new.whole, "-o", work / "zst"])
    cpu, memory = measured(["zstd", "-d", "-q", "-f", work / "zst", "-o", work / "out"])
    return Figure("whole image, zstd -19", (work / "zst").stat().st_size, cpu, memory, making)


def zstd_patch(old: Side, new: Side, work: Path) -> Figure:
    """Pack the whole image behind the older one."""
    long = ["--long=28", f"--patch-from={old.whole}", "-q", "-f"]
    making, _ = measured(["zstd", "-19", *long, new.whole, "-o", work / "zst"])
    cpu, memory = measured(["zstd", "-d", *long, "--memory=2048MB", work / "zst", "-o", work / "out"])
    return Figure("zstd -19 --long --patch-from, whole image", (work / "zst").stat().st_size, cpu, memory, making)


def xdelta(old: Side, new: Side, work: Path) -> Figure:
    """Let xdelta3 compare the whole images with all of the older one in its window."""
    size = str(max(old.whole.stat().st_size, 1 << 28))
    making, _ = measured(
        ["xdelta3", "-e", "-9", "-S", "lzma", "-B", size, "-f", "-s", old.whole, new.whole, work / "xd"]
    )
    cpu, memory = measured(["xdelta3", "-d", "-B", size, "-f", "-s", old.whole, work / "xd", work / "out"])
    return Figure("xdelta3, whole image", (work / "xd").stat().st_size, cpu, memory, making)


def casync(old: Side, new: Side, work: Path) -> Figure:
    """Count the chunks that a store lacks which has those of the older image."""
    store = work / "store.castr"

    def stored() -> int:
        return sum(path.stat().st_size for path in store.rglob("*.cacnk"))

    measured(["casync", "make", f"--store={store}", work / "old.caibx", old.whole])
    before = stored()
    making, _ = measured(["casync", "make", f"--store={store}", work / "new.caibx", new.whole])
    size = stored() - before + (work / "new.caibx").stat().st_size
    return Figure("casync", size, making=making)


def ostree(old: Side, new: Side, work: Path) -> Figure:
    """Make a static delta between two commits."""
    repository = work / "repository"
    run = ["ostree", f"--repo={repository}"]
    measured([*run, "init", "--mode=bare-user-only"])
    for name, one in (("old", old), ("new", new)):
        tree = work / f"tree-{name}"
        for entry in one.source.tree:
            path = tree / entry.path
            if entry.kind is Kind.DIRECTORY:
                path.mkdir(parents=True, exist_ok=True)
            elif entry.kind is Kind.FILE:
                path.write_bytes(one.source.read(entry.digest) if entry.size else b"")
            elif entry.kind is Kind.SYMLINK:
                path.symlink_to(entry.target)
        shutil.copyfile(one.source.kernel, tree / "boot-kernel.efi")
        measured([*run, "commit", f"--branch={name}", "--canonical-permissions", tree])
    out = work / "delta"
    make = [*run, "static-delta", "generate", "--from=old", "--to=new", "--inline", f"--filename={out}"]
    making, _ = measured(make)
    fresh = work / "fresh"
    measured(["ostree", f"--repo={fresh}", "init", "--mode=bare-user-only"])
    measured(["ostree", f"--repo={fresh}", "pull-local", repository, "old"])
    cpu, memory = measured(["ostree", f"--repo={fresh}", "static-delta", "apply-offline", out])
    return Figure("OSTree static delta", out.stat().st_size, cpu, memory, making)


def bsdiff(old: Side, new: Side, work: Path) -> Figure:
    """Let bsdiff compare the whole images."""
    # It sorts by calling itself, and needs more than the usual 8 MiB of stack.
    deep = ["sh", "-c", 'ulimit -s unlimited; exec "$@"', "sh"]
    making, _ = measured([*deep, "bsdiff", old.whole, new.whole, work / "bs"])
    cpu, memory = measured(["bspatch", old.whole, work / "out", work / "bs"])
    return Figure("bsdiff, whole image", (work / "bs").stat().st_size, cpu, memory, making)


Peer = Callable[[Side, Side, Path], Figure]
PEERS: dict[str, Peer] = {
    "zstd": zstd_whole,
    "casync": casync,
    "xdelta3": xdelta,
    "zstd-patch": zstd_patch,
    "ostree": ostree,
    "bsdiff": bsdiff,
}
PROGRAMS = {"zstd-patch": "zstd"}


def figures(pair: pairs.Pair, work: Path, *, peers: Sequence[str], earlier: int) -> Iterator[Figure]:
    """Yield what each method costs."""
    old, new = side(pair.old, work / "old"), side(pair.new, work / "new")
    yield Figure("changed .debs", sum(package.size for package in pair.changed))
    yield jeos(old, new, work, earlier=earlier)
    for name in peers:
        if shutil.which(PROGRAMS.get(name, name)):
            folder = work / name
            folder.mkdir()
            try:
                yield PEERS[name](old, new, folder)
            except FailedError as error:
                sys.stderr.write(f"{error}\n")
                yield Figure(name, -1)
            shutil.rmtree(folder)


def main() -> None:
    """Measure one pair."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", choices=("large", "small", "whole"), default="large")
    parser.add_argument("--work", type=Path, help="a folder to build in, kept for the next run")
    parser.add_argument("--peers", default=",".join(PEERS), help="which peers, with commas between them")
    parser.add_argument("--earlier", type=int, default=5, help="earlier releases that one is published against")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    suite, only = {"large": ("bookworm", ""), "small": ("trixie", "nginx"), "whole": ("bookworm", "")}[args.pair]
    with tempfile.TemporaryDirectory(prefix="jeos-bench-") as folder:
        place = (args.work or Path(folder)) / args.pair
        launcher()  # before this process is large
        pair = pairs.make(suite, place, only=only, slim=args.pair != "whole")
        peers = [name for name in args.peers.split(",") if name]
        found = []
        for one in figures(pair, Path(folder), peers=peers, earlier=args.earlier):
            sys.stderr.write(f"{' '.join(one.row())}\n")
            found.append(one)
    publish(
        f"Update, pair {args.pair}: {len(pair.changed)} packages changed",
        [one.row() for one in found],
        header=("method", "bytes", "apply, CPU s", "memory", "making, CPU s"),
        path=args.json,
        data=[vars(one) for one in found],
    )


if __name__ == "__main__":
    main()
