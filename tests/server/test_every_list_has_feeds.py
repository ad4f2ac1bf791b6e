"""Every list that anybody reads is a feed, too: its page links it, and it has what the list has."""

from datetime import date, timedelta
from typing import Any

import feedparser
import pytest
from django.test import Client

from jeos.server.accounts.models import Member
from jeos.server.blog import posting as blogging
from jeos.server.blog.posting import Writing
from jeos.server.forum import moderating, posting
from jeos.server.forum.models import Category
from jeos.server.ideas import suggesting, voting
from jeos.server.practices import proving
from jeos.server.practices import writing as practices
from jeos.server.practices.models import PARTS, Verdict
from jeos.server.wiki import writing as wiki
from server_events import gather, make_event
from server_site import make_member

pytestmark = pytest.mark.django_db
# A list, and what is to be found in it, in its order.
LISTS = {
    "/forum/": ["Kernel threads"],
    "/forum/unanswered/": ["Kernel threads"],
    "/forum/c/building/": ["Kernel threads"],
    "/tags/uefi/": ["Kernel threads"],
    "/search/?q=kernel": ["Kernel order", "Kernel threads"],
    "/blog/": ["A first post"],
    "/blog/all/": ["ada"],
    "/wiki/-/changes/": ["Kernel order: new page"],
    "/wiki/-/wanted/": ["Nothing yet"],
    "/wiki/-/orphans/": ["Kernel order"],
    "/ideas/": ["Wanted by many", "An idea"],
    "/ideas/top/": ["Wanted by many", "An idea"],
    "/ideas/new/": ["An idea", "Wanted by many"],
    "/practices/": ["Keep the data apart"],
    "/practices/top/": ["Keep the data apart"],
    "/practices/review/": ["Keep it small"],
    "/events/past/": ["Long ago"],
}


@pytest.fixture
def content(ada: Member, bob: Member, category: Category) -> None:
    posting.start(category, author=ada, title="Kernel threads", source="They wait.", tag_names=["uefi"])
    hidden = posting.start(category, author=ada, title="A hidden kernel", source="x", tag_names=["uefi"])
    moderating.hide_thread(hidden, True, actor=ada)
    post = blogging.begin(ada, Writing(title="A first post", source="So."))
    blogging.publish(post)
    wiki.create(title="Kernel order", source="See [[Nothing yet]].", author=ada)
    wanted = suggesting.post(author=ada, title="Wanted by many", source="So much of it.")
    voting.vote(wanted, bob, wanted=True)
    suggesting.post(author=ada, title="An idea", source="Not so much.")
    for title in ("Keep the data apart", "Keep it small"):
        parts = {part: f"*{part}* of {title}" for part in PARTS}
        practice = practices.draft(practices.Wanted(title=title, parts=parts), author=ada)
        practices.submit(practice)
        for number in range(2 if title == "Keep the data apart" else 0):
            peer = make_member(f"peer-{number}")
            proving.review(practice, reviewer=peer, verdict=Verdict.APPROVE, source="So.")
    day = date(2020, 1, 1)
    make_event(gather(), slug="old", name="Long ago", begins=day, ends=day + timedelta(days=1))


def read(data: bytes) -> Any:
    found: Any = feedparser.parse(data)  # type: ignore[no-untyped-call]
    assert not found.bozo, found
    return found


@pytest.mark.parametrize("address", LISTS)
def test_page_of_a_list_links_its_feeds_and_they_have_what_it_has(content: None, address: str) -> None:
    page = Client().get(address).content.decode()
    path, _mark, query = address.partition("?")
    for form in ("rss", "atom"):
        feed = f"{path}feed.{form}{f'?{query}' if query else ''}"
        assert page.count(f'href="{feed}"') == 2, "once for programs, once for people"
        found = read(Client().get(feed).content)
        assert [entry.title for entry in found.entries] == LISTS[address]
        assert found.feed.title
    assert Client().get(f"{path}feed.json{f'?{query}' if query else ''}").status_code == 404


def test_feed_of_a_search_finds_nothing_for_no_words(content: None) -> None:
    for query in ("", "?q=", "?q=-kernel", "?q=nothinglikeit"):
        assert read(Client().get(f"/search/feed.rss{query}").content).entries == []


def test_feed_of_a_search_is_limited_as_the_page_is(content: None, settings: Any) -> None:
    statuses = {Client().get("/search/feed.rss?q=kernel").status_code for _ in range(70)}
    assert statuses == {200, 429}


def test_feed_of_wanted_pages_says_who_wants_them(content: None) -> None:
    (entry,) = read(Client().get("/wiki/-/wanted/feed.atom").content).entries
    assert (entry.link, entry.content[0].value) == (
        "http://testserver/wiki/nothing-yet/",
        '<p><a href="http://testserver/wiki/kernel-order/" rel="nofollow ugc noopener">Kernel order</a></p>',
    )
