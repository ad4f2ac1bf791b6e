"""Two releases of one appliance as users have them: one without, and one with Debian's security and stable updates.

    pair = make("bookworm", work, slim=True)    # builds both; what the cache has is not made again
    pair.old.folder, pair.new.image.root_hash

The lock of the first is resolved against the plain suite alone, so that the pair is what a year of updates changes.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

from jeos.build import load, locked, resolve, sources
from jeos.build.outputs import Outputs, find
from jeos.core import settings
from jeos.core.run import run
from jeos.model.lock import Lock, LockedPackage
from jeos.model.recipe import Recipe
from jeos.model.recipe_text import FILE_NAME

PACKAGES = ("nginx", "openssh-server", "python3-minimal")


@dataclass(frozen=True, slots=True)
class Pair:
    """The outputs of both builds, the older first, and the packages that the newer one has in another version."""

    old: Outputs
    new: Outputs
    changed: tuple[LockedPackage, ...]


def recipe_text(suite: str, version: str, *, slim: bool = True) -> str:
    """Return the recipe of a release; without `slim` it has all of Debian's kernel modules, and all else too."""
    return (
        f'name = "pair"\nversion = "{version}"\nsuite = "{suite}"\npackages = {json.dumps(PACKAGES)}\n'
        f"[slim]\nenabled = {json.dumps(slim)}\n"
    )


def make(suite: str, work: Path, *, only: str = "", slim: bool = True) -> Pair:
    """Build both releases below `work`; with `only`, nothing but packages whose name begins with it is older."""
    folders = {version: work / version for version in ("1.0", "1.1")}
    for version, folder in folders.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE_NAME).write_text(recipe_text(suite, version, slim=slim))
    new = lock(folders["1.1"], plain=False)
    plain = lock(folders["1.0"], plain=True)
    if only:
        older = {package.name: package for package in plain.packages if package.name.startswith(only)}
        packages = tuple(sorted(older.get(package.name, package) for package in new.packages))
        plain = replace(new, date=plain.date, packages=packages)
    locked.write(plain, folder=folders["1.0"])
    locked.write(new, folder=folders["1.1"])
    for folder in folders.values():
        run_build(folder)
    before = set(plain.packages)
    return Pair(
        old=find(folders["1.0"]),
        new=find(folders["1.1"]),
        changed=tuple(package for package in new.packages if package not in before),
    )


def run_build(folder: Path) -> None:
    """Build in a process of its own: a build enters namespaces, which its caller would stay in."""
    run([sys.executable, "-m", "jeos", "build", folder], cwd=folder)


def lock(folder: Path, *, plain: bool) -> Lock:
    """Return the lock of a recipe as it is now; with `plain`, as if there were no updates to the suite."""
    recipe = load.load(folder / FILE_NAME)
    if not plain:
        return resolve.resolve(recipe, folder=folder, cache=settings.cache_dir())
    with mock.patch("jeos.build.resolve.repositories", _only_plain(sources.repositories)):
        return resolve.resolve(recipe, folder=folder, cache=settings.cache_dir())


def _only_plain(
    repositories: Callable[..., tuple[sources.Source, ...]],
) -> Callable[..., tuple[sources.Source, ...]]:
    def plain(recipe: Recipe, *, folder: Path) -> tuple[sources.Source, ...]:
        first = repositories(recipe, folder=folder)[0]
        return (replace(first, suites=(recipe.suite,)),)

    return plain
