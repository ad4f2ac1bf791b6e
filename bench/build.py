"""Compare what it costs to build an appliance: jeos, mmdebstrap and mkosi, on tmpfs, packages already downloaded.

    bench/build.py [--runs 3] [--json FILE]

The appliance is what the other tools call a minimal bootable system: kernel, systemd, udev, dbus, openssh-server.
mmdebstrap makes a tar of it, mkosi and jeos a bootable disk. Figures are medians of CPU seconds, all processes counted.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import Cost, cost, median, publish

JEOS = Path(sys.executable).parent / "jeos"
RECIPE = """\
name = "bench"
version = "1.0"
summary = "What mmdebstrap and mkosi are measured with"
suite = "trixie"
packages = ["openssh-server"{more}]
"""
SMALL_PACKAGE = "nano"
OLDEST_MKOSI = 20  # before that, mkosi could not build without root, nor Debian 13's images


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


def mirrors() -> list[str]:
    """Return apt lines for trixie from the addresses that this machine's apt has."""
    from jeos.build import sources
    from jeos.model.recipe import Recipe

    found = sources.repositories(Recipe(name="bench", version="1"), folder=Path())
    return [f"deb {one.url} {suite} {' '.join(one.components)}" for one in found for suite in one.suites]


def mmdebstrap_cost(work: Path, *, runs: int) -> Cost | None:
    """Return what mmdebstrap's tar costs with its packages in a folder, or None without mmdebstrap."""
    if shutil.which("mmdebstrap") is None:
        return None
    debs = work / "debs"
    debs.mkdir()
    packages = "linux-image-cloud-amd64,systemd,systemd-sysv,udev,dbus,openssh-server"
    common: list[str | Path] = [
        "mmdebstrap",
        "--quiet",
        "--variant=apt",
        f"--include={packages}",
        "--skip=essential/unlink",
    ]
    keep: list[str | Path] = [
        f'--customize-hook=cp "$1"/var/cache/apt/archives/*.deb {debs}/',
        "--skip=cleanup/apt/cache",
    ]
    give: list[str | Path] = [
        f'--setup-hook=mkdir -p "$1"/var/cache/apt/archives && cp {debs}/*.deb "$1"/var/cache/apt/archives/'
    ]
    last: list[str | Path] = ["--skip=download/empty", "trixie", work / "mmdebstrap.tar", *mirrors()]
    env = {"TMPDIR": str(work)}
    cost([*common, *keep, *last], env=env)
    return median([cost([*common, *give, *last], env=env) for _ in range(runs)])


def mkosi_version() -> int:
    """Return mkosi's version, or 0 if it is not installed."""
    if shutil.which("mkosi") is None:
        return 0
    text = subprocess.run(["mkosi", "--version"], check=False, capture_output=True, text=True).stdout
    found = re.search(r"\d+", text)
    return int(found.group()) if found else 0


def ratio(mine: Cost, other: Cost | None) -> str:
    """Return how many times as much the other one costs."""
    return f"{other.cpu / mine.cpu:.1f} x" if other else "-"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="jeos-bench-", dir=base) as name:
        work = Path(name)
        mine = jeos_costs(work, runs=args.runs)
        peer = mmdebstrap_cost(work, runs=args.runs)
    rows = [
        [
            "nothing but the .debs",
            f"{mine['first'].cpu:.1f}",
            f"{peer.cpu:.1f}" if peer else "-",
            ratio(mine["first"], peer),
        ],
        ["nothing changed", f"{mine['again'].cpu:.2f}", "as above", ratio(mine["again"], peer)],
        [f"one package more ({SMALL_PACKAGE})", f"{mine['added'].cpu:.1f}", "as above", ratio(mine["added"], peer)],
    ]
    header = ("build from", "jeos, CPU s (a bootable disk)", "mmdebstrap, CPU s (a tar)", "ratio")
    data = {
        "jeos": {key: [one.cpu, one.wall] for key, one in mine.items()},
        "mmdebstrap": [peer.cpu, peer.wall] if peer else None,
    }
    publish("Build", rows, header=header, path=args.json, data=data)
    if mkosi_version() < OLDEST_MKOSI:
        sys.stdout.write(
            f"\nmkosi was not measured: version {mkosi_version() or 'none'} is installed, {OLDEST_MKOSI} is needed.\n"
        )


if __name__ == "__main__":
    main()
