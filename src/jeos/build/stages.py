"""The layers of a build: base system, application and kernel modules, each made once and kept in the cache."""

from dataclasses import dataclass
from pathlib import Path

from jeos.build import kernel_layer, layers
from jeos.build.archive import ArchiveError
from jeos.build.prepare import Build, mend
from jeos.build.slim_rules import RULES
from jeos.build.unpack import Skip, Unpacked
from jeos.core import log
from jeos.model.lock import Role
from jeos.model.recipe import Recipe


@dataclass(frozen=True)
class Layers:
    """The folders that make up the root, and the packages that are only unpacked."""

    base: layers.Layer
    application: layers.Layer
    modules: Path
    kernel: Unpacked
    boot: list[Path]
    initrd: list[Path]

    @property
    def trees(self) -> list[Path]:
        """Return the folders to mount over one another, the uppermost first."""
        return [self.modules, self.application.tree, self.base.tree]


def make_layers(one: Build, work: Path) -> Layers:
    """Unpack and configure the packages, as far as the cache does not have that."""
    logs = one.output / "logs"
    skip = early_skip(one.recipe)
    unpack_all(one, skip)
    base = layers.base_layer(one.lock, one.store, one.caches, logs=logs, skip=skip)
    one.note("base", reused=base.reused, reason="same base packages" if base.reused else one.why)
    application = layers.app_layer(one.lock, one.store, one.caches, base=base, logs=logs, skip=skip)
    one.note("application", reused=application.reused, reason="same packages" if application.reused else one.why)
    by_role = {
        role: layers.unpacked(one.lock, one.store, one.caches, role, skip=skip) for role in (Role.KERNEL, Role.BOOT)
    }
    initrd = layers.unpacked(one.lock, one.store, one.caches, Role.INITRD, Role.APP, Role.BASE, skip=skip)
    kernel_package = by_role[Role.KERNEL][0]
    return Layers(
        base=base,
        application=application,
        modules=make_modules(one, kernel_package, base=base, work=work),
        kernel=kernel_package,
        boot=[package.data for package in by_role[Role.BOOT]],
        initrd=[package.data for package in initrd],
    )


def unpack_all(one: Build, skip: Skip) -> None:
    """Unpack what the cache lacks, all at once, which keeps the processors busy.

    A store that lost bytes mends itself. Raises ArchiveError, with the package's name, for one that was made like that.
    """
    try:
        layers.unpacked(one.lock, one.store, one.caches, *Role, skip=skip)
    except ArchiveError as error:
        if mend(one):
            layers.unpacked(one.lock, one.store, one.caches, *Role, skip=skip)
            return
        for package in one.lock.packages:  # the store names its files by their digests
            error.message = error.message.replace(package.sha256, f"{package.name} {package.version}")
        raise


def early_skip(recipe: Recipe) -> Skip:
    """Return what need not even be unpacked, because slim would take it out again."""
    if not recipe.slim.enabled:
        return Skip()
    chosen = [rule for rule in RULES if rule.early and rule.name not in recipe.slim.skip]
    spare = [pattern for rule in chosen for pattern in rule.spare]
    keep = [pattern.strip("/") for pattern in recipe.slim.keep]
    return Skip(patterns=tuple(p for rule in chosen for p in rule.patterns), spare=(*spare, *keep))


def make_modules(one: Build, package: Unpacked, *, base: layers.Layer, work: Path) -> Path:
    """Return the layer with the kernel's modules; it is made if the cache lacks it."""
    sha256 = one.lock.having(Role.KERNEL)[0].sha256
    name = kernel_layer.key(one.recipe, sha256=sha256, base=base.key)
    found = one.caches.lookup("layers", name)
    one.note("kernel", reused=found is not None, reason="same kernel" if found else one.why)
    if found is not None:
        return found

    def fill(folder: Path) -> None:
        kernel_layer.make(
            folder, recipe=one.recipe, package=package.data, base=[base.tree], work=folder, time=one.lock.date
        )

    with log.step("kernel") as step:
        path = one.caches.obtain("layers", name, fill)
        step.done(package.name)
    return path
