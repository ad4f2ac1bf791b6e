"""The page about the API in a browser."""

from collections.abc import Callable

import pytest

from browser_site import LOOKS, Browser, judge, look

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", LOOKS)
def test_page_about_the_api_is_accessible_and_fits_the_screen(browse: Callable[..., Browser], name: str) -> None:
    browser = browse(**look(name))
    assert "\n".join(judge(browser, {"api": "/api/"}, f"visitor-{name}")) == ""
    browser.open("/api/")
    for summary in browser.driver.find_elements("css selector", ".operation summary")[:4]:
        summary.click()
    assert "\n".join(judge(browser, {"api-open": "/api/#shape-ThreadOut"}, f"visitor-{name}")) == ""
    assert browser.complaints() == []
