"""What conversions cost beside other tools, on one disk of 2.5 GiB with 1.5 GiB of data; one function for each table.

    .venv/bin/python bench/convert.py [--runs 3] [--work FOLDER] [--only vmdk,raw]

All tools read the same disk, and write to the same folder; what was written is compared with the disk after each run.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # machines to convert, QEMU by hand, libguestfs

import disks
import guestfs
import machines
import measure
import whole
from jeos.core.settings import cache_dir
from jeos.disk.blocks import PIECE, File
from jeos.disk.formats import open_disk
from measure import Cost

MIB = 1 << 20
# The writers themselves, as `jeos export` and `jeos convert` use them, which then read back what was written.
TO_VMDK = """
import sys
from pathlib import Path
from jeos.disk.formats import open_disk, vmdk_write
from jeos.disk.formats.ordered import Effort
with open_disk(Path(sys.argv[1])) as disk, open(sys.argv[2], "wb") as file:
    vmdk_write.write(disk, file, effort=Effort(sys.argv[3]))
"""
TO_RAW = """
import sys
from pathlib import Path
from jeos.disk.formats import open_disk, raw_write
with open_disk(Path(sys.argv[1])) as disk, open(sys.argv[2], "w+b") as file:
    raw_write.write(disk, file)
"""

Command = Callable[[Path, Path], Sequence[str | Path]]
Table = Callable[[Path, Path, int], None]


def qemu_img(*options: str) -> Command:
    """Return what converts with qemu-img."""
    return lambda source, target: ["qemu-img", "convert", *options, source, target]


def jeos(code: str, *arguments: str) -> Command:
    """Return what converts with a piece of Python in a process of its own."""
    return lambda source, target: [sys.executable, "-c", code, source, target, *arguments]


def to_vmdk(disk: Path, work: Path, runs: int) -> None:
    """Measure a raw disk being made a streamOptimized VMDK."""
    ways = {
        "qemu-img": qemu_img("-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized"),
        "jeos, small": jeos(TO_VMDK, "small"),
        "jeos": jeos(TO_VMDK, "usual"),
        "jeos, fast": jeos(TO_VMDK, "fast"),
    }
    compare("raw to streamOptimized VMDK", ways, source=disk, disk=disk, target=work / "out.vmdk", runs=runs)


def to_raw(disk: Path, work: Path, runs: int) -> None:
    """Measure a streamOptimized VMDK, which qemu-img made, being made a raw disk."""
    source = work / "source.vmdk"
    measure.cost(qemu_img("-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized")(disk, source))
    ways = {"qemu-img": qemu_img("-f", "vmdk", "-O", "raw"), "jeos": jeos(TO_RAW)}
    compare("streamOptimized VMDK to raw", ways, source=source, disk=disk, target=work / "out.raw", runs=runs)
    source.unlink()


def inspected(disk: Path, work: Path, runs: int) -> None:
    """Measure saying what is on the disk, to which an initrd with the drivers of all hypervisors is added."""
    source = machines.with_initrd(disk, work)
    ways: dict[str, Sequence[str | Path]] = {
        "virt-inspector": ["virt-inspector", "-a", source],
        "jeos inspect": [Path(sys.executable).with_name("jeos"), "inspect", source],
    }
    if why := guestfs.missing("virt-inspector"):
        sys.stderr.write(f"virt-inspector is left out: {why}\n")
        del ways["virt-inspector"]
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    with machines.appliance(work) as environment:
        for _ in range(runs):
            for name, command in ways.items():
                costs[name].append(measure.cost(command, env=environment))
    medians = {name: measure.median(found) for name, found in costs.items()}
    first = next(iter(medians.values()))
    rows = [
        [name, f"{cost.cpu:.2f}" + ("" if cost is first else f" ({first.cpu / cost.cpu:.0f} x)"), f"{cost.wall:.1f}"]
        for name, cost in medians.items()
    ]
    measure.publish("inspecting the disk", rows, header=["", "CPU s", "wall s"], path=None, data=None)
    source.unlink()


def whole_way(disk: Path, work: Path, runs: int) -> None:
    """Measure a machine's whole way, and see whether what comes out boots."""
    whole.measured(disk, work, runs)


TABLES: dict[str, Table] = {"vmdk": to_vmdk, "raw": to_raw, "inspect": inspected, "whole": whole_way}


def compare(title: str, ways: dict[str, Command], *, source: Path, disk: Path, target: Path, runs: int) -> None:
    """Print what each way costs (the middle of several runs, taken in turn) and how large what it writes is."""
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    sizes: dict[str, int] = {}
    for run in range(runs):
        for name, command in ways.items():
            target.unlink(missing_ok=True)
            costs[name].append(measure.cost(command(source, target)))
            sizes[name] = target.stat().st_blocks * 512
            if not run:
                check_same(disk, target)
    target.unlink()
    medians = {name: measure.median(found) for name, found in costs.items()}
    first = next(iter(medians.values()))
    rows = [
        [
            name,
            f"{cost.cpu:.1f}" + ("" if cost is first else f" ({first.cpu / cost.cpu:.1f} x)"),
            f"{cost.wall:.1f}" + ("" if cost is first else f" ({first.wall / cost.wall:.1f} x)"),
            f"{sizes[name] / MIB:.0f}",
        ]
        for name, cost in medians.items()
    ]
    header = ["", "CPU s", "wall s", "MiB written"]
    measure.publish(title, rows, header=header, path=None, data=None)


def check_same(disk: Path, target: Path) -> None:
    """End with a message if a file does not hold the disk."""
    with File(disk) as expected, open_disk(target) as written:
        for at in range(0, expected.size, PIECE):
            length = min(PIECE, expected.size - at)
            if expected.read(at, length) != written.read(at, length):
                raise SystemExit(f"{target} differs from {disk} in the MiB from byte {at} on")


def main() -> None:
    """Make the disk if need be, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, default=cache_dir() / "bench")
    parser.add_argument("--only", default=",".join(TABLES), help=f"tables to print, of: {', '.join(TABLES)}")
    given = parser.parse_args()
    disk = disks.make(given.work)
    sys.stdout.write(
        f"The disk has {disk.stat().st_size / MIB:.0f} MiB, {disks.data_of(disk) / MIB:.0f} of them data; "
        f"{os.getloadavg()[0]:.1f} processors were busy when this began.\n\n"
    )
    for name in given.only.split(","):
        TABLES[name](disk, given.work, given.runs)
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
