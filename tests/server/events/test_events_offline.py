"""Events without a network: what a browser keeps, for whom, and for how long."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from selenium.common.exceptions import WebDriverException

from browser_site import Browser, Site, demo_site, look, until

pytestmark = pytest.mark.browser
DAYS = f"/events/appliance-days-{(datetime.now(UTC) + timedelta(days=24)).year}/"
KEPT = """
const done = arguments[0];
(async () => {
  const found = [];
  for (const name of await caches.keys())
    if (name.startsWith("events "))
      for (const request of await (await caches.open(name)).keys()) found.push(new URL(request.url).pathname);
  done(found.sort());
})();
"""


@pytest.fixture
def lonely() -> Iterator[Site]:
    """Serve the example community to one test, which stops it."""
    with demo_site() as site:
        yield site


@pytest.fixture
def phone(lonely: Site) -> Iterator[Callable[[], Browser]]:
    """Return what starts browsers of phones on that site."""
    with contextlib.ExitStack() as opened:

        def start() -> Browser:
            browser = Browser(lonely, **look("phone-light"))  # type: ignore[arg-type]
            opened.callback(browser.close)
            return browser

        yield start


def kept(browser: Browser) -> list[str]:
    """Return the addresses of the pages that a browser keeps."""
    found: list[str] = browser.driver.execute_async_script(KEPT)
    return found


def await_kept(browser: Browser, *parts: str) -> None:
    """Wait until a browser keeps some pages of the event."""
    wanted = {f"{DAYS}{part}" for part in parts}
    until(lambda: wanted <= set(kept(browser)), f"{wanted} are not kept")


def text_of(browser: Browser, path: str) -> str:
    """Go to a page and return what is on the screen, be it the browser's own words about a page that is not there."""
    with contextlib.suppress(WebDriverException):
        browser.open(path)
    return browser.text("body")


def test_schedule_and_agenda_are_there_without_a_network_and_only_for_their_reader(
    lonely: Site, phone: Callable[[], Browser]
) -> None:
    member, leaving, gone, visitor = phone(), phone(), phone(), phone()
    for browser in (member, leaving, gone):
        browser.sign_in("member")
        browser.open(f"{DAYS}agenda/")
        await_kept(browser, "agenda/", "schedule/", "offline/", "sessions/2/an-image-that-is-the-same-twice/")
    member.open(f"{DAYS}topics/")  # is for the moment only
    member.open(f"{DAYS}speakers/kestrel/")
    await_kept(member, "speakers/kestrel/")
    assert f"{DAYS}topics/" not in kept(member)

    leaving.driver.execute_script("document.querySelector('form[action$=\"/logout/\"] button').click()")
    until(lambda: not leaving.has("header .menu"), "the member is still signed in")
    assert kept(leaving) == []

    gone.driver.delete_all_cookies()  # as when a session has ended, or somebody else signs in
    gone.open(f"{DAYS}schedule/")
    until(lambda: f"{DAYS}agenda/" not in kept(gone), "a visitor keeps the agenda of a member")
    visitor.open(f"{DAYS}schedule/")
    await_kept(visitor, "schedule/", "offline/")

    lonely.stop()
    for browser in (member, gone, visitor):
        assert "130 sites, one night" in text_of(browser, f"{DAYS}schedule/")
        browser.find("#offline-note")
        assert browser.find(".plan-line").value_of_css_property("display") == "grid"  # with its style sheet
    assert "An image that is the same twice" in text_of(member, f"{DAYS}agenda/")
    assert "time stamps" in text_of(member, f"{DAYS}sessions/2/an-image-that-is-the-same-twice/")
    assert "Small images make me happy" in text_of(member, f"{DAYS}speakers/kestrel/")
    assert "This page was not kept" in text_of(member, f"{DAYS}topics/")
    for browser in (leaving, gone, visitor):
        shown = text_of(browser, f"{DAYS}agenda/")
        assert "An image that is the same twice" not in shown
        assert "In your calendar" not in shown


def test_session_that_was_just_chosen_is_in_the_agenda_without_a_network(
    lonely: Site, phone: Callable[[], Browser]
) -> None:
    browser = phone()
    browser.sign_in("moderator")
    browser.open(f"{DAYS}schedule/")
    await_kept(browser, "agenda/", "schedule/")
    browser.click(".list-view button[formaction*='/sessions/9/star/'][aria-pressed='false']")
    browser.find(".list-view button[formaction*='/sessions/9/star/'][aria-pressed='true']")
    await_kept(browser, "sessions/9/what-the-firmware-does-before-you/")
    lonely.stop()
    assert "What the firmware does before you" in text_of(browser, f"{DAYS}agenda/")
    assert "eight seconds" in text_of(browser, f"{DAYS}sessions/9/what-the-firmware-does-before-you/")


def test_organisers_pages_are_not_kept(lonely: Site, phone: Callable[[], Browser]) -> None:
    organiser = phone()
    organiser.sign_in("admin")
    organiser.open(f"{DAYS}schedule/")
    await_kept(organiser, "schedule/")
    pages = ("manage/", "review/", "review/15/", "manage/people/", "call/", "sessions/15/edit/")
    for page in pages:
        organiser.open(f"{DAYS}{page}")
    assert not {f"{DAYS}{page}" for page in pages} & set(kept(organiser))
    lonely.stop()
    assert "This page was not kept" in text_of(organiser, f"{DAYS}manage/")
