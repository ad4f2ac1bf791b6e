"""What publishing costs: the sixth release of an appliance, with patches from the five before it, by `jeos publish`.

    .venv/bin/python bench/publishing.py [--json FILE]

The releases are real ones, as a vendor could have made them over the months: the first is Debian 12's plain suite, the
last has all of its updates, and those between have a part of them each, and each a kernel of its own, as far as the
mirror still has those.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pairs
from jeos.build import load, locked, resolve, sources
from jeos.build.apt import AptRoot
from jeos.build.outputs import Outputs, find
from jeos.core import settings
from jeos.model.lock import Lock, LockedPackage, Role
from jeos.model.recipe_text import FILE_NAME
from measure import Cost, cost, publish

SUITE = "bookworm"
UPDATE = '[update]\nchannel = "https://updates.example/pair/"\nroot = "../keys/root.json"\n'
PASSPHRASE = "of the benchmark's keys"
JEOS = Path(sys.executable).parent / "jeos"


@dataclass(frozen=True, slots=True)
class Step:
    """One release: its version, how many packages are not those of the release before, and its kernel."""

    version: str
    changed: int
    kernel: str
    outputs: Outputs


def recipe(work: Path, version: str) -> Path:
    """Write the recipe of one release, and return its folder."""
    folder = work / version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE_NAME).write_text(pairs.recipe_text(SUITE, version) + UPDATE)
    return folder


def kernels(folder: Path, *, first: LockedPackage, last: LockedPackage, count: int) -> list[tuple[str, str]]:
    """Return names and versions of as many kernels, evenly from `first` on and all before `last`, as the mirror has.

    If it has fewer, some come twice.
    """

    def numbers(name: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", name)]

    series = re.sub(r"\d+", r"\\d+", re.escape(first.name))
    with AptRoot(
        sources.repositories(load.load(folder / FILE_NAME), folder=folder), cache=settings.cache_dir()
    ).opened() as apt:
        apt.update()
        names = sorted((name for name in apt.names() if re.fullmatch(series, name)), key=numbers)
        between = [name for name in names if numbers(first.name) <= numbers(name) < numbers(last.name)]
        stanzas = {one["package"]: one["version"] for one in apt.show(between)}
    known = [(name, stanzas[name]) for name in between if name in stanzas]
    return [known[number * len(known) // count] for number in range(count)]


def between(plain: Lock, new: Lock, *, share: float, kernel: tuple[str, str]) -> Lock:
    """Return what a release between two others wants: so much of the updates, source by source, and a kernel."""
    older = {package.name: package for package in plain.packages}
    changed = sorted({one.source.split()[0] for one in new.packages if older.get(one.name) not in (None, one)})
    taken = set(changed[: round(len(changed) * share)])
    packages = [one if one.source.split()[0] in taken else older.get(one.name, one) for one in new.packages]
    packages = [replace(one, name=kernel[0], version=kernel[1]) if one.role is Role.KERNEL else one for one in packages]
    return replace(plain, packages=tuple(sorted(packages)))


def releases(work: Path, *, earlier: int) -> list[Step]:
    """Build as many releases, each newer than the one before, and the one with all updates."""
    versions = [f"1.{number}" for number in range(earlier + 1)]
    folders = [recipe(work, version) for version in versions]
    plain, new = pairs.lock(folders[0], plain=True), pairs.lock(folders[-1], plain=False)
    (first,), (last,) = plain.having(Role.KERNEL), new.having(Role.KERNEL)
    chosen = kernels(folders[0], first=first, last=last, count=earlier)
    wanted = [between(plain, new, share=number / earlier, kernel=one) for number, one in enumerate(chosen)]
    found: list[Step] = []
    before: set[LockedPackage] = set()
    for version, folder, keep in zip(versions, folders, [*wanted, None], strict=True):
        lock = new
        if keep:
            lock = resolve.resolve(load.load(folder / FILE_NAME), folder=folder, cache=settings.cache_dir(), keep=keep)
        locked.write(lock, folder=folder)
        pairs.run_build(folder)
        kernel = lock.having(Role.KERNEL)[0].name
        changed = len(set(lock.packages) - before) if before else 0
        found.append(Step(version, changed, kernel, find(folder)))
        before = set(lock.packages)
    return found


def publish_all(work: Path, steps: Sequence[Step], *, channel: Path) -> Cost:
    """Publish one release after the other, and return what the last one cost, which gets patches from all others."""
    env = {"JEOS_PASSPHRASE": PASSPHRASE}
    found = Cost(0, 0)
    for step in steps:
        last = step is steps[-1]
        patches = ["--patches", str(len(steps) - 1 if last else 0)]
        keys = ["--keys", str(work / "keys"), "--channel", str(channel)]
        found = cost([JEOS, "publish", step.outputs.folder.parent, *keys, *patches], env=env)
    return found


def patch_sizes(channel: Path, version: str) -> dict[str, int]:
    """Return the bytes of the patch from each earlier release."""
    [described] = channel.glob(f"targets/releases/*_{version}.json")
    patches: list[dict[str, Any]] = json.loads(described.read_bytes())["patches"]
    return {one["version"]: one["blob"]["length"] for one in patches}


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--earlier", type=int, default=5, help="earlier releases that one is published against")
    parser.add_argument("--work", type=Path, help="a folder to build in, kept for the next run")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jeos-bench-") as folder:
        work = args.work or Path(folder)
        if not (work / "keys").exists():
            cost([JEOS, "keys", "new", "--keys", work / "keys"], env={"JEOS_PASSPHRASE": PASSPHRASE})
        steps = releases(work, earlier=args.earlier)
        load_now = os.getloadavg()[0]
        with tempfile.TemporaryDirectory(prefix="channel-", dir=work) as place:
            spent = publish_all(work, steps, channel=Path(place))
            sizes = patch_sizes(Path(place), steps[-1].version)
    rows = [
        [step.version, step.kernel, str(step.changed) if step.changed else "-", f"{sizes[step.version] / 1e6:.2f} MB"]
        for step in steps[:-1]
    ]
    last = steps[-1]
    rows.append([last.version, last.kernel, str(last.changed), f"{spent.cpu:.1f} CPU s"])
    publish(
        f"Publishing a release with patches from {args.earlier} before it",
        rows,
        header=("release", "kernel", "packages changed since the one before", "patch to the newest, or publishing it"),
        path=args.json,
        data={"cpu": spent.cpu, "wall": spent.wall, "patches": sizes},
    )
    sys.stdout.write(f"\nOther programs kept {load_now:.1f} processors busy when publishing began.\n")


if __name__ == "__main__":
    main()
