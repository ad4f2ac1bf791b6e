"""What tests of the server start from: settings in a folder of their own, a database from a template, a community.

The template database is made by the migrations once and copied into memory for each process, so that a test starts in
milliseconds. `JEOS_TEST_DATABASE_URL` runs the same tests on a PostgreSQL server (`test_on_postgres.py` does).
"""

import atexit
import hashlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jeos.core import files

if TYPE_CHECKING:
    from browser_site import Browser, Site

DATA = Path(tempfile.mkdtemp(prefix="jeos-server-test-"))
atexit.register(shutil.rmtree, DATA, ignore_errors=True)
os.environ["JEOS_SERVER_DATA"] = str(DATA)
os.environ["JEOS_SERVER_URL"] = "http://testserver"
os.environ["DATABASE_URL"] = os.environ.get("JEOS_TEST_DATABASE_URL", "")
os.environ["DJANGO_SETTINGS_MODULE"] = "jeos.server.settings"

import django  # noqa: E402

from jeos.server import translations  # noqa: E402

translations.write(DATA / "locale")  # before English is read, too
django.setup()

from django.conf import settings  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from pytest_django import DjangoDbBlocker, Settings  # noqa: E402

from jeos.server.accounts import site as site_decisions  # noqa: E402
from jeos.server.accounts.models import Member, Role  # noqa: E402
from jeos.server.content import tags  # noqa: E402
from jeos.server.forum import categories  # noqa: E402
from jeos.server.forum.models import Category  # noqa: E402
from jeos.server.wiki import rules  # noqa: E402
from server_site import make_member, signed_in  # noqa: E402

settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
settings.STORAGES = {
    **settings.STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
SOURCE = Path(__file__).parents[2] / "src/jeos/server"
TEMPLATE_SECONDS = 86_400  # for which a template is kept that may be another checkout's
THIRD_PARTIES = ("django", "django-allauth", "django-tasks-db")  # whose migrations are in the template too


def template() -> Path:
    """Return a database with all tables, made anew when a migration changed."""
    digest = hashlib.sha256(",".join(f"{name} {version(name)}" for name in THIRD_PARTIES).encode())
    digest.update(",".join(settings.INSTALLED_APPS).encode())
    for path in [*sorted(SOURCE.rglob("migrations/*.py")), SOURCE / "content/search/fts5.py"]:
        digest.update(path.read_bytes())
    path = Path(tempfile.gettempdir()) / f"jeos-server-template-{os.getuid()}" / f"{digest.hexdigest()[:16]}.sqlite3"
    with files.locked(path.parent / "lock"):
        if not path.exists():
            for old in path.parent.glob("*.sqlite3"):
                if time.time() - old.stat().st_mtime > TEMPLATE_SECONDS:  # another checkout may be about to read it
                    old.unlink()
            call_command("migrate", verbosity=0)
            with sqlite3.connect(path.with_suffix(".partial")) as target:
                connection.ensure_connection()
                connection.connection.backup(target)
            path.with_suffix(".partial").rename(path)
    return path


@pytest.fixture
def empty_database(django_db_setup: None) -> Path:
    """Return a file of SQLite with all tables, to be copied into the data folder of a site of its own."""
    return template()


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make the tables, from the template where the database is SQLite."""
    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            connection.close()
            connection.settings_dict["NAME"] = ":memory:"
            with sqlite3.connect(template()) as source:
                connection.close()
                connection.ensure_connection()
                source.backup(connection.connection)
        else:
            call_command("migrate", verbosity=0)
    yield


@pytest.fixture(autouse=True)
def fresh_lists() -> Iterator[None]:
    """Let no test see another's categories, tags and rules, which processes keep for some seconds."""
    categories.forget()
    tags.forget_popular()
    rules.forget()
    site_decisions.forget()
    cache.clear()  # allauth counts in it how often somebody signs up
    yield
    site_decisions.forget()
    categories.forget()


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, settings: Settings) -> Path:
    """Let mail go through the queue, as on the site, and from there into files."""
    settings.EMAIL_BACKEND = "jeos.server.jobs.mail.QueueBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    return tmp_path / "mail"


@pytest.fixture
def ada(db: None) -> Member:
    return make_member("ada")


@pytest.fixture
def bob(db: None) -> Member:
    return make_member("bob")


@pytest.fixture
def moderator(db: None) -> Member:
    return make_member("mod", role=Role.MODERATOR)


@pytest.fixture
def administrator(db: None) -> Member:
    return make_member("boss", role=Role.ADMINISTRATOR)


@pytest.fixture
def people(ada: Member, bob: Member, moderator: Member, administrator: Member) -> dict[str, Client]:
    """Return a browser for each role; `ada` is the author of everything."""
    return {
        "visitor": signed_in(None),
        "member": signed_in(bob),
        "author": signed_in(ada),
        "moderator": signed_in(moderator),
        "administrator": signed_in(administrator),
    }


@pytest.fixture
def category(db: None) -> Category:
    return Category.objects.create(slug="building", name="Building", solvable=True)


@pytest.fixture
def team_room(db: None) -> Category:
    return Category.objects.create(slug="team", name="Team room", staff=True, position=9)


@pytest.fixture(scope="module")
def site() -> "Iterator[Site]":
    """Serve the example community to the browser tests of a file."""
    from browser_site import demo_site  # only they need a browser to be installed

    with demo_site() as site:
        yield site


@pytest.fixture
def browse(site: "Site") -> "Iterator[Callable[..., Browser]]":
    """Return what starts browsers on the site; they are closed afterwards."""
    from browser_site import Browser

    opened: list[Browser] = []

    def start(**options: object) -> Browser:
        opened.append(Browser(site, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield start
    for browser in opened:
        browser.close()
