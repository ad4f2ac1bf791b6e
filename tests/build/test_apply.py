"""Recipes applied to a root of real packages, by the root's own programs."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from jeos.build import layers, overlay, wheels
from jeos.build.apply import apply
from jeos.build.fetch import fetch
from jeos.build.resolve import resolve
from jeos.build.sandbox import Sandbox
from jeos.build.sources import repositories
from jeos.core import settings
from jeos.core.errors import InputError, ProcessError
from jeos.model import recipe as values
from jeos.model.lock import Lock, Role
from jeos.model.recipe import Recipe
from jeos.store.caches import CacheFolder
from jeos.store.local import LocalStore
from namespaces import call
from tiny_wheels import FILES, make_wheel

pytestmark = [pytest.mark.network, pytest.mark.root]
TIME = 1_700_000_000
WHEEL = "shop-1.0-py3-none-any.whl"
UNIT = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbcdefghijklmnop ada"


@dataclass(frozen=True)
class Packages:
    """What roots are made from."""

    lock: Lock
    store: LocalStore
    caches: CacheFolder


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    recipe, folder = Recipe(name="apply", version="1", packages=("openssh-server",)), tmp_path_factory.mktemp("apply")
    store = LocalStore(settings.cache_dir() / "store")  # the packages are fetched once for all test runs
    locked = resolve(recipe, folder=folder, cache=settings.cache_dir())
    wanted = tuple(package for package in locked.packages if package.role in (Role.BASE, Role.APP))
    lock = Lock(locked.suite, locked.architecture, locked.inputs, locked.date, wanted)
    fetch(lock, repositories(recipe, folder=folder), store)
    return Packages(lock, store, CacheFolder(settings.cache_dir()))


@contextmanager
def root_of(packages: Packages, scratch: Path) -> Iterator[Path]:
    """Mount a fresh root; to be called in the build's namespace."""
    logs = scratch / "logs"
    base = layers.base_layer(packages.lock, packages.store, packages.caches, logs=logs)
    application = layers.app_layer(packages.lock, packages.store, packages.caches, base=base, logs=logs)
    with overlay.mounted([application.tree, base.tree], scratch=scratch / "root") as root:
        yield root


def applied(recipe: Recipe, packages: Packages, folder: Path, scratch: Path) -> dict[str, tuple[object, ...]]:
    """Apply a recipe to a fresh root, and return what it changed: mode, owner, group and content by path."""

    def work() -> dict[str, tuple[object, ...]]:
        with root_of(packages, scratch) as root:
            apply(recipe, folder=folder, work=scratch, sandbox=Sandbox(root, time=TIME))
        return dict(described(scratch / "root/upper"))

    return call(work)


