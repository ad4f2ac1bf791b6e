"""What an update costs: bytes to fetch, and processor and memory to apply it; jeos beside the tools people use.

    .venv/bin/python bench/update.py --json figures.json
    .venv/bin/python bench/update.py --pairs small --peers zstd,casync

Pair "large" is Debian 12 without and with its updates (a new kernel), "small" Debian 13 where only nginx changed,
"whole" the large one with nothing slimmed away, so with all of Debian's kernel modules; peers do not measure that one.
All methods take the same two systems: the slot as it is, with the kernel image behind it, or the files of both.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pairs
from jeos.channel import delta
from jeos.channel.streams import Memory
from jeos.model import release as releases
from jeos.model.tree import Kind
from measure import publish
from methods import METHODS, Figure, by, launcher, measured
from sides import Side, side

PAIRS = {"large": ("bookworm", ""), "whole": ("bookworm", ""), "small": ("trixie", "nginx")}
WITHOUT_PEERS = "whole"
DEBS, OWN = "changed .debs", "**jeos**"
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


def jeos(old: Side, new: Side, work: Path) -> Figure:
    """Make the patch, apply it in a process of its own, and compare the result."""
    began = time.process_time()
    patch = work / "patch"
    patch.write_bytes(delta.make_patch(old.source, new.source, memory=Memory()))
    making = time.process_time() - began
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
    return Figure(patch.stat().st_size, cpu, peak, making)


def figures(pair: pairs.Pair, work: Path, *, peers: Sequence[str]) -> dict[str, Figure]:
    """Return what each method costs, by what the table calls it."""
    old, new = side(pair.old, work / "old"), side(pair.new, work / "new")
    found: dict[str, Figure] = {}
    for name in peers:
        found[METHODS[name].title] = by(name, old, new, work)
        sys.stderr.write(f"{METHODS[name].title}: {', '.join(found[METHODS[name].title].row())}\n")
    found[DEBS] = Figure(sum(package.size for package in pair.changed))
    found[OWN] = jeos(old, new, work)
    sys.stderr.write(f"jeos: {', '.join(found[OWN].row())}\n")
    return found


def rows(found: dict[str, dict[str, Figure]], *, peers: Sequence[str]) -> list[list[str]]:
    """Return the lines of the table: for each method three cells for each pair."""
    titles = [*(METHODS[name].title for name in peers), DEBS, OWN]
    return [[title, *(cell for pair in found.values() for cell in pair.get(title, Figure()).row())] for title in titles]


def main() -> None:
    """Measure the pairs, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", default=",".join(PAIRS), help="which pairs, with commas between them")
    parser.add_argument("--work", type=Path, help="a folder to build in, kept for the next run")
    parser.add_argument("--peers", default=",".join(METHODS), help="which peers, with commas between them")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    peers = [name for name in args.peers.split(",") if name]
    found: dict[str, dict[str, Figure]] = {}
    said = []
    launcher()  # before this process is large
    for name in args.pairs.split(","):
        suite, only = PAIRS[name]
        with tempfile.TemporaryDirectory(prefix="jeos-bench-") as folder:
            pair = pairs.make(suite, (args.work or Path(folder)) / name, only=only, slim=name != "whole")
            found[name] = figures(pair, Path(folder), peers=[] if name == WITHOUT_PEERS else peers)
        changed = ", ".join(package.name for package in pair.changed)
        said.append(f"- Pair {name}: {suite}, {len(pair.changed)} packages changed ({changed}).")
    publish(
        "Update",
        rows(found, peers=peers),
        header=(
            "method",
            *(f"{name}{what}" for name in found for what in (", bytes", ": applying", ": making, CPU s")),
        ),
        path=args.json,
        data={name: {title: asdict(one) for title, one in pair.items()} for name, pair in found.items()},
    )
    sys.stdout.write("\nApplying: CPU s / memory at its peak.\n\n" + "\n".join(said) + "\n")


if __name__ == "__main__":
    main()
