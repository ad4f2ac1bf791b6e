"""The whole way of a machine, from VMware's OVA to a qcow2 that boots, beside virt-v2v; and whether it does boot.

    whole.measured(disk, work, runs)

The machine is the one that tests convert (`tests/foreign_machine.py`), with as many files of the benchmark's disk
as fill 1.5 GiB of its 2.5. Needs root, for the programs that install it.
"""

import os
import shutil
import sys
from pathlib import Path

import disks
import foreign_disk
import guestfs
import machines
import measure
from bare_machine import PATIENCE, VIRTIO, BareMachine
from foreign_machine import LEGACY, base_tree
from jeos.disk.blocks import File
from jeos.export import source as sources
from jeos.export.target import Options
from jeos.export.targets import ova as target
from measure import Cost

LOGIN = rf"(?m)^{LEGACY.name} login:"
FAILURES = (r"ALERT! +(\S+ does not exist)", r"(Kernel panic[^\n]*)", r"(emergency mode)", r"(No bootable device)")
FILLER = 900 * disks.MIB  # bytes of files beside the system's


def measured(disk: Path, work: Path, runs: int) -> None:
    """Print what the conversion costs; virt-v2v, which takes minutes, is run once, and only where it is installed."""
    if os.geteuid() != 0:
        raise SystemExit("the machine that is converted can only be made as root")
    ova = make(work)
    found = {"jeos convert": _jeos(ova, work, runs)}
    if why := guestfs.missing("virt-v2v"):
        sys.stderr.write(f"virt-v2v is left out: {why}\n")
    else:
        found = {"virt-v2v": _virt_v2v(ova, work), **found}
    first = next(iter(found.values()))[0]
    rows = [
        [
            name,
            f"{cost.cpu:.1f}" + ("" if cost is first else f" ({first.cpu / cost.cpu:.0f} x)"),
            f"{cost.wall:.1f}",
            boots(result, work),
        ]
        for name, (cost, result) in found.items()
    ]
    measure.publish("OVA to qcow2", rows, header=["", "CPU s", "wall s", "boots on virtio"], path=None, data=None)


def make(work: Path) -> Path:
    """Return the machine in an OVA, which is made if it is not there."""
    ova = work / "server.ova"
    if ova.exists():
        return ova
    folder = work / "machine"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    tree = base_tree(folder)
    _fill(tree / "srv", work / "tree")
    raw = foreign_disk.make(LEGACY, tree, place=folder / "disk.raw", size=disks.SIZE)
    partial = work / "server.ova.partial"
    with File(raw) as source, partial.open("w+b") as file:
        target.write(sources.of_disk(source, name="server"), file, options=Options())
    partial.rename(ova)
    shutil.rmtree(folder)
    return ova


def _fill(target: Path, source: Path) -> None:
    """Lay files of the benchmark's disk into a folder, as links, until there are enough."""
    left = FILLER
    for path in sorted(source.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        left -= path.stat().st_size
        if left < 0:
            return
        there = target / path.relative_to(source)
        there.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, there)


def _jeos(ova: Path, work: Path, runs: int) -> tuple[Cost, Path]:
    result = work / "jeos.qcow2"
    command: list[str | Path] = [Path(sys.executable).with_name("jeos"), "convert", ova, "-o", result, "--force"]
    return measure.median([measure.cost(command) for _ in range(runs)]), result


def _virt_v2v(ova: Path, work: Path) -> tuple[Cost, Path]:
    folder = work / "virt-v2v"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command: list[str | Path] = ["virt-v2v", "-i", "ova", ova, "-o", "local", "-os", folder, "-of", "qcow2"]
    with machines.appliance(work) as environment:
        cost = measure.cost(command, env=environment)
    return cost, next(path for path in folder.iterdir() if path.suffix != ".xml")


def boots(disk: Path, work: Path) -> str:
    """Tell whether a disk starts on virtio, and what it says if it does not."""
    folder = work / "boot"
    shutil.rmtree(folder, ignore_errors=True)
    with BareMachine(folder, disk, hardware=VIRTIO, form="qcow2") as machine:
        try:
            said = machine.until(LOGIN, *FAILURES)
        except AssertionError:
            return f"no login within {PATIENCE:.0f} s"
    return "yes" if said == LOGIN else f"no: {said}"
