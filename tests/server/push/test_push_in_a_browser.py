"""Push in a browser: the page in every look, with and without scripts; what the worker shows of a message."""

import json
from collections.abc import Callable, Iterator

import pytest

from browser_site import LOOKS, Browser, Site, demo_site, judge_as, until

pytestmark = pytest.mark.browser
SHOWN = """const done = arguments[0];
navigator.serviceWorker.getRegistration("/settings/push/").then(one => one.getNotifications())
  .then(all => done(all.map(one => [one.title, one.body, one.data.url])))"""
REGISTER = """const done = arguments[0];
navigator.serviceWorker.register("/settings/push/worker.js", {scope: "/settings/push/"})
  .then(() => navigator.serviceWorker.ready).then(() => done(true), error => done(String(error)))"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Serve the example community with push switched on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JEOS_SERVER_PUSH", "mailto:ada@mail.example")
        with demo_site() as site:
            yield site


@pytest.mark.parametrize("name", LOOKS)
def test_page_is_accessible_and_fits_the_screen(browse: Callable[..., Browser], name: str) -> None:
    assert "\n".join(judge_as(browse, name, member={"push": "/settings/push/"})) == ""


def test_page_says_what_it_needs_without_scripts(browse: Callable[..., Browser]) -> None:
    browser = browse(script=False)
    browser.sign_in("member")
    browser.open("/settings/push/")
    assert "needs scripts" in browser.text("[data-push=script]")
    assert not browser.find("#push-add").is_displayed()


def test_worker_shows_a_message(browse: Callable[..., Browser]) -> None:
    """Chromium's own push service is not reached from tests: the message comes through the debugging door."""
    browser = browse()
    driver, address = browser.driver, browser.site.address
    driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["notifications"], "origin": address})
    browser.sign_in("member")
    browser.open("/settings/push/")
    assert browser.find("#push-add").is_displayed()
    assert driver.execute_async_script(REGISTER) is True
    driver.execute_cdp_cmd("ServiceWorker.enable", {})
    said = {"title": "bob replied", "text": "Boot order", "url": f"{address}/forum/", "tag": "x"}
    message = {"origin": address, "registrationId": "0", "data": json.dumps(said)}

    def shown() -> bool:
        driver.execute_cdp_cmd("ServiceWorker.deliverPushMessage", message)  # one that comes twice is shown once
        return bool(driver.execute_async_script(SHOWN) == [["bob replied", "Boot order", f"{address}/forum/"]])

    until(shown, "the notification was not shown")
    assert browser.complaints() == []
