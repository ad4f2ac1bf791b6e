"""The wiki in a browser: its pages in every look, and writing together with and without scripts.

`JEOS_SCREENSHOTS=FOLDER` keeps pictures of every kind of page, desktop and phone, light and dark.
"""

from collections.abc import Callable

import pytest

from browser_site import LOOKS, WITH_AND_WITHOUT_SCRIPTS, Browser, judge_as, until

pytestmark = pytest.mark.browser
PAGES = {
    "wiki": "/wiki/",
    "wiki-page": "/wiki/boot-order/",
    "wiki-short": "/wiki/network-interface-names/",
    "wiki-nothing": "/wiki/secure-boot/",
    "wiki-every": "/wiki/-/pages/",
    "wiki-changes": "/wiki/-/changes/",
    "wiki-wanted": "/wiki/-/wanted/",
    "wiki-orphans": "/wiki/-/orphans/",
    "wiki-history": "/wiki/boot-order/history/",
    "wiki-version": "/wiki/boot-order/version/2/",
    "wiki-compare": "/wiki/boot-order/compare/?from=2&to=4",
    "wiki-side": "/wiki/boot-order/compare/?from=2&to=4&view=side",
    "wiki-links": "/wiki/firmware-settings/links/",
}
OWN = {
    "wiki-edit": "/wiki/boot-order/edit/",
    "wiki-source": "/wiki/start/edit/",
    "wiki-new": "/wiki/-/new/",
    "wiki-write": "/wiki/secure-boot/edit/?title=Secure+Boot",
}
MODERATORS = {"wiki-manage": "/wiki/firmware-settings/manage/"}
ADMINISTRATORS = {"wiki-rules": "/wiki/-/rules/"}


@pytest.mark.parametrize("name", LOOKS)
def test_every_kind_of_page_is_accessible_and_fits_the_screen(browse: Callable[..., Browser], name: str) -> None:
    own = OWN | {"wiki-page": "/wiki/boot-order/", "wiki-history": "/wiki/boot-order/history/"}
    wrong = judge_as(browse, name, visitor=PAGES, member=own, moderator=MODERATORS, admin=ADMINISTRATORS)
    wrong = [fault for fault in wrong if "403 (Forbidden)" not in fault]  # the source of a protected page
    assert "\n".join(wrong) == ""


@WITH_AND_WITHOUT_SCRIPTS
def test_member_writes_changes_and_goes_back(browse: Callable[..., Browser], script: bool) -> None:
    browser = browse(script=script)
    browser.sign_in("member")
    title = f"Written {'with' if script else 'without'} scripts"
    browser.open("/wiki/")
    browser.click(".side .button")
    browser.write("#id_title", title)
    browser.click(".form .button")
    browser.write("[name=source]", "# Hello\n\nSee [[Boot order]] and [[Nothing yet]].")
    browser.click("[name=preview]")
    assert browser.text("#preview h2 + .text h2") == "Hello"
    browser.click(".form .button:not(.quiet)")
    assert browser.text("h1") == title
    assert browser.find(".article .wiki.missing").get_attribute("href") == f"{browser.site.address}/wiki/nothing-yet/"
    browser.click(".tabs a[href$='/edit/']")
    browser.write("[name=source]", "Something else.")
    browser.write("[name=reason]", "shorter")
    browser.click(".form .button:not(.quiet)")
    browser.click(".tabs a[href$='/history/']")
    assert "shorter" in browser.text(".changes")
    browser.click("#compare .button")
    assert browser.text(".diff-line.becomes").endswith("Something else.")
    browser.open(f"/wiki/written-{'with' if script else 'without'}-scripts/history/")
    browser.click("form[action$='/version/1/revert/'] button")
    assert "Hello" in browser.text(".article")
    assert browser.complaints() == []


def test_two_members_change_the_same_line(browse: Callable[..., Browser]) -> None:
    first, second = browse(), browse()
    first.sign_in("member")
    second.sign_in("moderator")
    address = "/wiki/serial-console-on-everything/edit/"
    for browser in (first, second):
        browser.open(address)
    source = str(first.find("[name=source]").get_attribute("value"))
    for browser, words in ((second, "Notes from a museum"), (first, "Notes from a cellar")):
        browser.write("[name=source]", source.replace("Notes from my lab", words))
        browser.click(".form .button:not(.quiet)")
    first.find("[role=alert]")
    text = str(first.find("[name=source]").get_attribute("value"))
    assert "Notes from a museum" in text
    assert "Notes from a cellar" in text
    assert "<<<<<<<< your text" in text
    first.write("[name=source]", source.replace("Notes from my lab", "Notes from a museum's cellar"))
    first.click(".form .button:not(.quiet)")
    assert "museum's cellar" in first.text(".article")
    log = [line for line in first.complaints() if "409 (Conflict)" not in line]
    assert log == []


def test_draft_of_a_page_is_kept_while_one_writes(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("member")
    browser.open("/wiki/glossary/edit/")
    browser.write("[name=source]", "half a thought")
    until(lambda: "saved" in browser.text("#draft-state"), "the draft is saved")
    browser.open("/wiki/glossary/edit/")
    assert browser.find("[name=source]").get_attribute("value") == "half a thought"


def test_page_is_read_and_found_by_keyboard(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.open("/wiki/boot-order/")
    assert not browser.has("script")  # visitors get none
    heading = browser.find(".outline a")
    heading.send_keys("\ue007")  # Enter
    assert browser.driver.current_url.endswith("/wiki/boot-order/#s-firmware")
    browser.find(".article a.wiki").send_keys("\ue007")
    until(lambda: "/wiki/a-b-slots/" in browser.driver.current_url, "the link leads on")


def test_page_is_moved_while_another_changes_it(browse: Callable[..., Browser]) -> None:
    member, moderator = browse(), browse()
    member.sign_in("member")
    moderator.sign_in("moderator")
    for title, source in (("Fans", "# Small\n\nThey whirr.\n\n# Large\n\nThey hum."), ("Noise", "See [[Fans]].")):
        member.open(f"/wiki/{title.lower()}/edit/?title={title}")
        member.write("[name=source]", source)
        member.click(".form .button:not(.quiet)")
        member.find(".article")
    member.open("/wiki/fans/edit/")
    moderator.open("/wiki/fans/edit/")
    moderator.write("[name=source]", "# Small\n\nThey whirr.\n\n# Large\n\nThey hum loudly.")
    moderator.click(".form .button:not(.quiet)")
    moderator.click(".tabs a[href$='/manage/']")
    moderator.write("[name=title]", "Noise")
    moderator.click("[value=move]")
    wrong = moderator.faults_here("wiki-move-refused")  # there is a page of that name
    moderator.write("[name=title]", "Fans and their noise")
    moderator.click("[value=move]")
    assert moderator.text("h1") == "Fans and their noise"
    wrong += moderator.faults_here("wiki-moved")

    member.write("[name=source]", "# Small\n\nThey whirr softly.\n\n# Large\n\nThey hum.")  # begun before both
    member.click(".form .button:not(.quiet)")
    assert member.text("h1") == "Fans and their noise"
    text = member.text(".article")
    assert "They whirr softly." in text
    assert "They hum loudly." in text
    wrong += member.faults_here("wiki-merged")
    member.open("/wiki/noise/")
    member.click(".article a.wiki")
    until(lambda: member.driver.current_url.endswith("/wiki/fans-and-their-noise/"), "the old address leads nowhere")
    member.click(".tabs a[href$='/history/']")
    wrong += member.faults_here("wiki-moved-history")
    assert "\n".join(wrong) == ""
