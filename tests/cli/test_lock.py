"""`jeos lock`: what it writes, what it keeps, and what it says about an upgrade."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from apt_repository import Archive, Key, Package, Server, made_key, serving, standard
from jeos.build.fetch import missing
from jeos.cli.main import main
from jeos.model.lock_text import parse
from jeos.store.local import LocalStore

START = 1_700_000_000  # when the archive was made, in seconds since 1970
NEWS = """\
web (1.0-1+deb13u1) trixie-security; urgency=high

  * Fix CVE-2026-1234 and CVE-2025-4321.

web (1.0-1) unstable; urgency=medium

  * Fix CVE-2024-1111.
"""


@pytest.fixture(scope="module")
def key() -> Iterator[Key]:
    with made_key() as key:
        yield key


@pytest.fixture
def archive(tmp_path: Path, key: Key) -> Archive:
    archive = Archive(tmp_path / "mirror", key=key)
    archive.publish("trixie", [*standard(), Package("web"), Package("tool")], date=START, valid=None)
    archive.publish("trixie-updates", [], date=START, valid=None)
    Archive(archive.folder / "security", key=key).publish("trixie-security", [], date=START, valid=None)
    return archive


@pytest.fixture
def server(archive: Archive) -> Iterator[Server]:
    with serving(archive.folder) as server:
        yield server


@pytest.fixture
def recipe(tmp_path: Path, server: Server, key: Key, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    shutil.copy(key.public, folder / "key.asc")
    lines = [
        'name = "web"',
        'version = "1.0"',
        f'mirror = "{server.url}"',
        f'security-mirror = "{server.url}/security"',
    ]
    (folder / "appliance.toml").write_text("\n".join([*lines, 'keyring = "key.asc"', 'packages = ["web"]', ""]))
    monkeypatch.setenv("JEOS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(folder)
    return folder / "appliance.toml"


def locked(recipe: Path) -> dict[str, str]:
    lock = recipe.parent / "appliance.lock"
    return {package.name: package.version for package in parse(lock.read_text(), source="x").packages}


def test_lock_is_written_once_and_then_left_alone(
    recipe: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lock", "--check"]) == 1
    assert "appliance.lock is not there; run `jeos lock`" in capsys.readouterr().err
    assert main(["lock"]) == 0
    assert locked(recipe)["web"] == "1.0-1"
    assert server.url.partition("//")[2] not in (recipe.parent / "appliance.lock").read_text()
    server.requests.clear()
    assert main(["lock"]) == main(["lock", "--check"]) == 0
    assert server.requests == []
    assert "appliance.lock is up to date: 18 packages" in capsys.readouterr().err


def test_changed_recipe_keeps_what_was_locked(
    recipe: Path, archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lock"]) == 0
    archive.publish("trixie", [*standard(), Package("web"), Package("tool"), Package("web", "2.0")])
    recipe.write_text(recipe.read_text().replace('["web"]', '["web", "tool"]'))
    assert main(["lock", "--check", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "outdated"
    assert main(["lock", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert ([package["name"] for package in said["added"]], said["changed"]) == (["tool"], [])
    assert locked(recipe)["web"] == "1.0-1"


def test_upgrade_shows_versions_and_security_notices(
    recipe: Path, archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lock"]) == 0
    before = (recipe.parent / "appliance.lock").read_text()
    security = Archive(archive.folder / "security", key=archive.key)
    security.publish("trixie-security", [Package("web", "1.0-1+deb13u1", changelog=NEWS)])
    capsys.readouterr()
    assert main(["lock", "--upgrade", "--check", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["state"], said["changed"]) == (
        "upgradable",
        [
            {
                "name": "web",
                "old": "1.0-1",
                "new": "1.0-1+deb13u1",
                "repository": "debian-security",
                "security": True,
                "cves": ["CVE-2025-4321", "CVE-2026-1234"],
            }
        ],
    )
    assert (recipe.parent / "appliance.lock").read_text() == before
    assert main(["lock", "--upgrade"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "PACKAGE  LOCKED  NOW            SECURITY",
        "web      1.0-1   1.0-1+deb13u1  security update, CVE-2026-1234, CVE-2025-4321",
    ]
    assert locked(recipe)["web"] == "1.0-1+deb13u1"


def test_upgrade_without_news_changes_nothing(recipe: Path, archive: Archive) -> None:
    assert main(["lock"]) == 0
    before = (recipe.parent / "appliance.lock").read_text()
    archive.publish("trixie-updates", [], date=START + 100, valid=None)  # another date alone
    assert main(["lock", "--upgrade"]) == 0
    assert (recipe.parent / "appliance.lock").read_text() == before


def test_fetched_packages_need_no_mirror_any_more(recipe: Path, server: Server, tmp_path: Path) -> None:
    assert main(["lock", "--fetch"]) == 0
    store = LocalStore(tmp_path / "cache" / "store")
    lock = parse((recipe.parent / "appliance.lock").read_text(), source="x")
    assert missing(lock, store) == []
    server.requests.clear()
    assert main(["lock", "--fetch"]) == 0
    assert server.requests == []


def test_broken_lock_is_named_and_written_anew(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (recipe.parent / "appliance.lock").write_text("<<<<<<< HEAD\n")
    assert main(["lock", "--check"]) == 3
    assert capsys.readouterr().err.startswith("error: appliance.lock is no lock: Expecting value")
    assert main(["lock"]) == 0
    assert capsys.readouterr().err.startswith("warning: appliance.lock is no lock: Expecting value")
    assert locked(recipe)["web"] == "1.0-1"
