"""The recipe's own .deb files: read, refused, kept in the store."""

from dataclasses import replace
from pathlib import Path

import pytest

from jeos.build.local_packages import REPOSITORY, keep, with_local
from jeos.core.errors import InputError, TrustError
from jeos.model.lock import Lock, LockedPackage, Role
from jeos.model.recipe import Recipe
from jeos.store.local import LocalStore
from tiny_debs import make_deb

BASE = LockedPackage("libc6", "2.41-12", "amd64", Role.BASE, "debian", "pool/libc6.deb", 1, "ab" * 32)
OLDER = LockedPackage("own", "0.9", "amd64", Role.APP, "debian", "pool/own.deb", 1, "cd" * 32)
LOCK = Lock(suite="trixie", architecture="amd64", inputs="", date=0, packages=(BASE,))
RECIPE = Recipe(name="hello", version="1", debs=("debs/own.deb",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "debs").mkdir()
    return tmp_path


def refused(folder: Path, recipe: Recipe = RECIPE) -> str:
    with pytest.raises(InputError) as caught:
        with_local(LOCK, recipe, folder=folder)
    return caught.value.message


def test_own_package_joins_the_locked_ones_and_the_store(folder: Path) -> None:
    deb = make_deb(folder / "debs", "own", files={"usr/share/own": "x"}, control={"Source": "theirs (2.0-1)"})
    lock = with_local(LOCK, RECIPE, folder=folder)
    own = next(package for package in lock.packages if package.name == "own")
    assert (own.version, own.role, own.repository, own.path) == ("1.0", Role.APP, REPOSITORY, "debs/own.deb")
    assert (own.size, own.source) == (deb.stat().st_size, "theirs 2.0-1")
    store = LocalStore(folder / "store")
    keep(lock, RECIPE, store, folder=folder)
    assert store.path(own.sha256, verify=True).read_bytes() == deb.read_bytes()
    assert list(store.digests()) == [own.sha256]


def test_own_package_takes_the_place_of_a_locked_one(folder: Path) -> None:
    make_deb(folder / "debs", "own")
    lock = with_local(replace(LOCK, packages=(BASE, OLDER)), RECIPE, folder=folder)
    assert [(package.name, package.version) for package in lock.packages] == [("libc6", "2.41-12"), ("own", "1.0")]


def test_own_package_that_changed_meanwhile_is_refused(folder: Path) -> None:
    make_deb(folder / "debs", "own")
    lock = with_local(LOCK, RECIPE, folder=folder)
    (folder / "debs/own.deb").write_bytes(b"another")
    with pytest.raises(TrustError):
        keep(lock, RECIPE, LocalStore(folder / "store"), folder=folder)


def test_own_package_of_the_base_is_refused(folder: Path) -> None:
    make_deb(folder / "debs", "own", control={"Package": "libc6"})
    assert refused(folder) == "`debs` has its own libc6, which is part of the base of every appliance"


def test_own_package_for_other_machines_is_refused(folder: Path) -> None:
    make_deb(folder / "debs", "own", control={"Architecture": "arm64"})
    assert refused(folder) == "debs/own.deb in `debs` is for arm64, not amd64"


def test_own_package_twice_is_refused(folder: Path) -> None:
    make_deb(folder / "debs", "own")
    make_deb(folder / "debs", "same", control={"Package": "own"})
    recipe = replace(RECIPE, debs=("debs/own.deb", "debs/same.deb"))
    assert refused(folder, recipe) == "debs/same.deb in `debs`: own is in another file too"


@pytest.mark.parametrize("data", [b"", b"no package at all", b"!<arch>\n"])
def test_what_is_no_package_is_refused(data: bytes, folder: Path) -> None:
    (folder / "debs/own.deb").write_bytes(data)
    assert refused(folder).startswith("own.deb is not a sound Debian package: ")
