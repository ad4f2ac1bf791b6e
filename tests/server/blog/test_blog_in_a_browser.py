"""Blogs in a browser: every kind of page judged, and what members and moderators do, with and without scripts."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from selenium.webdriver.common.by import By

from browser_site import LOOKS, WITH_AND_WITHOUT_SCRIPTS, Browser, judge_as, until

pytestmark = pytest.mark.browser
POST = "/blog/p/8/"  # the last part of a series, with comments
PAGES = {
    "blog-planet": "/blog/",
    "blog-all": "/blog/all/",
    "blog": "/blog/@kestrel/",
    "blog-empty": "/blog/@pinecone/",
    "blog-post": POST,
    "blog-series": "/blog/@kestrel/series/small-images/",
}
OWN = {
    "blog-followed": "/blog/followed/",
    "blog-own": "/blog/own/",
    "blog-own-blog": "/blog/@member/",
    "blog-write": "/blog/write/",
    "blog-edit": "/blog/p/11/edit/",
    "blog-describe": "/blog/about/",
    "blog-comment": "/comment/4/8/",
}


@pytest.mark.parametrize("name", LOOKS)
def test_every_kind_of_page_of_blogs_is_accessible_and_fits_the_screen(
    browse: Callable[..., Browser], name: str
) -> None:
    assert "\n".join(judge_as(browse, name, visitor=PAGES, member=PAGES | OWN)) == ""


@WITH_AND_WITHOUT_SCRIPTS
def test_member_writes_publishes_and_takes_back_a_post(browse: Callable[..., Browser], script: bool) -> None:
    browser = browse(script=script)
    browser.sign_in("member")
    browser.open("/blog/")
    browser.click(".side .button:not(.quiet)")
    browser.write("[name=source]", "Only a *beginning*")
    browser.click("[name=action][value=draft]")
    browser.find(".notice.success")
    title = f"Written {'with' if script else 'without'} scripts"
    browser.write("[name=title]", title)
    browser.write("[name=source]", "All of *it*, for @kestrel")
    browser.write("[name=tags]", "hardware")
    browser.write("[name=series]", "Trials")
    browser.click("[name=preview]")
    assert browser.text("#preview em") == "it"
    browser.click(".extra summary")
    soon = datetime.now() + timedelta(days=2)
    set_time(browser, "[name=due]", soon, script=script)
    browser.click("[name=action][value=schedule]")
    assert title in browser.text(".cards")
    browser.click(".card .title a[href*='/edit/']")  # the next to be published
    assert browser.find("[name=due]").get_attribute("value") == f"{soon:%Y-%m-%dT%H:%M}"
    browser.click("[name=action][value=publish]")
    assert browser.text("h1") == title
    assert browser.text(".article .text em") == "it"
    browser.write(".answer textarea", "and a remark")
    browser.click(".answer .button:not(.quiet)")
    assert "and a remark" in browser.text("#comments")
    browser.open("/blog/")
    assert title in browser.text(".entries")
    browser.click(".entries .title a")
    browser.click("form[action$='/withdraw/'] button")
    browser.find(".notice.success")
    browser.open("/blog/")
    assert title not in browser.text(".entries")
    assert browser.complaints() == []


def set_time(browser: Browser, selector: str, when: datetime, *, script: bool) -> None:
    """Set a field of a day and time as a browser's own picker would."""
    value = f"{when:%Y-%m-%dT%H:%M}"
    browser.driver.execute_cdp_cmd(
        "Runtime.evaluate", {"expression": f"document.querySelector({selector!r}).value = {value!r}"}
    )
    assert browser.find(selector).get_attribute("value") == value


@WITH_AND_WITHOUT_SCRIPTS
def test_reader_follows_reacts_and_keeps(browse: Callable[..., Browser], script: bool) -> None:
    browser = browse(script=script)
    browser.sign_in("member")
    browser.open(POST)
    browser.click(".series-box summary")
    assert browser.driver.find_element(By.CSS_SELECTOR, ".series-box [aria-current]").text.endswith("forty megabytes")
    browser.click("#reactions [value='3']")
    assert browser.text("#reactions [value='3'][aria-pressed='true'] b") == "1"
    browser.click("#reactions [value='3']")
    browser.find("#reactions .empty[value='3']")
    browser.click(".article form[action^='/bookmark/'] button")
    browser.find(".article form[action^='/bookmark/'] button[aria-pressed='true']")
    browser.click(".article form[action^='/bookmark/'] button")
    browser.find(".article form[action^='/bookmark/'] button[aria-pressed='false']")
    browser.open("/blog/@rack-42/")
    browser.click(".follow [value='1']")
    browser.find(".follow [value='0'][aria-pressed='true']")
    browser.open("/blog/followed/")
    assert "A checklist for the night before" in browser.text(".entries")
    browser.open("/blog/@rack-42/")
    browser.click(".follow [value='0']")
    browser.find(".follow [value='1'][aria-pressed='false']")
    assert browser.complaints() == []


def test_post_that_is_being_written_is_kept(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("member")
    browser.open("/blog/write/")
    browser.write("[name=source]", "half a thought")
    until(lambda: "saved" in browser.text("#draft-state"), "the draft is saved")
    browser.open("/blog/write/")
    assert browser.find("[name=source]").get_attribute("value") == "half a thought"


def test_moderator_hides_a_post_and_shows_it_again(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("moderator")
    browser.open("/blog/@blinkenlights/")
    browser.click(".entries .title a")
    browser.click("form[action$='/hide/'] button")
    assert "Hidden" in browser.text(".notice.warning")
    address = browser.driver.current_url.removeprefix(browser.site.address)
    visitor = browse()
    visitor.open(f"{address}?again")  # past the cache, where the page may be for some seconds more
    assert "There is nothing at this address" in visitor.text("main")
    browser.click("form[action$='/hide/'] button")
    browser.find("#comments")


def test_worker_publishes_a_post_at_its_time(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("member")
    browser.open("/blog/write/")
    browser.write("[name=title]", "By the clock")
    browser.write("[name=source]", "Nobody pressed anything.")
    browser.click(".extra summary")
    set_time(browser, "[name=due]", datetime.now() + timedelta(minutes=1), script=True)
    browser.click("[name=action][value=schedule]")
    browser.find(".notice.success")

    def published() -> bool:
        browser.open("/blog/@member/")
        return "By the clock" in browser.text("main")

    assert not published()
    until(published, "the worker publishes it", seconds=150)
