"""Build twice from nothing, under different conditions, and compare bit for bit.

The two builds share the packages and nothing else: each has its own cache, working folder, copy of the recipe,
time zone, locale, umask and environment.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import BinaryIO

from jeos.build import load, namespace, sizes
from jeos.build import outputs as built
from jeos.build.outputs import Outputs
from jeos.core import files, log, settings
from jeos.core.run import run
from jeos.model.image import Partition

PARTS = ("disk", "kernel", "sbom", "tree")
PIECE = 1 << 20  # bytes read at once
SHOWN = 10  # files named in a difference


@dataclass(frozen=True, slots=True)
class Conditions:
    """What two machines that build the same recipe may differ in."""

    timezone: str
    locale: str
    umask: str


CONDITIONS = (Conditions("UTC", "C", "022"), Conditions("Asia/Kolkata", "C.UTF-8", "077"))
INHERITED = ("PATH", "HOME", "JEOS_MIRROR", "JEOS_SECURITY_MIRROR")


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of a build that came out differently: which, and what is known about where."""

    part: str
    detail: str


def check(place: Path) -> list[Difference]:
    """Build the recipe at `place` twice, in two places, and return what differs; its own `build/` stays as it is.

    Raises what a build raises.
    """
    folder = load.find(place).parent
    parent = settings.cache_dir() / "check"
    with files.temporary_folder(parent, prefix="check-", remove=namespace.remove_tree) as work:
        places = [work / "one", work / "two"]
        for place_, conditions in zip(places, CONDITIONS, strict=True):
            build_in(place_, folder, conditions)
        return compare(*(built.find(place_ / "recipe") for place_ in places))


def build_in(work: Path, folder: Path, conditions: Conditions) -> None:
    """Build a copy of a recipe's folder from nothing but packages, in a process of its own."""
    recipe, cache = work / "recipe", work / "cache"
    shutil.copytree(folder, recipe, symlinks=True, ignore=shutil.ignore_patterns(built.FOLDER))
    cache.mkdir()
    (cache / "store").symlink_to(settings.cache_dir() / "store")
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    env |= {"TZ": conditions.timezone, "LC_ALL": conditions.locale, "JEOS_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "jeos", "--quiet", "build", str(recipe)]
    scratch = files.temporary_folder(settings.work_dir(), prefix="check-", remove=namespace.remove_tree)
    with log.step(f"build {work.name}") as step, scratch as place:
        env["JEOS_TMPDIR"] = str(place)
        run(["sh", "-c", f'umask {conditions.umask} && exec "$@"', "sh", *command], env=env)
        step.done(f"TZ={conditions.timezone} LC_ALL={conditions.locale} umask {conditions.umask}")


def compare(one: Outputs, other: Outputs) -> list[Difference]:
    """Return what differs between two builds, with the partitions and files where it does."""
    found = []
    for part in PARTS:
        left, right = (item.folder / getattr(item.image, part) for item in (one, other))
        if digest(left) != digest(right):
            found.append(Difference(part=part, detail=_detail(part, one, other)))
    return found


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _detail(part: str, one: Outputs, other: Outputs) -> str:
    if part == "disk":
        with one.disk.open("rb") as left, other.disk.open("rb") as right:
            labels = [
                f"{partition.number} ({partition.label})"
                for partition in one.image.partitions
                if _partition_digest(left, partition) != _partition_digest(right, partition)
            ]
        return f"in partition {', '.join(labels)}" if labels else "outside of the partitions"
    if part == "tree":
        left_tree, right_tree = one.tree(), other.tree()
        content = [change.path for change in sizes.changes(left_tree, right_tree)]
        if content:
            return f"content of {len(content)} files: {_named(content)}"
        before, after = left_tree.by_path(), right_tree.by_path()
        rest = [path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]
        return f"owner, mode, link or attributes of {len(rest)} entries: {_named(rest)}"
    return f"{one.image.name} {part}"


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(f"/{path}" for path in paths[:SHOWN]) + more


def _partition_digest(disk: BinaryIO, partition: Partition) -> str:
    disk.seek(partition.start)
    found, left = sha256(), partition.size
    while left > 0:
        piece = disk.read(min(PIECE, left))
        if not piece:
            break
        found.update(piece)
        left -= len(piece)
    return found.hexdigest()
