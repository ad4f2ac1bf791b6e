"""The catalogue in a browser: what visitors, members and owners do, and what axe-core finds."""

from collections.abc import Callable

import pytest

from browser_site import LOOKS, WITH_AND_WITHOUT_SCRIPTS, Browser, judge_as

pytestmark = pytest.mark.browser
WEB = "/catalogue/@slotworks/web-front/"
PAGES = {
    "appliances": "/catalogue/",
    "appliances-starred": "/catalogue/starred/?licence=MIT",
    "appliances-found": "/catalogue/?q=proxy",
    "appliance": WEB,
    "appliance-versions": f"{WEB}versions/",
    "appliance-version": f"{WEB}versions/2.1/",
    "appliance-bare": "/catalogue/@blinkenlights/bridge/",
    "publisher": "/catalogue/@slotworks/",
    "review": "/catalogue/reviews/1/",
}
OWN = {"appliances-mine": "/catalogue/mine/", "publish": "/catalogue/publish/", "review-write": f"{WEB}review/"}
OWNERS = {
    "publisher-manage": "/catalogue/@slotworks/-/manage/",
    "channel-new": "/catalogue/@clinic-it/-/channel/",
    "appliance-failed": "/catalogue/@clinic-it/dicom-relay/",
}


@pytest.mark.parametrize("name", LOOKS)
def test_every_kind_of_page_is_accessible_and_fits_the_screen(browse: Callable[..., Browser], name: str) -> None:
    owned = OWNERS | {"publisher": PAGES["publisher"]}
    assert "\n".join(judge_as(browse, name, visitor=PAGES, member=PAGES | OWN, admin=owned)) == ""


@WITH_AND_WITHOUT_SCRIPTS
def test_member_finds_stars_and_reviews(browse: Callable[..., Browser], script: bool) -> None:
    browser = browse(script=script)
    browser.sign_in("member")
    browser.open("/catalogue/")
    browser.write("#words", "chrony")
    browser.click(".catalogue-seek .button")
    browser.click(".line .title a")
    assert browser.text("h1") == "Time server"
    pressed = browser.find(".vote-button").get_attribute("aria-pressed")
    browser.click(".vote-button")
    browser.find(f".idea-head .vote-button[aria-pressed='{'false' if pressed == 'true' else 'true'}']")
    browser.click("#reviews .button")
    browser.click("[name=verdict][value='1']")
    browser.write("[name=source]", f"It keeps *time*{'' if script else ' without scripts'}.")
    browser.click("form.form .button:not(.quiet)")
    assert "It keeps time" in browser.text(".reviews .post .text")
    assert browser.text(".reviews .status") == "recommends it"
    assert browser.complaints() == []


def test_owner_of_a_new_page_gives_a_seat(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("member")
    browser.open("/catalogue/publish/")
    browser.write("[name=name]", "attic-lab")
    browser.write("[name=title]", "Attic lab")
    browser.click("form.form .button")
    assert browser.text("h1") == "Attic lab"
    assert "--publisher attic-lab" in browser.text(".run code")
    browser.click(".side a.button")
    browser.write("[name=handle]:not([type=hidden])", "kestrel")
    browser.click(".panel.form .button")
    assert "kestrel" in browser.text(".cards")
    assert browser.complaints() == []
