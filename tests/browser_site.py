"""A browser for tests: headless Chromium on a site that `jeos server --demo` serves, and axe-core to judge pages.

`JEOS_TEST_DATABASE_URL` lets the sites use a PostgreSQL server, each a database of its own (`test_on_postgres.py`).
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

import postgres_server
from jeos.core import files
from soak import LONG, SOAK

SOURCE = Path(__file__).parents[1] / "src/jeos"
TEMPLATE_SECONDS = 43_200  # for which a community is kept, because its events are near
START_SECONDS = 180
STEP_SECONDS = 30
POSTGRES = os.environ.get("JEOS_TEST_DATABASE_URL", "")  # a database on the server that is used; empty: SQLite
RULE = b"-" * 79 + b"\n"  # between the letters in a file, as Django's backend writes them
AXE = "axe-core"  # a package of npm; fetched for the tests and not kept in the repository
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass(frozen=True)
class Site:
    """A site that runs, and the passphrase of its three members who can sign in."""

    address: str
    passphrase: str
    environment: Mapping[str, str]  # in which its own code runs
    stop: Callable[[], None]  # as when a phone has no network any more

    def ask(self, code: str) -> str:
        """Run code as the site's own processes do, and return what it prints: what else happens in a night."""
        words = [sys.executable, "-X", "utf8", "-c", f"import django; django.setup()\n{code}"]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4_000:]
        return done.stdout

    def letters(self, recipient: str) -> list[EmailMessage]:
        """Return what the site wrote to somebody, oldest first."""
        folder = Path(self.environment["JEOS_SERVER_DATA"]) / "mail"
        written = b"".join(path.read_bytes() for path in sorted(folder.glob("*.log")))
        messages = [message_from_bytes(part, policy=policy.default) for part in written.split(RULE) if part.strip()]
        return [message for message in messages if message["To"] == recipient]

    def await_letter(self, recipient: str, *, words: str) -> str:
        """Wait for a letter to somebody in whose text there are some words, and return the text."""
        found: list[str] = []

        def come() -> bool:
            texts = [str(one.get_body(("plain",)).get_content()) for one in self.letters(recipient)]  # type: ignore[union-attr]
            found.extend(text for text in texts if words in text)
            return bool(found)

        until(come, f"no letter to {recipient} has {words}", seconds=START_SECONDS)
        return found[-1]


@contextlib.contextmanager
def demo_site(*, port: int = 0, more: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Serve the example community from a folder of its own; `more` is added to the environment."""
    folder = Path(tempfile.mkdtemp(prefix="jeos-browser-"))
    try:
        with _database() as database:
            passphrase = _copied(folder / "data", database)
            with _serving(folder, database, port=port, more=more or {}) as (address, server, env):
                yield Site(address=address, passphrase=passphrase, environment=env, stop=lambda: _stop(server))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _database() -> Iterator[str]:
    """Yield the address of an empty database for one site: empty for a file in its folder."""
    if not POSTGRES:
        yield ""
        return
    with postgres_server.another(POSTGRES) as address:
        yield address


@contextlib.contextmanager
def _serving(
    folder: Path, database: str, *, port: int = 0, more: Mapping[str, str]
) -> "Iterator[tuple[str, subprocess.Popen[bytes], Mapping[str, str]]]":
    """Run the server on a folder's data for the block; yield its address, its process and the environment of both."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", port))
        port = free.getsockname()[1]
    log = folder / "log"
    env = {**os.environ, "JEOS_SERVER_DATA": str(folder / "data"), "DATABASE_URL": database, **more}
    env.pop("JEOS_SERVER_URL", None)
    env.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "-m", "jeos", "server", "--demo", "--port", str(port), "--workers", "1"]
    with log.open("wb") as out:
        server = subprocess.Popen(command, env=env, stdout=out, stderr=out)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(server, address, log)
        settings = {"JEOS_SERVER_URL": address, "DJANGO_SETTINGS_MODULE": "jeos.server.settings"}
        yield address, server, {**env, **settings}
    finally:
        _stop(server)


