"""Compare what it costs to build an appliance: jeos, mmdebstrap and mkosi, on tmpfs, packages already downloaded.

    bench/build.py [--runs 3] [--json FILE]

The appliance is what the other tools call a minimal bootable system: kernel, systemd, udev, dbus, openssh-server.
mmdebstrap makes a tar of it, mkosi and jeos a bootable disk. Figures are medians of CPU seconds, all processes counted.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from measure import Cost, cost, median, publish
from peers import OLDEST_MKOSI, Mkosi, mkosi_cost, mkosi_version, mmdebstrap_cost

JEOS = Path(sys.executable).parent / "jeos"
RECIPE = """\
name = "bench"
version = "1.0"
summary = "What mmdebstrap and mkosi are measured with"
suite = "trixie"
packages = ["openssh-server"{more}]
"""
SMALL_PACKAGE = "nano"


def write_recipe(folder: Path, *, more: str = "") -> None:
    """Write the recipe of the appliance that is built."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "appliance.toml").write_text(RECIPE.format(more=f', "{more}"' if more else ""))


def jeos_costs(work: Path, *, runs: int) -> dict[str, Cost]:
    """Return what the three kinds of build cost: from nothing but packages, unchanged, with one package more."""
    first, warm = [], work / "warm"
    env = {"JEOS_CACHE_DIR": str(warm), "JEOS_TMPDIR": str(work / "tmp")}
    recipe, larger = work / "recipe", work / "larger"
    write_recipe(recipe)
    write_recipe(larger, more=SMALL_PACKAGE)
    for folder in (recipe, larger):
        subprocess.run([JEOS, "-q", "lock", folder], env={**os.environ, **env}, check=True)
        subprocess.run([JEOS, "-q", "lock", folder, "--fetch"], env={**os.environ, **env}, check=True)
    for run in range(runs):
        cache = work / f"cold-{run}"
        shutil.copytree(warm / "store", cache / "store")
        shutil.rmtree(recipe / "build", ignore_errors=True)
        first.append(cost([JEOS, "-q", "build", recipe], env={**env, "JEOS_CACHE_DIR": str(cache)}))
        if run < runs - 1:
            shutil.rmtree(cache)
    env["JEOS_CACHE_DIR"] = str(work / f"cold-{runs - 1}")
    again = [cost([JEOS, "-q", "build", recipe], env=env) for _ in range(runs)]
    shutil.copytree(recipe / "build", larger / "build")
    added = cost([JEOS, "-q", "build", larger], env=env)
    return {"first": median(first), "again": median(again), "added": added}


def shown(other: Cost | None, *, mine: Cost) -> str:
    """Return what another tool costs, and how many times as much that is."""
    return f"{other.cpu:.1f} ({other.cpu / mine.cpu:.1f} x)" if other else "not installed"


def compare(mine: Mapping[str, Cost], *, tar: Cost | None, disk: Mkosi | None) -> list[list[str]]:
    """Return the rows of the table. mmdebstrap knows one kind of build only, so each row has the same for it."""
    kinds = {
        "first": ("nothing but the .debs", disk.first if disk else None),
        "again": ("nothing changed", disk.again if disk else None),
        "added": (f"one package more ({SMALL_PACKAGE})", disk.added if disk else None),
    }
    return [
        [name, f"{mine[kind].cpu:.2f}", shown(tar, mine=mine[kind]), shown(other, mine=mine[kind])]
        for kind, (name, other) in kinds.items()
    ]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="jeos-bench-", dir=base) as name:
        work = Path(name)
        mine = jeos_costs(work, runs=args.runs)
        tar = mmdebstrap_cost(work, runs=args.runs)
        disk = mkosi_cost(work, runs=args.runs, more=SMALL_PACKAGE)
    header = ("build from", "jeos, CPU s (a bootable disk)", "mmdebstrap, CPU s (a tar)", "mkosi, CPU s (a disk)")
    data = {
        "jeos": {key: [one.cpu, one.wall] for key, one in mine.items()},
        "mmdebstrap": [tar.cpu, tar.wall] if tar else None,
        "mkosi": asdict(disk) if disk else None,
    }
    publish("Build", compare(mine, tar=tar, disk=disk), header=header, path=args.json, data=data)
    sys.stdout.write(f"\nOther programs kept {load:.1f} processors busy when this began.\n")
    if disk is None:
        sys.stdout.write(
            f"mkosi was not measured: version {mkosi_version() or 'none'} is installed, {OLDEST_MKOSI} is needed.\n"
        )


if __name__ == "__main__":
    main()
