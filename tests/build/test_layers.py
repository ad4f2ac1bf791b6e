"""Layers of real packages: the same as dpkg itself makes, and the same each time, for whoever makes them."""

import hashlib
import os
import shutil
import stat
from pathlib import Path

import pytest

from jeos.build import configure, layers, order
from jeos.build.fetch import fetch
from jeos.build.resolve import resolve
from jeos.build.sandbox import NO_SERVICES, Sandbox
from jeos.build.sources import repositories
from jeos.core import settings
from jeos.core.run import run
from jeos.model.lock import Lock, Role
from jeos.model.recipe import Recipe
from jeos.store.caches import CacheFolder
from jeos.store.local import LocalStore
from namespaces import call, ordinary_user

pytestmark = [pytest.mark.network, pytest.mark.root]

Found = dict[str, tuple[object, ...]]
POLICY = "/usr/sbin/policy-rc.d"


@pytest.fixture(scope="module")
def store() -> LocalStore:
    return LocalStore(settings.cache_dir() / "store")  # the packages are fetched once for all test runs


@pytest.fixture(scope="module")
def lock(store: LocalStore, tmp_path_factory: pytest.TempPathFactory) -> Lock:
    recipe, folder = Recipe(name="layers", version="1", packages=("openssh-server",)), tmp_path_factory.mktemp("recipe")
    locked = resolve(recipe, folder=folder, cache=settings.cache_dir())
    wanted = tuple(package for package in locked.packages if package.role in (Role.BASE, Role.APP))
    lock = Lock(locked.suite, locked.architecture, locked.inputs, locked.date, wanted)
    fetch(lock, repositories(recipe, folder=folder), store)
    return lock


def listing(root: Path) -> Found:
    """Return everything in a root but the times: kinds, modes, owners, contents, targets, extended attributes."""
    found: Found = {}
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder, name)
            status = path.lstat()
            content = ""
            if stat.S_ISLNK(status.st_mode):
                content = str(path.readlink())
            elif stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            extra = [(key, os.getxattr(path, key, follow_symlinks=False)) for key in own_attributes(path)]
            found[str(path.relative_to(root))] = (oct(status.st_mode), status.st_uid, status.st_gid, content, extra)
    return found


def own_attributes(path: Path) -> list[str]:
    return [name for name in os.listxattr(path, follow_symlinks=False) if ".overlay." not in name]


def build(lock: Lock, store: LocalStore, folder: Path) -> Found:
    """Make both layers in a cache of their own and return what is in the whole."""
    cache = CacheFolder(folder / "cache")
    base = layers.base_layer(lock, store, cache, logs=folder)
    application = layers.app_layer(lock, store, cache, base=base, logs=folder)
    again = layers.app_layer(lock, store, cache, base=base, logs=folder)
    assert (base.reused, application.reused, again.reused) == (False, False, True)
    with layers.mounted([application, base], scratch=folder / "scratch") as root:
        return listing(root)


def reference(lock: Lock, store: LocalStore, folder: Path) -> Found:
    """Install the same packages with dpkg itself, from the .deb files, as debootstrap does and in the same order."""
    cache = CacheFolder(folder / "cache")
    groups = [layers.unpacked(lock, store, cache, role) for role in (Role.BASE, Role.APP)]
    pool, root = folder / "pool", folder / "root"
    pool.mkdir()
    root.mkdir()
    for package in lock.packages:
        shutil.copy(store.path(package.sha256), pool / f"{package.name}.deb")
    first, *rest = [[package.name for package in batch] for batch in order.batches(groups[0])]
    for name in ("base-files", *first):
        run(["dpkg-deb", "--extract", pool / f"{name}.deb", root])
    (root / "var/lib/dpkg/status").touch()
    times = [max(member.mtime for one in group for member in one.members) for group in groups]
    for number, names in enumerate(
        [first, *rest, *([one.name for one in batch] for batch in order.batches(groups[1]))]
    ):
        time = times[0] if number <= len(rest) else max(times)
        covers = {POLICY: NO_SERVICES[POLICY], **configure.NO_KEYS}
        sandbox = Sandbox(root, time=time, covers=covers, binds={"/run/debs": pool}, log=folder / "log")
        dpkg = ["dpkg", "--force-confdef", "--force-confold", "--force-depends", "--log=/dev/null"]
        sandbox.run([*dpkg, "--unpack", *(f"/run/debs/{name}.deb" for name in names)])
        sandbox.run([*dpkg, "--configure", *names])
        sandbox.run([*dpkg, "--configure", "--pending"])
    return listing(root)


def test_layers_are_what_dpkg_makes(lock: Lock, store: LocalStore, tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    ours = call(lambda: build(lock, store, tmp_path / "ours"))
    theirs = call(lambda: reference(lock, store, tmp_path / "theirs"))
    assert len(ours) > 5000
    different = {path for path in {*ours, *theirs} if ours.get(path) != theirs.get(path)}
    left_out = {name for name in configure.LEFTOVERS if name in theirs}
    assert different - left_out == {configure.MACHINE_ID}  # that of the building machine is not kept
    assert not left_out & set(ours)


def test_layers_are_the_same_for_root_and_ordinary_user(lock: Lock, store: LocalStore, tmp_path: Path) -> None:
    with ordinary_user() as user:
        home = Path(f"/home/{user}")
        for package in lock.packages:  # root's store is not the user's to read
            (home / "debs").mkdir(exist_ok=True)
            shutil.copy(store.path(package.sha256), home / "debs" / package.sha256)
        run(["chown", "-R", f"{user}:", home])

        def work() -> Found:
            own = LocalStore(home / "store")
            for path in (home / "debs").iterdir():
                own.add(path, expected=path.name)
            return build(lock, own, home)

        ours, theirs = call(lambda: build(lock, store, tmp_path)), call(work, user=user)
        assert [path for path in {*ours, *theirs} if ours.get(path) != theirs.get(path)] == []
