"""The system and the application as two cached folders, one over the other.

    base = base_layer(lock, store, cache)
    application = app_layer(lock, store, cache, base=base)
    with mounted([application, base], scratch=scratch) as root:
        …                                       # changes go to the scratch folder; the layers stay as they are

A layer is made of its packages alone: it is made again only if these, those below it or this code change.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jeos.build import configure, digests, namespace, overlay
from jeos.build.unpack import NOTHING, Package, Skip, Unpacked, key, unpack_all
from jeos.core import log
from jeos.model.lock import Lock, LockedPackage, Role
from jeos.store.caches import CacheFolder
from jeos.store.local import LocalStore

# What decides how a layer of the same packages comes out: when one of these changes, all layers are made anew.
CODE = (
    "build.archive",
    "build.compose",
    "build.configure",
    "build.contents",
    "build.control",
    "build.digests",
    "build.dpkg_database",
    "build.dpkg_status",
    "build.launch",
    "build.layers",
    "build.namespace",
    "build.order",
    "build.overlay",
    "build.patterns",
    "build.sandbox",
    "build.seccomp",
    "build.stream",
    "build.unpack",
    "build.user_network",
    "core.rooted",
    "model.deb822",
    "model.debian_version",
)


@dataclass(frozen=True)
class Layer:
    """A folder of configured packages, to be laid over others; `key` tells whether it is the one wanted."""

    key: str
    folder: Path
    reused: bool

    @property
    def tree(self) -> Path:
        """Return the folder with the files."""
        return self.folder / "tree"

    @property
    def log(self) -> Path:
        """Return the file with what dpkg and maintainer scripts said."""
        return self.folder / "log"

    @property
    def time(self) -> int:
        """Return the time (seconds since 1970) that maintainer scripts were told."""
        return int((self.folder / "time").read_text())

    @property
    def skipped(self) -> dict[str, int]:
        """Return path and size in bytes of what its packages have and was not unpacked."""
        found: dict[str, int] = json.loads((self.folder / "skipped").read_text())
        return found


def unpacked(lock: Lock, store: LocalStore, cache: CacheFolder, *roles: Role, skip: Skip = NOTHING) -> list[Unpacked]:
    """Return the packages with these roles, unpacked, sorted by name. Raises ArchiveError for a hostile one."""
    packages = [Package(store.path(package.sha256), package.sha256) for package in lock.having(*roles)]
    return unpack_all(packages, cache, skip=skip)


def base_layer(lock: Lock, store: LocalStore, cache: CacheFolder, *, logs: Path, skip: Skip = NOTHING) -> Layer:
    """Return the layer of the base system; it is made if the cache lacks it. `logs` gets the log of a failure.

    Raises ProcessError if a maintainer script fails, InputError if packages do not go together.
    """
    return _layer("base", lock, store, cache, role=Role.BASE, below=(), logs=logs, skip=skip)


def app_layer(
    lock: Lock, store: LocalStore, cache: CacheFolder, *, base: Layer, logs: Path, skip: Skip = NOTHING
) -> Layer:
    """Return the layer of the application, above `base`; as `base_layer` otherwise."""
    return _layer("application", lock, store, cache, role=Role.APP, below=(base,), logs=logs, skip=skip)


@contextmanager
def mounted(layers: Sequence[Layer], *, scratch: Path) -> Iterator[Path]:
    """Mount layers, the uppermost first, and yield the root; what is changed in it goes to the folder `scratch`."""
    with overlay.mounted([layer.tree for layer in layers], scratch=scratch) as root:
        yield root


def layer_key(packages: Sequence[LockedPackage], *, below: Sequence[Layer], skip: Skip) -> str:
    """Return a layer's name in the cache: a digest of all that shapes it."""
    parts = [digests.of_code(*CODE), namespace.mapping(), *(layer.key for layer in below)]
    parts += [key(package.sha256, skip) for package in packages]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _layer(
    what: str,
    lock: Lock,
    store: LocalStore,
    cache: CacheFolder,
    *,
    role: Role,
    below: Sequence[Layer],
    logs: Path,
    skip: Skip,
) -> Layer:
    packages = lock.having(role)
    name = layer_key(packages, below=below, skip=skip)
    found = cache.lookup("layers", name)
    if found is not None:
        return Layer(key=name, folder=found, reused=True)
    ready = unpacked(lock, store, cache, role, skip=skip)
    with log.step(what) as step, cache.create("layers", name) as folder:
        if folder is not None:
            _fill(folder, ready, below=below, logs=logs / f"{what}.log")
        step.done(f"{len(packages)} packages configured")
    return Layer(key=name, folder=cache.entry("layers", name), reused=False)


def _fill(folder: Path, packages: Sequence[Unpacked], *, below: Sequence[Layer], logs: Path) -> None:
    """Make a layer in an empty folder."""
    tree = folder / "tree"
    tree.mkdir()
    trees = [layer.tree for layer in below]
    # The time that scripts see is the packages' own, so that a newer lock with the same packages has the same layer.
    times = [member.mtime for package in packages for member in package.members]
    time = max([0, *times, *(layer.time for layer in below)])
    logs.parent.mkdir(parents=True, exist_ok=True)
    logs.write_bytes(b"")
    configure.install(packages, into=tree, below=trees, scratch=folder / "scratch", time=time, log=logs)
    (folder / "log").write_bytes(logs.read_bytes())
    (folder / "time").write_text(str(time))
    skipped = {path: size for package in packages for path, size in package.skipped.items()}
    (folder / "skipped").write_text(json.dumps(skipped))
