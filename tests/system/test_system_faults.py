"""What goes wrong in a build is said clearly, leaves nothing behind, and the next build works."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from apt_repository import Archive, made_key, standard
from jeos.build import namespace, outputs
from jeos.model import lock_text
from jeos.store.local import LocalStore
from jeos_command import Jeos, copy_recipe, digests, make_jeos, mounts, nothing_left_running, write_recipe
from tiny_debs import make_deb, member, raw_deb, tar

pytestmark = pytest.mark.network
CODES = {"input": 3, "host": 4, "network": 5, "trust": 6, "process": 7, "store": 8}


@pytest.fixture(autouse=True)
def nothing_left(jeos: Jeos, tmp_path: Path) -> Iterator[None]:
    """Fail if a test leaves processes, mounts or work of a build behind."""
    with nothing_left_running():
        yield
    assert mounts(jeos.folder, jeos.work, tmp_path) == []
    assert not jeos.work.exists() or list(jeos.work.iterdir()) == []


def with_deb(tiny: Path, folder: Path, deb: Path) -> Path:
    """Return a recipe that is the small one with a package of its own."""
    recipe = write_recipe(folder / "own", f'debs = ["{deb.name}"]\n')
    shutil.copy(deb, recipe)
    return recipe


def failure(jeos: Jeos, recipe: Path, *, kind: str, options: tuple[str, ...] = ()) -> str:
    """Build what cannot be built: nothing comes of it; return the message."""
    said = jeos.run("build", recipe, *options, status=CODES[kind]).stderr
    assert "Traceback" not in said
    assert "hint: " in said
    assert [path.name for path in recipe.glob("build/*") if path.name != "logs"] == []
    return said


def test_own_package_is_installed(jeos: Jeos, tiny: Path, tmp_path: Path) -> None:
    script = "#!/bin/sh\nset -e\nln -s hello /usr/bin/hi\n"
    deb = make_deb(
        tmp_path, "hello-own", files={"usr/bin/hello": "#!/bin/sh\necho hello\n"}, extra={"postinst": script}
    )
    built = jeos.build(with_deb(tiny, tmp_path, deb))
    found = built.tree().by_path()
    assert found["usr/bin/hi"].target == "hello"
    assert "usr/bin/hello" in found
    assert '"name": "hello-own"' in built.sbom.read_text()
    assert [stage.name for stage in built.report().stages if stage.reused and stage.name == "base"] == ["base"]


def test_maintainer_script_that_fails_is_named(jeos: Jeos, tiny: Path, tmp_path: Path) -> None:
    script = "#!/bin/sh\necho so many things to do\nexit 3\n"
    deb = make_deb(tmp_path, "broken-own", extra={"postinst": script})
    recipe = with_deb(tiny, tmp_path, deb)
    said = failure(jeos, recipe, kind="process")
    assert "script of the package broken-own" in said
    assert "so many things to do" in said
    (recipe / "broken-own.deb").unlink()
    make_deb(recipe, "broken-own")
    jeos.build(recipe)


def test_daemon_of_a_maintainer_script_ends_with_the_build(jeos: Jeos, tiny: Path, tmp_path: Path) -> None:
    script = "#!/bin/sh\nsetsid sleep 86399 >/dev/null 2>&1 </dev/null &\n"
    deb = make_deb(tmp_path, "daemon-own", extra={"postinst": script})
    jeos.build(with_deb(tiny, tmp_path, deb))
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            assert path.read_bytes() != b"sleep\0086399\0"


HOSTILE = {
    "up": tar(member("./../../escaped", b"x")),
    "absolute": tar(member("/../escaped", b"x")),
    "link": tar(member("./etc/out", kind=b"2", target="/"), member("./etc/out/escaped", b"x")),
    "hard": tar(member("./stolen", kind=b"1", target="../../../../etc/passwd")),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_package_that_reaches_out_is_refused(jeos: Jeos, tiny: Path, tmp_path: Path, data: bytes) -> None:
    recipe = write_recipe(tmp_path / "own", 'debs = ["bad.deb"]\n')
    raw_deb(recipe / "bad.deb", data)
    said = failure(jeos, recipe, kind="input")
    assert "error: bad 1 is not a sound Debian package" in said
    assert not Path("/escaped").exists()


def test_damaged_package_in_the_store_is_noticed_and_fetched_again(jeos: Jeos, tiny: Path, tmp_path: Path) -> None:
    own = make_jeos(tmp_path / "own", store=copied_store(jeos, tmp_path))
    recipe = copy_recipe(tiny, tmp_path / "tiny")
    lock = lock_text.parse((recipe / "appliance.lock").read_text(), source="appliance.lock")
    package = LocalStore(own.cache / "store").path(max(lock.packages, key=lambda package: package.size).sha256)
    package.chmod(0o644)
    with package.open("r+b") as file:
        file.truncate(package.stat().st_size // 2)
    said = own.run("build", recipe).stderr
    assert "is damaged, so it is fetched again" in said
    assert digests(outputs.find(recipe)) == digests(outputs.find(tiny))
    own.run("store", "check")
    namespace.remove_tree(own.cache)


def copied_store(jeos: Jeos, folder: Path) -> Path:
    return Path(shutil.copytree(jeos.cache / "store", folder / "store"))


@contextlib.contextmanager
def small_disk(folder: Path, *, size: str) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.root
def test_full_disk_is_said_and_leaves_nothing(jeos: Jeos, tiny: Path, tmp_path: Path, is_root: None) -> None:
    recipe = copy_recipe(tiny, tmp_path / "tiny")
    with small_disk(tmp_path / "work", size="40M") as folder:
        small = jeos.having(JEOS_TMPDIR=str(folder))
        assert "no room left" in failure(small, recipe, kind="host", options=("--force",))
        assert list(folder.iterdir()) == []
    for size in ("20M", "120M"):  # full while unpacking, and while a layer is made
        with small_disk(tmp_path / "cache", size=size) as folder:
            (folder / "store").symlink_to(jeos.cache / "store")
            small = jeos.having(JEOS_CACHE_DIR=str(folder))
            assert "no room left" in failure(small, recipe, kind="host")
    with small_disk(tmp_path / "output", size="60M") as folder:
        said = jeos.run("build", recipe, "--output", folder, status=CODES["host"]).stderr
        assert "no room left" in said
        assert [path.name for path in folder.iterdir() if path.name != "logs"] == []
    assert digests(jeos.build(recipe)) == digests(outputs.find(tiny))


def test_expired_mirror_is_refused(jeos: Jeos, tmp_path: Path) -> None:
    with made_key() as key:
        archive = Archive(tmp_path / "mirror", key=key)
        for suite, valid in (("trixie", -3600.0), ("trixie-updates", None), ("trixie-security", None)):
            archive.publish(suite, standard() if suite == "trixie" else [], valid=valid)
        there = f"file://{archive.folder}"
        text = f'mirror = "{there}"\nsecurity-mirror = "{there}"\nkeyring = "key.asc"\n'
        recipe = write_recipe(tmp_path / "own", text)
        shutil.copy(key.public, recipe / "key.asc")
        said = failure(jeos, recipe, kind="trust")
    assert "expired" in said
    assert not (recipe / "appliance.lock").exists()
