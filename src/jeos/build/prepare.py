"""What comes before any work: recipe and lock are read, the last build is looked at, packages are fetched."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from jeos.build import inputs, load, local_packages, locked
from jeos.build import outputs as built
from jeos.build.fetch import fetch, missing
from jeos.build.outputs import Outputs
from jeos.build.sources import repositories
from jeos.core import log, settings
from jeos.core.errors import InputError
from jeos.model import report as report_text
from jeos.model.lock import Lock, Role
from jeos.model.recipe import Recipe
from jeos.model.report import Report, StageUse
from jeos.store.base import DamagedObjectError
from jeos.store.caches import CacheFolder
from jeos.store.local import LocalStore


@dataclass
class Build:
    """One run: what is built, where, and which stages were reused."""

    recipe: Recipe
    folder: Path
    lock: Lock
    inputs: dict[str, str]
    output: Path
    store: LocalStore
    caches: CacheFolder
    why: str = ""
    stages: list[StageUse] = field(default_factory=list)

    def note(self, name: str, *, reused: bool, reason: str) -> None:
        """Remember whether a stage was reused, for the report and `jeos build --explain`."""
        self.stages.append(StageUse(name=name, reused=reused, reason=reason))


def prepare(place: Path, *, output: Path | None) -> Build:
    """Read recipe and lock, making the lock if there is none or it is not one of this recipe."""
    path = load.find(place)
    recipe, folder = load.load(path), path.parent
    state = locked.state(recipe, folder=folder)
    lock = state.lock if state.current else None
    if lock is None:
        with log.step("resolve") as step:
            lock = locked.renew(recipe, folder=folder, cache=settings.cache_dir())
            locked.write(lock, folder=folder)
            step.done(f"{len(lock.packages)} packages, written to {folder / locked.FILE_NAME}")
    kernels = lock.having(Role.KERNEL)
    if len(kernels) != 1:
        raise InputError(f"the lock has {len(kernels)} kernels, not one", hint="`jeos lock` writes it anew")
    lock = local_packages.with_local(lock, recipe, folder=folder)
    return Build(
        recipe=recipe,
        folder=folder,
        lock=lock,
        inputs=inputs.collect(recipe, lock, folder=folder),
        output=output or folder / built.FOLDER,
        store=LocalStore(settings.cache_dir() / "store"),
        caches=CacheFolder(settings.cache_dir()),
    )


def unchanged(one: Build) -> Outputs | None:
    """Return the last build's outputs if it was made from the same inputs and is all there."""
    names = built.names(one.recipe.name, one.recipe.version)
    report_path = one.output / names["report"]
    before: Report | None = None
    with contextlib.suppress(OSError, InputError):
        before = report_text.parse(report_path.read_text(), source=str(report_path))
    one.why = inputs.changed(one.inputs, before=before)
    if before is None or before.key != inputs.key(one.inputs):
        return None
    with contextlib.suppress(OSError, InputError):
        found = built.find(one.output / f"{one.recipe.name}_{one.recipe.version}.json")
        sizes = (found.disk.stat().st_size, found.kernel.stat().st_size)
        if sizes == (found.image.disk_size, found.image.kernel_size) and found.sbom.exists():
            log.info(f"{found.disk} is up to date: recipe, packages and jeos are the same as when it was built")
            return found
    return None


def get_packages(one: Build) -> None:
    """Bring the packages that the store lacks into it."""
    local_packages.keep(one.lock, one.recipe, one.store, folder=one.folder)
    wanted = missing(one.lock, one.store)
    if not wanted:
        return
    total = sum(package.size for package in wanted)
    with log.step("fetch") as step:
        sources = repositories(one.recipe, folder=one.folder)

        def show(done: int, total: int) -> None:
            step.update(f"{done >> 20} of {total >> 20} MiB")

        fetch(one.lock, sources, one.store, progress=show)
        step.done(f"{len(wanted)} packages, {total >> 20} MiB")


def mend(one: Build) -> bool:
    """Fetch packages anew whose copy in the store is damaged; tell whether there were such."""
    damaged = []
    for package in one.lock.packages:
        try:
            one.store.path(package.sha256, verify=True)
        except DamagedObjectError:
            log.warn(f"the store's copy of {package.name} {package.version} is damaged, so it is fetched again")
            one.store.delete(package.sha256)
            damaged.append(package)
    if damaged:
        get_packages(one)
    return bool(damaged)
