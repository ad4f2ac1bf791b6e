"""Signing in with an organisation's account in a browser: exchange, provider and directory are processes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import directory_server
import oidc_provider
from browser_site import LOOKS, WITH_AND_WITHOUT_SCRIPTS, Browser, Site, demo_site, judge, look
from directory_server import Person as Clerk
from oidc_provider import PASSPHRASE, Person, Running

pytestmark = pytest.mark.browser
PEOPLE = (
    Person("rowan", "rowan@example.org"),
    Person("link", "link@example.org"),
    Person("squatter", "kestrel@exchange.example", confirmed=False),
)
SETTINGS = """
[[oidc]]
name = "example"
label = "Example Ltd."
issuer = "{issuer}"
client_id = "{client}"
client_secret_variable = "EXAMPLE_SECRET"

[[ldap]]
name = "staff"
label = "The works council"
url = "ldaps://localhost:{port}"
base = "ou=people,dc=example,dc=org"
user_dn = "uid={{login}},ou=people,dc=example,dc=org"
ca_file = "{ca_file}"

[[oidc]]
name = "away"
label = "A provider that is away"
issuer = "http://127.0.0.1:1"
client_id = "exchange"
"""


@pytest.fixture(scope="module")
def provider_and_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Site]]:
    port = oidc_provider.free_port()
    back = f"http://127.0.0.1:{port}/accounts/oidc/example/login/callback/"
    with ExitStack() as stack:
        provider = stack.enter_context(oidc_provider.running(people=PEOPLE, redirects=[back]))
        path: Path = tmp_path_factory.mktemp("sign-in") / "sign-in.toml"
        staff = stack.enter_context(directory_server.running([Clerk("clerk", "clerk@example.org")]))
        said = {"issuer": provider.issuer, "client": provider.client_id}
        path.write_text(SETTINGS.format(port=staff.secure_port, ca_file=staff.ca_file, **said))
        more = {"JEOS_SERVER_SIGN_IN": str(path), "EXAMPLE_SECRET": provider.secret}
        yield provider, stack.enter_context(demo_site(port=port, more=more))


@pytest.fixture(scope="module")
def site(provider_and_site: tuple[Running, Site]) -> Site:
    return provider_and_site[1]


def go(browser: Browser, handle: str, *, button: str = "form.way button") -> None:
    """Press the first button, and say at the provider who one is."""
    browser.click(button)
    browser.write("[name=login]", handle)
    browser.write("[name=password]", PASSPHRASE)
    browser.click("form button[type=submit]")


def complaints(browser: Browser) -> list[str]:
    """Return what the browser complained about on the exchange; the provider's pages are its own affair."""
    return [line for line in browser.complaints() if line.startswith(browser.site.address)]


@WITH_AND_WITHOUT_SCRIPTS
def test_newcomer_signs_in_and_comes_back_to_the_page(browse: Callable[..., Browser], script: bool) -> None:
    browser = browse(script=script)
    browser.open("/accounts/login/?next=/tags/")
    go(browser, "rowan")
    browser.find("header .menu")
    assert browser.driver.current_url == f"{browser.site.address}/tags/"
    assert complaints(browser) == []


def test_member_connects_signs_in_with_it_and_disconnects(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("member")
    browser.open("/settings/organisations/")
    go(browser, "link")
    assert "link" in browser.text(".cards .meta")
    other = browse()
    other.open("/accounts/login/")
    go(other, "link")
    other.find("header .menu")
    other.open("/settings/")
    assert other.has("header .menu a[href='/m/member/']")
    browser.click(".cards button")
    assert "Disconnected." in browser.text(".notice")
    assert complaints(browser) == []


def test_address_of_another_that_nobody_confirmed_opens_nothing(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.open("/accounts/login/")
    go(browser, "squatter")
    browser.find("main h1")
    assert browser.driver.current_url == f"{browser.site.address}/accounts/confirm-email/"
    assert not browser.has("header .menu")


def test_answer_that_nobody_asked_for_and_a_provider_that_is_away_are_said(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.open("/accounts/oidc/example/login/callback/?state=guessed&code=guessed")
    assert "This attempt to sign in has ended" in browser.text("[role=alert]")
    browser.click("main .button")
    browser.click("form.way:nth-of-type(2) button")
    assert "A provider that is away does not answer at present." in browser.text("[role=alert]")
    refused = ("403 (Forbidden)", "503 (Service Unavailable)")
    assert [line for line in complaints(browser) if not any(status in line for status in refused)] == []


def test_account_of_a_directory_signs_in_by_the_form(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.open("/accounts/login/")
    browser.write("[name=login]", "clerk")
    browser.write("[name=password]", directory_server.PASSPHRASE)
    browser.click("form.form button[type=submit]")
    browser.find("header .menu a[href='/m/clerk/']")
    browser.open("/settings/organisations/")
    assert browser.text(".cards .title") == "The works council"
    assert complaints(browser) == []


@pytest.mark.parametrize("name", LOOKS)
def test_pages_are_accessible_and_fit_the_screen(browse: Callable[..., Browser], name: str) -> None:
    browser = browse(**look(name))
    wrong = judge(browser, {"entrance": "/accounts/login/", "entrance-new": "/accounts/signup/"}, name)
    browser.open("/accounts/login/")
    go(browser, "rowan")
    browser.find("header .menu")
    browser.complaints()
    wrong += judge(
        browser, {"organisations": "/settings/organisations/", "passphrase": "/accounts/password/set/"}, name
    )
    stale = {"not-signed-in": "/accounts/oidc/example/login/callback/?state=x", "ask": "/accounts/oidc/example/login/"}
    wrong += [fault for fault in judge(browser, stale, name) if "403 (Forbidden)" not in fault]
    assert "\n".join(wrong) == ""
