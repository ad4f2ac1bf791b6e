"""The site in a browser: what visitors, members and moderators do, with and without scripts, and what axe-core finds.

`JEOS_SCREENSHOTS=FOLDER` keeps pictures of every kind of page, desktop and phone, light and dark.
"""

from collections.abc import Callable

import pytest
from selenium.webdriver.common.by import By

from browser_site import LOOKS, Browser, judge_as, until

pytestmark = pytest.mark.browser
THREAD = "/forum/t/14/"
PAGES = {
    "front": "/",
    "category": "/forum/c/building/",
    "thread": THREAD,
    "poll": "/forum/t/5/",
    "tags": "/tags/",
    "tag": "/tags/image-size/",
    "search": "/search/?q=image",
    "member": "/m/kestrel/",
    "language": "/language/",
    "missing": "/nothing/",
}
STRANGERS = {"sign-in": "/accounts/login/", "sign-up": "/accounts/signup/", "reset": "/accounts/password/reset/"}
OWN = {
    "unread": "/forum/unread/",
    "new": "/forum/new/",
    "reply": f"{THREAD}reply/?quote=4",
    "notifications": "/notifications/",
    "bookmarks": "/bookmarks/",
    "flag": "/flag/2/40/",
    "settings": "/settings/",
    "tokens": "/settings/tokens/",
    "data": "/settings/data/",
    "email": "/accounts/email/",
    "factors": "/accounts/2fa/",
    "sessions": "/accounts/sessions/",
}
MODERATORS = {
    "queue": "/moderation/",
    "log": "/moderation/log/",
    "manage": f"{THREAD}manage/",
    "edit-tag": "/tags/image-size/edit/",
}


@pytest.mark.parametrize("name", LOOKS)
def test_every_kind_of_page_is_accessible_and_fits_the_screen(browse: Callable[..., Browser], name: str) -> None:
    wrong = judge_as(browse, name, visitor=PAGES | STRANGERS, member=PAGES | OWN, moderator=MODERATORS)
    assert "\n".join(wrong) == ""


@pytest.mark.parametrize("script", [True, False], ids=["with scripts", "without scripts"])
def test_member_writes_reacts_keeps_and_follows(browse: Callable[..., Browser], script: bool) -> None:
    browser = browse(script=script)
    browser.sign_in("member")
    browser.open("/forum/new/?category=lounge")
    title = f"Written {'with' if script else 'without'} scripts"
    browser.write("[name=title]", title)
    browser.write("[name=source]", "Hello *there*, @kestrel")
    browser.write("[name=tags]", "hardware, test-bench")
    browser.click("[name=preview]")
    assert browser.text("#preview em") == "there"
    browser.click(".row .button:not(.quiet)")
    browser.find(".posts")  # the page of the thread
    assert browser.text("h1") == title
    assert browser.find(".post .mention").get_attribute("href") == f"{browser.site.address}/m/kestrel/"
    browser.write(".answer textarea", "and once more")
    browser.click(".answer .button:not(.quiet)")
    assert browser.text("#p2 .text") == "and once more"
    browser.open(THREAD)
    browser.click("#p2 .reaction[value='3']")
    assert browser.text("#p2 .reaction[value='3'][aria-pressed='true'] b") == "1"
    browser.click("#p2 form[action^='/bookmark/'] button")
    browser.find("#p2 form[action^='/bookmark/'] button[aria-pressed='true']")
    browser.click(".actions [value='-1']")
    browser.find(".actions [value='0'][aria-pressed='true']")
    browser.open("/bookmarks/")
    assert "Image grew by 40 MB" in browser.text(".cards")
    browser.open(THREAD)  # and back, for the next who tries
    browser.click(".actions [value='1']")
    browser.find(".actions [value='0'][aria-pressed='true']")
    browser.click("#p2 .reaction[value='3']")
    browser.find("#p2 .reaction.empty[value='3']")
    browser.click("#p2 form[action^='/bookmark/'] button")
    browser.find("#p2 form[action^='/bookmark/'] button[aria-pressed='false']")
    assert browser.complaints() == []


def test_draft_is_kept_while_one_writes(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("member")
    browser.open(THREAD)
    browser.write(".answer textarea", "half a thought")
    until(lambda: "saved" in browser.text("#draft-state"), "the draft is saved")
    browser.open(THREAD)
    assert browser.find(".answer textarea").get_attribute("value") == "half a thought"
    browser.find(".answer textarea").send_keys(" and a half")
    browser.write(".answer textarea", "x")
    browser.find(".answer textarea").send_keys("\b")
    until(lambda: "removed" in browser.text("#draft-state"), "the draft is removed")


def test_reading_to_the_end_of_a_thread_makes_it_read(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("moderator")
    browser.open("/forum/unread/")
    titles = [
        line.text for line in browser.driver.find_elements(By.CSS_SELECTOR, ".line.unread .title a:first-of-type")
    ]
    assert "How much memory do you give a small web appliance?" in titles
    browser.open("/forum/t/13/")
    sent = "return performance.getEntriesByType('resource').some(r => r.name.endsWith('/mark/'))"
    until(lambda: bool(browser.driver.execute_script(sent)), "the mark is sent")

    def read() -> bool:
        browser.open("/forum/unread/")
        return "How much memory" not in browser.text("main")

    until(read, "the thread is read")


def test_header_fits_the_screen_in_every_language(browse: Callable[..., Browser]) -> None:
    browser = browse()
    wide: dict[str, int] = {}
    for language in ("en", "de", "fr"):
        headers = {"headers": {"Accept-Language": language}}
        browser.driver.execute_cdp_cmd("Network.enable", {})
        browser.driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", headers)
        browser.open("/catalogue/")
        assert browser.find("html").get_attribute("lang") == language
        wide[language] = browser.driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert wide == {"en": 0, "de": 0, "fr": 0}


def test_visitor_reads_everything_by_keyboard(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.open("/")
    body = browser.find("body")
    body.send_keys("\ue004")  # Tab
    skip = browser.driver.switch_to.active_element
    assert skip.get_attribute("class") == "skip"
    skip.send_keys("\ue007")  # Enter
    assert browser.driver.switch_to.active_element.get_attribute("id") == "content"
    assert not browser.has("script")  # visitors get none
    browser.click(".line .title a")
    browser.find(".post")
    browser.click(".join .button")
    browser.find("[name=login]")
    assert browser.complaints() == []


def test_moderator_decides_and_takes_it_back(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("moderator")
    browser.open("/moderation/")
    assert "printer ink" in browser.text(".case")
    browser.write(".case [name=note]", "an advertisement")
    browser.click(".case [name=outcome][value='2']")
    assert "Nothing waits for you." in browser.text("main")
    browser.open("/forum/t/4/")
    assert "Hidden" in browser.text("#p4")
    browser.open("/moderation/")
    browser.click("form[action$='/undo/'] button")
    browser.open("/forum/t/4/")
    assert "Hidden" not in browser.text("#p4")


def test_site_speaks_french_and_german(browse: Callable[..., Browser]) -> None:
    browser = browse()
    for value, words in (("fr", "Rechercher"), ("de", "Suchen"), ("en", "Search")):
        browser.open("/language/")
        browser.click(f"[name=language][value={value}]")
        assert browser.find(f"html[lang={value}] #seek[placeholder={words}]")  # waits for the page that comes
