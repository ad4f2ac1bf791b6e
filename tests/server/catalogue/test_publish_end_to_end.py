"""`jeos publish --to`, from a recipe and its keys to the page: a real channel, a real server, HTTP in between."""

import http.cookiejar
import json
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import channel_builds
from browser_site import Site, demo_site, until
from jeos.channel import serve
from jeos.cli import main

pytestmark = pytest.mark.browser  # it needs none, but a whole site, as tests with a browser do
RECIPE = """
name = "hello"
version = "{version}"
summary = "Says hello"

[update]
channel = "{channel}"
root = "keys/root.json"

[catalogue]
title = "Hello, world"
readme = "README.md"
changes = "CHANGES.md"
licence = "Apache-2.0"
homepage = "https://hello.example/"
tags = ["greeting"]
"""


class Visitor:
    """Somebody with a browser that keeps cookies and fills forms in."""

    def __init__(self, site: Site) -> None:
        self.site = site
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)

    def get(self, path: str) -> str:
        with self._opener.open(f"{self.site.address}{path}") as answer:
            return str(answer.read().decode())

    def fill_in(self, path: str, **fields: str) -> str:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(path))
        assert token is not None, path
        data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token.group(1)}).encode()
        request = urllib.request.Request(f"{self.site.address}{path}", data, {"Referer": f"{self.site.address}{path}"})
        with self._opener.open(request) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve a site whose workers may read channels of this host, as an operator can permit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JEOS_SERVER_OUTSIDE_HTTP", "yes")
        patch.setenv("JEOS_SERVER_OUTSIDE_NETWORKS", "127.0.0.0/8")
        with demo_site() as site:
            yield site


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a recipe's folder with keys in it, be in it, and keep all else of jeos below it."""
    folder = tmp_path / "hello"
    folder.mkdir()
    for variable in ("JEOS_CACHE_DIR", "JEOS_STATE_DIR", "JEOS_TMPDIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv("JEOS_PASSPHRASE", "correct horse")
    monkeypatch.delenv("JEOS_TOKEN", raising=False)
    monkeypatch.chdir(folder)
    assert main.main(["-q", "keys", "new"]) == 0
    (folder / "README.md").write_text("It says **hello** to whoever asks.\n")
    (folder / "CHANGES.md").write_text("# Changes\n\n## 1.1\n\n- friendlier\n\n## 1.0\n\n- the first\n")
    return folder


@pytest.fixture
def channel(recipe: Path) -> Iterator[str]:
    """Serve the channel that the recipe names."""
    (recipe / "channel").mkdir()
    with serve.serving(recipe / "channel") as address:
        yield address


def build(recipe: Path, version: str, *, channel: str, updates: bool = True) -> None:
    """Leave a build, as `jeos build` would, with a bill of materials."""
    (recipe / "appliance.toml").write_text(RECIPE.format(version=version, channel=channel))
    made = channel_builds.build(
        recipe / "build",
        version=version,
        trust=(recipe / "keys/root.json").read_bytes(),
        contents={"etc/version": version.encode()},
        updates=updates,
    )
    shutil.copy(Path(__file__).parents[2] / "bill.cdx.json", made.sbom)
    (made.folder / f"hello_{version}.qcow2").write_bytes(b"a disk")


def jeos(*words: str, capfd: pytest.CaptureFixture[str], status: int = 0) -> tuple[str, str]:
    """Run a command line and return what it printed on standard output and standard error."""
    capfd.readouterr()
    found = main.main([*words])
    out, err = capfd.readouterr()
    assert found == status, err
    return out, err


def test_published_versions_have_their_pages(
    site: Site, recipe: Path, channel: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(recipe, "1.0", channel=channel)
    _, err = jeos("publish", "--to", site.address, capfd=capfd, status=2)
    assert "there is no token for the catalogue" in err
    assert list((recipe / "channel").iterdir()) == []  # nothing was done before that was known

    visitor = Visitor(site)
    visitor.fill_in("/accounts/login/", login="member", password=site.passphrase)
    page = visitor.fill_in("/settings/tokens/", name="my build", days="30", writes="on")
    token = re.search(r"jeos_[\w-]+", page)
    assert token is not None
    (recipe / "token").write_text(f"{token.group(0)}\n")

    _, err = jeos("publish", "--to", site.address, "--token-file", "token", capfd=capfd, status=3)
    assert "you do not publish for anybody yet" in err
    assert "hint: make a publisher's page" in err
    visitor.fill_in("/catalogue/publish/", name="home-lab", title="Home lab", about="", home_page="")
    download = "https://files.example/hello_1.0.qcow2"
    _, err = jeos(
        *("publish", "--to", site.address, "--token-file", "token", "--download", f"qcow2={download}"), capfd=capfd
    )
    assert f"{site.address}/catalogue/@home-lab/hello/versions/1.0/" in err

    build(recipe, "1.1", channel=channel)
    monkeypatch.setenv("JEOS_TOKEN", token.group(0))
    _, err = jeos("publish", "--to", site.address, "--publisher", "home-lab", "--ring", "beta", capfd=capfd)
    assert "hello 1.1: for 100 % of the ring beta" in err
    _, err = jeos("publish", "--to", site.address, "--older", capfd=capfd)
    assert "which was there already" in err

    page = Visitor(site).get("/catalogue/@home-lab/hello/")
    for words in (
        *("Hello, world", "Says hello", "It says <strong>hello</strong> to whoever asks.", "<li>friendlier</li>"),
        *("Apache-2.0", "https://hello.example/", channel, "greeting"),
    ):
        assert words in page, words
    page = Visitor(site).get("/catalogue/@home-lab/hello/versions/1.0/")
    for words in ("2 packages", "libc6", "<li>the first</li>", "curl -fLO " + download, "sha256sum -c", "6\u00a0B"):
        assert words in page, words
    assert "Hello, world" in Visitor(site).get("/catalogue/?tag=greeting")

    # A worker reads the channel, and the page shows by which keys it is signed.
    root = json.loads((recipe / "keys/root.json").read_text())["signed"]
    key = root["roles"]["targets"]["keyids"][0]
    until(lambda: key in visitor.get("/catalogue/@home-lab/hello/"), "the channel was not read", seconds=120)
    last = "/catalogue/@home-lab/hello/versions/1.1/"  # the worker may have read the channel before it had that
    until(lambda: "signature-2" in visitor.get(last), "the last version was not read", seconds=120)


def test_what_the_site_refuses_is_said_with_what_to_do(
    site: Site, recipe: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(recipe, "1.0", channel="https://updates.example/hello", updates=False)
    monkeypatch.setenv("JEOS_TOKEN", "jeos_wrong")
    _, err = jeos("publish", "--to", site.address, capfd=capfd, status=2)
    assert "the token does not hold" in err
    _, err = jeos("publish", "--to", "http://exchange.example", capfd=capfd, status=2)
    assert "would show your token to the network" in err
    _, err = jeos("publish", "--to", "exchange.example", capfd=capfd, status=2)
    assert "is no address of a site" in err
    _, err = jeos("publish", "--to", f"{site.address}/nowhere", capfd=capfd, status=5)
    assert "answers 404" in err
    _, err = jeos("publish", "--to", "http://127.0.0.1:9", capfd=capfd, status=5)
    assert "cannot be reached" in err
    _, err = jeos("publish", "--to", site.address, "--download", "raw", capfd=capfd, status=2)
    assert "names no format" in err
    _, err = jeos("publish", "--token-file", "x", capfd=capfd, status=2)
    assert "--token-file goes with --to" in err
