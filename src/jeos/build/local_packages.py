"""The recipe's own .deb files (`debs`): they join the locked packages, and are treated as these from then on.

    lock = with_local(lock, recipe, folder=folder)
    keep(lock, recipe, store, folder=folder)    # instead of a download

The lock's file does not name them: its digest of inputs has their content, and whoever has the recipe has them.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

from jeos.build import control
from jeos.build.archive import open_deb
from jeos.build.resolve import local_packages
from jeos.core.errors import InputError
from jeos.model.lock import Lock, LockedPackage, Role
from jeos.model.recipe import Recipe
from jeos.store.local import LocalStore

REPOSITORY = "local"  # where the bill of materials says that they come from


def with_local(lock: Lock, recipe: Recipe, *, folder: Path) -> Lock:
    """Return the lock with the recipe's own packages, whose paths are relative to its `folder`.

    Raises InputError if one is no package, is there twice, or would replace a part of the base.
    """
    found: list[LockedPackage] = []
    for name, path in zip(recipe.debs, local_packages(recipe, folder=folder), strict=True):
        package = described(path, name=name, lock=lock)
        if package.name in {other.name for other in found}:
            raise InputError(f"{name} in `debs`: {package.name} is in another file too", hint="leave one of them away")
        found.append(package)
    names = {package.name for package in found}
    for package in lock.having(Role.BASE):
        if package.name in names:
            raise InputError(
                f"`debs` has its own {package.name}, which is part of the base of every appliance",
                hint="the base is Debian's; give the package another name, or put its files in place with [[file]]",
            )
    kept = [package for package in lock.packages if package.name not in names or package.role is not Role.APP]
    return replace(lock, packages=tuple(sorted([*kept, *found])))


def described(path: Path, *, name: str, lock: Lock) -> LockedPackage:
    """Return what a .deb file says of itself; raises ArchiveError, InputError if it is for other machines."""
    with open_deb(path) as deb:
        fields = control.fields(control.read(deb))
    package, version, architecture = (fields[key] for key in ("Package", "Version", "Architecture"))
    if architecture not in (lock.architecture, "all"):
        raise InputError(f"{name} in `debs` is for {architecture}, not {lock.architecture}", hint="build it for that")
    data = path.read_bytes()
    source, _, source_version = fields.get("Source", package).partition(" (")
    return LockedPackage(
        name=package,
        version=version,
        architecture=architecture,
        role=Role.APP,
        repository=REPOSITORY,
        path=name,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        source=f"{source} {source_version.rstrip(')') or version}",
    )


def keep(lock: Lock, recipe: Recipe, store: LocalStore, *, folder: Path) -> None:
    """Copy the recipe's own packages into the store. Raises TrustError if one changed since it was looked at."""
    for package in lock.packages:
        own = package.repository == REPOSITORY and package.path in recipe.debs
        if own and not store.has(package.sha256):
            store.add(folder / package.path, expected=package.sha256)