def described(folder: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield the path of each entry of an overlay's upper folder, with what it is."""
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place, name)
            status = path.lstat()
            content: object = ""
            if stat.S_ISLNK(status.st_mode):
                content = str(path.readlink())
            elif stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
            elif stat.S_ISCHR(status.st_mode):
                content = "deleted"
            mode = stat.S_IMODE(status.st_mode)
            yield str(path.relative_to(folder)), (oct(mode), status.st_uid, status.st_gid, content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "recipe"
    (folder / "site/inner").mkdir(parents=True)
    (folder / "site/page").write_text("hi\n")
    (folder / "site/inner/link").symlink_to("/etc/passwd")
    (folder / "over/bin").mkdir(parents=True)
    (folder / "over/bin/tool").write_text("#!/bin/sh\n")
    (folder / "over/bin/tool").chmod(0o755)
    make_wheel(folder / WHEEL, FILES)
    return folder


FULL = Recipe(
    name="shop",
    version="1.0",
    wheels=(WHEEL,),
    users=(
        values.User(name="app", uid=1500, groups=("adm", "own"), ssh_keys=(KEY,)),
        values.User(name="svc", system=True, uid=900),
        values.User(name="www-data", groups=("app",)),
    ),
    files=(
        values.FileRule(target="/srv/www", source="site", owner="app", group="svc", directory_mode=0o750),
        values.FileRule(target="/", source="over"),
        values.FileRule(target="/etc/ssh", directory=True, directory_mode=0o711),
        values.FileRule(target="/var/home/app/note", content="n", owner="app", group="app", mode=0o600),
    ),
    units=(values.Unit(name="own.service", content=UNIT),),
    systemd=values.Systemd(disable=("ssh.service",), mask=("fstrim.timer",)),
    commands=(values.Command(run="id -Gn app > /etc/said\nshop-admin >> /etc/said"),),
)


def test_recipe_is_applied_the_same_each_time(packages: Packages, folder: Path, tmp_path: Path) -> None:
    found = applied(FULL, packages, folder, tmp_path / "one")
    expected = {
        "etc/said": ("0o644", 0, 0, b"app adm own\nadmin\n"),
        "etc/ssh/authorized_keys.d/app": ("0o644", 0, 0, f"{KEY}\n".encode()),
        "etc/hostname": ("0o644", 0, 0, b"shop\n"),
        "etc/machine-id": ("0o444", 0, 0, b""),
        "etc/resolv.conf": ("0o777", 0, 0, "/run/jeos/resolv.conf"),
        "etc/systemd/system/fstrim.timer": ("0o777", 0, 0, "/dev/null"),
        "etc/systemd/system/multi-user.target.wants/own.service": (
            *("0o777", 0, 0),
            "/usr/lib/systemd/system/own.service",
        ),
        "etc/systemd/system/multi-user.target.wants/ssh.service": ("0o0", 0, 0, "deleted"),
        "srv/www": ("0o750", 1500, 900, ""),
        "srv/www/page": ("0o644", 1500, 900, b"hi\n"),
        "srv/www/inner/link": ("0o777", 1500, 900, "/etc/passwd"),
        "usr/bin/tool": ("0o755", 0, 0, b"#!/bin/sh\n"),
        "usr/bin/shop-admin": ("0o755", 0, 0, b"#!/usr/bin/python3\nprint('admin')\n"),
        "var/home/app/note": ("0o600", 1500, 1500, b"n"),
        "etc/ssh": ("0o711", 0, 0, ""),
    }
    assert {path: found.get(path) for path in expected} == expected
    assert f"{wheels.PACKAGES}/shop/__pycache__" in found
    passwd = str(found["etc/passwd"][3])
    assert "app:x:1500:1500::/var/home/app:/bin/sh" in passwd
    assert "svc:x:900:900::/nonexistent:/usr/sbin/nologin" in passwd
    assert "app:*:19675:" in str(found["etc/shadow"][3]), "the day is that of the lock"
    left = [path for path, entry in found.items() if path.startswith("etc/ssh/ssh_host_") and entry[3] != "deleted"]
    assert left == []
    assert applied(FULL, packages, folder, tmp_path / "two") == found


def refusal(recipe: Recipe, packages: Packages, folder: Path, scratch: Path) -> str:
    with pytest.raises((InputError, ProcessError)) as caught:
        applied(recipe, packages, folder, scratch)
    return str(caught.value)


def test_failures_name_what_failed(packages: Packages, folder: Path, tmp_path: Path) -> None:
    failing = Recipe(name="a", version="1", commands=(values.Command(run="true"), values.Command(run="ls /gone")))
    said = refusal(failing, packages, folder, tmp_path / "command")
    assert "the recipe's command 2 (ls /gone) failed" in said
    assert "cannot access '/gone'" in said
    strange = Recipe(name="a", version="1", files=(values.FileRule(target="/a", content="", owner="bob"),))
    assert "/a is to belong to the user bob, and the image has none" in refusal(
        strange, packages, folder, tmp_path / "owner"
    )
    typo = Recipe(name="a", version="1", systemd=values.Systemd(enable=("sssh.service",)))
    assert "is to enable sssh.service, and the image has no such unit" in refusal(
        typo, packages, folder, tmp_path / "unit"
    )
