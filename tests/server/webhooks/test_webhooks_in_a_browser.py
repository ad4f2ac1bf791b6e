"""Webhooks in a browser: their pages judged, and how one is made and tried."""

from collections.abc import Callable

import pytest

from browser_site import LOOKS, Browser, judge, look

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", LOOKS)
def test_pages_of_webhooks_are_accessible_fit_the_screen_and_work(browse: Callable[..., Browser], name: str) -> None:
    browser = browse(**look(name))
    browser.sign_in("member")
    browser.open("/settings/webhooks/new/")
    browser.write("[name=address]", f"https://hooks.invalid/{name}")
    browser.click("[name=types][value='thread.created']")
    browser.click("main form .button")
    page = browser.driver.current_url.removeprefix(browser.site.address)
    browser.click("form[action$='/test/'] button")
    assert "test" in browser.text(".cards")
    pages = {"webhooks": "/settings/webhooks/", "webhook-new": "/settings/webhooks/new/", "webhook": page}
    assert "\n".join(judge(browser, pages, f"member-{name}")) == ""
    assert browser.complaints() == []
