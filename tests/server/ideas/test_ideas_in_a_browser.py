"""Ideas in a browser: what visitors, members and moderators do, with and without scripts, and what axe-core finds."""

from collections.abc import Callable

import pytest

from browser_site import LOOKS, WITH_AND_WITHOUT_SCRIPTS, Browser, Site, judge_as

pytestmark = pytest.mark.browser
VOTERS = """
from jeos.server.ideas.models import Vote
print(Vote.objects.filter(idea__in=[2, 3]).values("member").distinct().count())
"""
IDEA = "/ideas/2/"  # answered, with comments and votes; the oldest is the first
PAGES = {
    "ideas": "/ideas/",
    "ideas-top": "/ideas/top/",
    "ideas-roadmap": "/ideas/roadmap/",
    "ideas-declined": "/ideas/status/declined/",
    "idea": IDEA,
}
OWN = {
    "ideas-mine": "/ideas/mine/",
    "ideas-write": "/ideas/write/",
    "ideas-similar": "/ideas/write/?title=x",
    "idea-comment": "/comment/6/2/",
}
MODERATORS = {"idea-answer": f"{IDEA}answer/", "idea-merge": f"{IDEA}merge/", "idea-edit": f"{IDEA}edit/"}


@pytest.mark.parametrize("name", LOOKS)
def test_every_kind_of_page_is_accessible_and_fits_the_screen(browse: Callable[..., Browser], name: str) -> None:
    assert "\n".join(judge_as(browse, name, visitor=PAGES, member=PAGES | OWN, moderator=MODERATORS)) == ""


@WITH_AND_WITHOUT_SCRIPTS
def test_member_posts_votes_and_comments(browse: Callable[..., Browser], script: bool) -> None:
    browser = browse(script=script)
    browser.sign_in("member")
    browser.open("/ideas/write/")
    title = f"Colours for the console {'with' if script else 'without'} scripts"
    browser.write("[name=title]", title)
    browser.write("[name=source]", "Please *paint* it.")
    browser.click(".row .button:not(.quiet)")
    assert "Dark colours" in browser.text("#similar .notice.warning")
    browser.click("[name=seen]")
    assert browser.text("h1") == title
    left = int(browser.text("#votes-left").split()[2])
    browser.click(".vote-button")
    browser.find(".idea-head .vote-button[aria-pressed='true']")
    assert browser.text("#votes-left").split()[2] == str(left - 1)
    browser.write(".comments textarea", "and once more")
    browser.click(".comments .answer .button:not(.quiet)")
    assert browser.text(".comments .post .text") == "and once more"
    browser.click(".vote-button")
    browser.find(".idea-head .vote-button[aria-pressed='false']")
    assert browser.complaints() == []


def test_similar_ideas_are_shown_while_one_writes(browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("member")
    browser.open("/ideas/write/")
    browser.write("[name=title]", "Signed releases from a card")
    assert "Signed releases from a smart card" in browser.text("#similar .notice")
    assert browser.complaints() == []


def test_moderator_answers_and_merges(site: Site, browse: Callable[..., Browser]) -> None:
    browser = browse()
    browser.sign_in("moderator")
    browser.open("/ideas/new/")
    browser.click(".line .title a")
    title = browser.text("h1")
    browser.click(".actions a[href$='/answer/']")
    browser.click("[name=status][value='1']")
    browser.write("[name=source]", "We will *do* it.")
    browser.click("form.form .button:not(.quiet)")
    assert "We will do it." in browser.text(".team-answer")
    browser.open("/ideas/roadmap/")
    assert title in browser.text("section[aria-labelledby='column-planned']")
    voters = int(site.ask(VOTERS))  # who voted for both has voted once
    browser.open("/ideas/2/")
    browser.click(".actions a[href$='/merge/']")
    wrong = browser.faults_here("idea-merge")
    browser.write("[name=target][type=number]", "2")
    browser.click("form.form .button:not(.quiet)")
    wrong += browser.faults_here("idea-merge-refused")
    browser.write("[name=target][type=number]", "3")
    browser.click("form.form .button:not(.quiet)")
    merged = browser.driver.current_url
    browser.open("/ideas/2/")
    assert browser.driver.current_url == merged
    assert browser.text(".idea-head .vote b") == str(voters)
    wrong += browser.faults_here("idea-merged")
    assert "\n".join(wrong) == ""
