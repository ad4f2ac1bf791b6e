"""Practices in a browser: every kind of page judged, and how one is written, proven and rated."""

from collections.abc import Callable

import pytest

from browser_site import LOOKS, WITH_AND_WITHOUT_SCRIPTS, Browser, Site, judge_as, until

pytestmark = pytest.mark.browser
A_YEAR_LATER = """
from datetime import timedelta
from django.utils import timezone
from jeos.server.accounts.models import Member
from jeos.server.practices import tasks
from jeos.server.practices.models import Practice
now = timezone.now()
expired = {"author": Member.objects.get(handle="member"), "expires": now - timedelta(hours=1)}
Practice.objects.filter(pk=3).update(**expired)
print(tasks.end_all(now=now), tasks.end_all(now=now))
"""
PAGES = {
    "practices": "/practices/",
    "practices-top": "/practices/top/",
    "practices-review": "/practices/review/",
    "practice-expired": "/practices/1/",  # the oldest is the first
    "practice": "/practices/2/",
    "practice-review": "/practices/4/",
}
OWN = {
    "practices-mine": "/practices/mine/",
    "practice-draft": "/practices/5/",
    "practice-write": "/practices/write/",
    "practice-edit": "/practices/5/edit/",
    "practice-comment": "/comment/5/2/",
    "practice-flag": "/flag/5/2/",
}
MODERATORS = {
    "practice-history": "/practices/2/history/",
    "practice-edit-proven": "/practices/2/edit/",
    "practice": "/practices/2/",
    "practice-review": "/practices/4/",
}


@pytest.mark.parametrize("name", LOOKS)
def test_every_kind_of_page_of_practices_is_accessible_and_fits_the_screen(
    browse: Callable[..., Browser], name: str
) -> None:
    assert "\n".join(judge_as(browse, name, visitor=PAGES, member=PAGES | OWN, moderator=MODERATORS)) == ""


@WITH_AND_WITHOUT_SCRIPTS
def test_member_writes_what_peers_prove_and_rate(browse: Callable[..., Browser], script: bool) -> None:
    author = browse(script=script)
    author.sign_in("member")
    author.open("/practices/")
    author.click(".side .button")
    title = f"Written {'with' if script else 'without'} scripts"
    author.write("[name=title]", title)
    for part in ("problem", "context", "practice"):
        author.write(f"[name={part}]", f"The *{part}* of it. {title}.")  # what was written before waits
    author.click("[name=preview]")
    assert author.text("#preview em") == "problem"
    author.write("[name=evidence]", "Seen on nine machines")
    author.click("[name=submit]")
    until(lambda: author.text("h1") == title, "the practice is not shown")
    address = author.driver.current_url.removeprefix(author.site.address)
    for peer in ("moderator", "admin"):
        browser = browse(script=script)
        browser.sign_in(peer)
        browser.open(address)
        browser.click(".reviews [name=verdict][value='1']")
        browser.write(".reviews form [name=source]", f"It held for the {peer}")
        browser.click(".reviews form .button")
    assert "It held for the admin" in browser.text(".reviews")
    browser.click("#ratings [name=stars][value='4']")
    browser.write("#ratings [name=reason]", "It saved us an evening")
    browser.click("#ratings form .button")
    assert "It saved us an evening" in browser.text("#ratings .post")
    assert browser.find(".heading .stars").get_attribute("aria-label") == "4.0 of 5 stars, 1 rating"
    author.open("/practices/")
    assert title in author.text(".lines")
    assert author.complaints() + browser.complaints() == []


def test_author_is_asked_to_renew_what_has_expired(site: Site, browse: Callable[..., Browser]) -> None:
    author, reader = browse(), browse()
    author.sign_in("member")
    assert site.ask(A_YEAR_LATER) == "1 0\n"
    reader.open("/practices/3/")
    title = reader.text("h1")
    assert "it may hold no more" in reader.text(".notice.warning")
    author.open("/notifications/")
    assert title in author.text("main")
    wrong = author.faults_here("notifications-renew")
    author.open("/practices/3/")
    wrong += author.faults_here("practice-expired-own")
    author.click("form[action$='/renew/'] .button")
    assert author.text(".heading .meta").startswith("proven")
    wrong += author.faults_here("practice-renewed")

    def seen() -> bool:  # pages of visitors are kept for some seconds
        reader.open("/practices/3/")
        return not reader.has(".notice.warning") and "renewed" in reader.text(".facts")

    until(seen, "visitors do not see that it is renewed")
    assert "\n".join(wrong) == ""