def _copied(data: Path, database: str) -> str:
    """Fill a folder and a database with the example community; return its passphrase.

    It is made once for each state of the code and each kind of database.
    """
    digest = hashlib.sha256(b"postgres" if database else b"")
    for path in sorted(path for path in SOURCE.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        digest.update(path.read_bytes())
    kept = Path(tempfile.gettempdir()) / f"jeos-browser-template-{os.getuid()}" / digest.hexdigest()[:16]
    with files.locked(kept.parent / "lock"):
        for old in kept.parent.glob("*/"):
            if time.time() - old.stat().st_mtime > TEMPLATE_SECONDS:
                shutil.rmtree(old)
        if not (kept / "passphrase").exists():
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir()
            _make(kept)
        shutil.copytree(kept / "data", data)
        if database:
            postgres_server.read_dump(database, kept / "dump.sql")
        return (kept / "passphrase").read_text()


def _make(kept: Path) -> None:
    """Make the example community in a folder, with a dump if its database is a server's."""
    with _database() as database:
        with _serving(kept, database, more={}):
            pass
        if database:
            postgres_server.write_dump(database, kept / "dump.sql")
    (kept / "passphrase").write_text(_passphrase(kept))


def _passphrase(folder: Path) -> str:
    log = (folder / "log").read_text()
    found = re.search(r"with the passphrase (\S+)", log)
    assert found is not None, log
    return found.group(1)


def _stop(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    server.wait(STEP_SECONDS)


def _wait(server: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/healthz") as answer:
            if answer.status == 200:
                return
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the site did not start: {log.read_text()}")
        time.sleep(0.1)


class Browser:
    """Chromium without a window."""

    def __init__(
        self, site: Site, *, width: int = 1280, height: int = 900, dark: bool = False, script: bool = True
    ) -> None:
        options = Options()
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-dev-shm-usage",
        ):
            options.add_argument(argument)
        if not script:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.site = site
        self._look = width, height, dark
        self.wear(width=width, height=height, dark=dark)

    def wear(self, *, width: int, height: int, dark: bool) -> None:
        """Show pages as on a screen of some size, light or dark; still, so that no colour is judged on its way."""
        self.width, self._height = width, height
        self._resize(height)
        features = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        media = {"features": [{"name": name, "value": value} for name, value in features.items()]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def faults_here(self, page: str) -> list[str]:
        """Return what is wrong with the page that is open, in each of the looks; keep pictures if they are wanted."""
        wrong = []
        for name in LOOKS:
            self.wear(**look(name))  # type: ignore[arg-type]
            wrong += _judge_here(self, page, name)
        width, height, dark = self._look
        self.wear(width=width, height=height, dark=dark)
        return wrong

    def close(self) -> None:
        """End the browser."""
        self.driver.quit()

    def open(self, path: str) -> None:
        """Go to a page; once more if a form that was just sent took its place."""
        address = f"{self.site.address}{path}"
        self.driver.get(address)
        if self.driver.current_url != address:
            self.driver.get(address)

    def find(self, selector: str) -> WebElement:
        """Return the first element that a selector finds, as soon as there is one."""
        deadline = time.monotonic() + STEP_SECONDS
        while True:
            found = self.driver.find_elements(By.CSS_SELECTOR, selector)
            if found:
                return found[0]
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.driver.current_url} has no {selector}")
            time.sleep(0.05)

    def has(self, selector: str) -> bool:
        """Tell whether a selector finds anything now."""
        return bool(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def click(self, selector: str) -> None:
        """Click on something, wherever it is on the page."""
        self._patiently(selector, self._click)

    def text(self, selector: str) -> str:
        """Return the words of something."""
        return str(self._patiently(selector, lambda element: element.text))

    def _click(self, element: WebElement) -> None:
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def _patiently(self, selector: str, act: Callable[[WebElement], object]) -> object:
        """Act on what a selector finds; once more if the page that it was found on is just being left."""
        deadline = time.monotonic() + STEP_SECONDS
        while True:
            try:
                return act(self.find(selector))
            except StaleElementReferenceException:
                if time.monotonic() > deadline:
                    raise

    def write(self, selector: str, text: str) -> None:
        """Write into a field instead of what is there."""

        def replace(field: WebElement) -> None:
            field.clear()
            field.send_keys(text)

        self._patiently(selector, replace)

    def sign_in(self, handle: str) -> None:
        """Sign in as one of the members who can."""
        self.open("/accounts/login/")
        self.write("[name=login]", handle)
        self.write("[name=password]", self.site.passphrase)
        self.click("form.form button[type=submit]")
        self.find("header .menu")

    def complaints(self) -> list[str]:
        """Return what the browser complained about since the last time: errors, and what the policy forbade."""
        log: list[dict[str, str]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call] # of selenium
        return [entry["message"] for entry in log if entry["level"] in ("SEVERE", "WARNING")]

    def faults(self, axe: str) -> list[str]:
        """Return what axe-core finds wrong with the page."""
        self.driver.execute_script(axe)
        run = (
            "const done = arguments[1]; axe.run({runOnly: arguments[0]}).then(r => done(JSON.stringify(r.violations)))"
        )
        found = json.loads(self.driver.execute_async_script(run, RULES))
        return [
            f"{fault['id']}: {node['html'][:160]} {node['failureSummary']}"
            for fault in found
            for node in fault["nodes"]
        ]

    def shoot(self, path: Path) -> None:
        """Keep a picture of the whole page."""
        self._resize(self.driver.execute_script("return document.documentElement.scrollHeight"))
        path.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))
        self._resize(self._height)

    def _resize(self, height: int) -> None:
        size = {"width": self.width, "height": height, "deviceScaleFactor": 1, "mobile": self.width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def axe_source() -> str:
    """Return axe-core's script, fetched through npm once into the user's cache."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jeos-test" / "axe"
    kept = folder / "axe.min.js"
    if not kept.exists():
        with tempfile.TemporaryDirectory() as work:
            subprocess.run(["npm", "pack", "--silent", AXE], cwd=work, check=True, capture_output=True)
            (packed,) = Path(work).glob("*.tgz")
            with tarfile.open(fileobj=io.BytesIO(packed.read_bytes())) as archive:
                member = archive.extractfile("package/axe.min.js")
                assert member is not None
                folder.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(member.read())
    return kept.read_text()


# Each width and each scheme once; `make soak` sees them all.
LOOKS = ("desktop-light", "phone-dark", *(("desktop-dark", "phone-light") if SOAK else ()))
# In `make test` the forum's longest walk is made without scripts, too; each of the others in `make soak`.
WITH_AND_WITHOUT_SCRIPTS = pytest.mark.parametrize(
    "script", [pytest.param(True, id="with scripts"), pytest.param(False, id="without scripts", marks=LONG)]
)


def look(name: str) -> dict[str, object]:
    """Return how a browser is started for one of the looks."""
    phone = "phone" in name
    return {"width": 390 if phone else 1280, "height": 844 if phone else 900, "dark": "dark" in name}


def until(condition: Callable[[], bool], what: str, *, seconds: float = STEP_SECONDS) -> None:
    """Wait for something. Fails when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def judge(browser: Browser, pages: dict[str, str], name: str) -> list[str]:
    """Return what is wrong with pages, and keep their pictures if they are wanted."""
    wrong = []
    for page, path in pages.items():
        browser.open(path)
        wrong += _judge_here(browser, page, name)
    return wrong


def _judge_here(browser: Browser, page: str, name: str) -> list[str]:
    wrong = [f"{page}: {fault}" for fault in browser.faults(axe_source())]
    wrong += [f"{page}: {complaint}" for complaint in browser.complaints() if "404 (Not Found)" not in complaint]
    wide = browser.driver.execute_script("return document.documentElement.scrollWidth")  # a phone's innerWidth grows
    wrong += [f"{page}: {wide} pixels wide, on a screen of {browser.width}"] if wide > browser.width else []
    if os.environ.get("JEOS_SCREENSHOTS"):
        browser.shoot(Path(os.environ["JEOS_SCREENSHOTS"]) / f"{page}-{name}.png")
    return wrong


def judge_as(browse: Callable[..., Browser], name: str, **pages: dict[str, str]) -> list[str]:
    """Return what is wrong in the look of that name with the pages that a visitor sees, and these members of the demo.

    judge_as(browse, "phone-dark", visitor=PAGES, member=PAGES | OWN)
    """
    wrong = []
    for who, seen in pages.items():
        browser = browse(**look(name))
        if who != "visitor":
            browser.sign_in(who)
        wrong += judge(browser, seen, f"{who}-{name}")
    return wrong
