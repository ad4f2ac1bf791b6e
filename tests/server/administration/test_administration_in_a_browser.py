"""The administrators' pages in a browser: what axe-core finds, do they fit the screen, a first hour without scripts."""

from collections.abc import Callable

import pytest

from browser_site import LOOKS, Browser, judge_as

pytestmark = pytest.mark.browser
PAGES = {
    "admin-overview": "/administration/",
    "admin-members": "/administration/members/",
    "admin-member": "/administration/members/2/",
    "admin-jobs": "/administration/jobs/",
    "admin-site": "/administration/site/",
    "admin-blocked": "/administration/blocked/",
    "admin-imports": "/administration/imports/",
    "admin-categories": "/forum/categories/",
    "admin-category": "/forum/categories/1/",
}


@pytest.mark.parametrize("name", LOOKS)
def test_every_kind_of_page_is_accessible_and_fits_the_screen(browse: Callable[..., Browser], name: str) -> None:
    assert "\n".join(judge_as(browse, name, admin=PAGES)) == ""


def test_administrator_sets_a_site_up_without_scripts(browse: Callable[..., Browser]) -> None:
    browser = browse(script=False)
    browser.sign_in("admin")
    browser.open("/administration/site/")
    browser.write("[name=name]", "Our images")
    browser.click("#content form.form .button")
    browser.find(".notice.success")
    assert browser.text(".brand span") == "Our images"
    browser.open("/forum/categories/new/")
    browser.write("#content [name=name]", "Firmware")
    browser.click("#content form.form .button")
    browser.find(".notice.success")
    assert "Firmware" in browser.text("#content table")
    assert browser.complaints() == []
