"""Which mirror is taken: from the recipe, the environment, or the machine's apt sources of either form."""

from pathlib import Path

import pytest

from jeos.build.sources import Source, machine_sources, repositories, security_sibling
from jeos.core.errors import HostError, InputError
from jeos.model.recipe import Recipe, Repository

DEB822 = """\
# the distribution
Types: deb deb-src
URIs: https://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://security.example/debian-security
Suites: bookworm-security
Components: main
"""
ONE_LINE = """\
# deb http://old.example/debian stretch main
deb-src http://source.example/debian trixie main
deb [arch=amd64 signed-by=/x.gpg] http://line.example/debian trixie main contrib # the mirror
deb http://line.example/debian-security trixie-security main
"""
VENDORS = """\
deb https://vendor.example/apt stable main
deb https://other.example/linux/debian bookworm stable
deb https://third.example/bookworm-tools bookworm main
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("JEOS_MIRROR", raising=False)
    monkeypatch.delenv("JEOS_SECURITY_MIRROR", raising=False)
    (tmp_path / "key.gpg").write_bytes(b"key")
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    return tmp_path / "apt"


def addresses(apt: Path, **fields: str) -> list[str]:
    recipe = Recipe(name="x", version="1", keyring="key.gpg", **fields)  # type: ignore[arg-type]
    return [source.url for source in repositories(recipe, folder=apt.parent, apt_folder=apt)]


def test_mirror_is_found_in_deb822_sources(apt: Path) -> None:
    (apt / "sources.list.d/debian.sources").write_text(DEB822)
    (apt / "sources.list.d/a-vendor.list").write_text(VENDORS)
    key = (apt.parent / "key.gpg",)
    recipe = Recipe(name="x", version="1", keyring="key.gpg", components=("main", "contrib"))
    assert repositories(recipe, folder=apt.parent, apt_folder=apt) == (
        Source("debian", "https://mirror.example/debian", ("trixie", "trixie-updates"), ("main", "contrib"), key),
        Source(
            "debian-security",
            "https://security.example/debian-security",
            ("trixie-security",),
            ("main", "contrib"),
            key,
        ),
    )


def test_mirror_is_found_in_one_line_sources(apt: Path) -> None:
    (apt / "sources.list").write_text(ONE_LINE)
    assert addresses(apt) == ["http://line.example/debian", "http://line.example/debian-security"]


def test_mirror_of_the_recipe_comes_before_the_environments(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (apt / "sources.list").write_text("deb http://line.example/debian trixie main\n")
    monkeypatch.setenv("JEOS_MIRROR", "https://environment.example/debian/")
    recipes = "https://recipe.example/debian"
    assert addresses(apt) == ["https://environment.example/debian", "https://environment.example/debian-security"]
    assert addresses(apt, mirror=recipes) == [recipes, "https://recipe.example/debian-security"]
    assert addresses(apt, mirror=recipes, security_mirror="file:///srv/security")[1] == "file:///srv/security"
    monkeypatch.setenv("JEOS_SECURITY_MIRROR", "https://environment.example/secure")
    assert addresses(apt, mirror=recipes)[1] == "https://environment.example/secure"


def test_disabled_and_foreign_sources_are_not_taken(apt: Path) -> None:
    (apt / "sources.list").write_text("deb http://archive.example/ubuntu noble main\ndeb cdrom:[Debian]/ trixie main\n")
    (apt / "sources.list.d/v.list").write_text("deb https://vendor.example/apt stable main\n")
    (apt / "sources.list.d/debian.sources").write_text(DEB822.replace("Types:", "Enabled: no\nTypes:"))
    (apt / "sources.list.d/debian.sources.bak").write_text(DEB822)
    with pytest.raises(HostError) as caught:
        addresses(apt)
    assert caught.value.message == "no Debian mirror is known"
    assert "JEOS_MIRROR" in caught.value.hint


def test_sid_has_neither_updates_nor_security(apt: Path) -> None:
    recipe = Recipe(name="x", version="1", suite="sid", mirror="https://mirror.example/debian", keyring="key.gpg")
    found = repositories(recipe, folder=apt.parent, apt_folder=apt)
    assert [(source.name, source.suites) for source in found] == [("debian", ("sid",))]


def test_broken_lines_are_passed_over(apt: Path) -> None:
    (apt / "sources.list").write_text("deb\ndeb [unclosed http://x y z\n\x00\n: nothing\ndeb http://a.example/debian\n")
    (apt / "sources.list.d/x.sources").write_text("Types\n continued\nURIs: x\n\n\n:\n")
    assert machine_sources(apt) == []


@pytest.mark.parametrize(
    ("mirror", "sibling"),
    [
        ("https://m.example/debian", "https://m.example/debian-security"),
        (
            "https://m.example/archive/debian/20260101T000000Z",
            "https://m.example/archive/debian-security/20260101T000000Z",
        ),
        ("https://m.example/mirrors/debian.org/debian", "https://m.example/mirrors/debian.org/debian-security"),
        ("https://m.example/deb", "https://m.example/deb-security"),
        ("file:///srv/debian", "file:///srv/debian-security"),
    ],
)
def test_security_sibling_is_beside_the_mirror(mirror: str, sibling: str) -> None:
    assert security_sibling(mirror) == sibling


@pytest.mark.parametrize(
    "address", ["mirror.example/debian", "ftp://m.example/debian", "https:///debian", "http://a b/c"]
)
def test_wrong_address_is_refused(apt: Path, address: str) -> None:
    with pytest.raises(InputError, match="is not the address of a repository"):
        addresses(apt, mirror=address)


def test_missing_key_and_doubled_name_are_refused(apt: Path) -> None:
    base = Recipe(name="x", version="1", mirror="https://mirror.example/debian", keyring="key.gpg")
    for name, key, said in (
        ("vendor", "no.gpg", "is not there"),
        ("debian", "key.gpg", "two repositories have the name"),
    ):
        extra = Repository(name=name, url="https://v.example", suite="stable", key=key)
        recipe = Recipe(name="x", version="1", mirror=base.mirror, keyring="key.gpg", repositories=(extra,))
        with pytest.raises(InputError, match=said):
            repositories(recipe, folder=apt.parent, apt_folder=apt)
