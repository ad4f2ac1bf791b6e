"""A real provider of OpenID Connect for tests: allauth's own, in a Django process of its own with its own database.

with oidc_provider.running(people=[Person("ada")], redirects=[…]) as provider:
    provider.issuer, provider.client_id, provider.secret
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

START_SECONDS = 90
PASSPHRASE = "horse battery staple"
SECRET = "the secret of the client"


@dataclass(frozen=True)
class Person:
    """Somebody with an account at the provider."""

    handle: str
    email: str = ""
    confirmed: bool = True
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Running:
    """A provider that runs."""

    issuer: str
    client_id: str
    secret: str
    stop: Callable[[], None]

    def walk(self, address: str, *, handle: str) -> str:
        """Sign in at the provider as somebody, and return where it sends the browser back to."""
        with requests.Session() as browser:
            answer = browser.get(address, allow_redirects=False)
            while answer.status_code == 302:
                onward = urljoin(answer.url, answer.headers["Location"])
                if not onward.startswith(self.issuer):
                    return onward
                answer = browser.get(onward, allow_redirects=False)
                if "/accounts/login/" in answer.url and answer.status_code == 200:
                    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', answer.text))
                    data = {"login": handle, "password": PASSPHRASE, "csrfmiddlewaretoken": token}
                    answer = browser.post(answer.url, data=data, allow_redirects=False)
            raise AssertionError(f"{answer.url} answered {answer.status_code}: {answer.text[:2_000]}")


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def running(*, people: Sequence[Person], redirects: Sequence[str]) -> Iterator[Running]:
    """Run a provider that knows some people and one client."""
    folder = Path(tempfile.mkdtemp(prefix="jeos-oidc-"))
    port = free_port()
    said = {"people": [asdict(person) for person in people], "redirects": list(redirects), "port": port}
    (folder / "said.json").write_text(json.dumps(said))
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, __file__, str(folder)], stdout=out, stderr=out)

    def stop() -> None:
        process.terminate()
        process.wait(START_SECONDS)

    try:
        issuer = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration"):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the provider did not start: {log.read_text()[-3_000:]}")
            time.sleep(0.1)
        yield Running(issuer=issuer, client_id="exchange", secret=SECRET, stop=stop)
    finally:
        stop()
        shutil.rmtree(folder, ignore_errors=True)


def serve(folder: Path) -> None:
    """Be the provider."""
    said = json.loads((folder / "said.json").read_text())
    _configure(folder)
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    call_command("migrate", verbosity=0)
    _fill(said)
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIServer, make_server

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    make_server("127.0.0.1", said["port"], get_wsgi_application(), server_class=Server).serve_forever()


def _configure(folder: Path) -> None:
    import django
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from django.conf import settings

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    settings.configure(
        SECRET_KEY="of a provider that lives for a test",
        ALLOWED_HOSTS=["127.0.0.1"],
        DEBUG=False,
        ROOT_URLCONF="oidc_provider",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
            "allauth.idp.oidc",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
            }
        ],
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        SESSION_COOKIE_NAME="provider",  # cookies know no ports: the exchange's have the same host
        CSRF_COOKIE_NAME="provider-csrf",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "provider.sqlite3"}},
        IDP_OIDC_PRIVATE_KEY=pem,
        IDP_OIDC_ADAPTER="oidc_provider.claims_adapter",
        ACCOUNT_EMAIL_VERIFICATION="none",
        ACCOUNT_RATE_LIMITS=False,
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    sys.modules.setdefault("oidc_provider", sys.modules["__main__"])
    django.setup()


def _fill(said: Mapping[str, list[dict[str, object]]]) -> None:
    from allauth.account.models import EmailAddress
    from allauth.idp.oidc.models import Client
    from django.contrib.auth.models import Group, User

    for person in said["people"]:
        handle, email = str(person["handle"]), str(person["email"])
        user = User.objects.create_user(handle, email, PASSPHRASE, first_name=handle.capitalize(), last_name="Example")
        if email:
            EmailAddress.objects.create(user_id=user.pk, email=email, verified=bool(person["confirmed"]), primary=True)
        groups = person["groups"]
        assert isinstance(groups, list)
        user.groups.set([Group.objects.get_or_create(name=name)[0] for name in groups])
    client = Client(id="exchange", name="Exchange", skip_consent=True)
    client.set_redirect_uris([str(address) for address in said["redirects"]])
    client.set_scopes(["openid", "profile", "email"])
    client.set_secret(SECRET)
    client.save()


def claims_adapter() -> object:
    """Return allauth's adapter of a provider, which tells groups as well."""
    from allauth.idp.oidc.adapter import DefaultOIDCAdapter

    class Adapter(DefaultOIDCAdapter):
        def get_claims(self, purpose: Any, user: Any, client: Any, scopes: Any, *rest: Any, **options: Any) -> Any:
            claims = super().get_claims(purpose, user, client, scopes, *rest, **options)
            return {**claims, "groups": [group.name for group in user.groups.order_by("name")]}

    return Adapter()


def __getattr__(name: str) -> object:
    """Return the addresses of the provider: made late, when Django is set up."""
    if name != "urlpatterns":
        raise AttributeError(name)
    from django.urls import include, path

    return [path("accounts/", include("allauth.account.urls")), path("", include("allauth.idp.urls"))]


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
