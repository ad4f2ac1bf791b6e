"""Feeds: read by a feed reader and by xmllint, the same for everybody, and harmless whatever members write."""

import subprocess
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import feedparser
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from hostile_texts import ATTACKS, assert_harmless
from jeos.server.accounts.models import Member
from jeos.server.content import feeds, texts
from jeos.server.content.feeds import Feed, Item
from jeos.server.forum import moderating, posting
from jeos.server.forum.models import Category, Thread
from server_site import signed_in

WHEN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
FORMS = ("rss", "atom")
FORUM_LISTS = ("/forum/", "/forum/unanswered/", "/forum/c/building/", "/tags/uefi/")


def item(**fields: object) -> Item:
    values: dict[str, object] = {
        "name": "thread/7",
        "title": "Boot order",
        "url": "/forum/t/7/boot-order/",
        "author": "ada",
        "made": WHEN,
        "html": '<p>See <a href="/m/bob/" class="mention">@bob</a></p>',
        "tags": ("uefi",),
    }
    return Item(**(values | fields))  # type: ignore[arg-type]


def written(form: str, *items: Item, title: str = "A list", about: str = "What is in it") -> bytes:
    return feeds.text(Feed(title=title, url="/list/", about=about, items=items), form, at=f"/list/feed.{form}")


def read(data: bytes) -> Any:
    """Return what a feed reader makes of a feed that two parsers find to be right."""
    done = subprocess.run(["xmllint", "--noout", "--nonet", "-"], input=data, capture_output=True, check=False)
    assert done.stderr == b""
    found: Any = feedparser.parse(data, sanitize_html=False, resolve_relative_uris=False)  # type: ignore[no-untyped-call]
    assert not found.bozo, found
    return found


@pytest.mark.parametrize(("form", "version"), [("rss", "rss20"), ("atom", "atom10")])
def test_feed_is_read_as_it_was_meant(form: str, version: str) -> None:
    found = read(written(form, item(changed=WHEN.replace(hour=14)), item(name="thread/6", title="<b> & c")))
    assert found.version == version
    assert (found.feed.title, found.feed.link, found.feed.subtitle) == (
        "A list",
        "http://testserver/list/",
        "What is in it",
    )
    assert {link.href for link in found.feed.links if link.rel == "self"} == {f"http://testserver/list/feed.{form}"}
    first, second = found.entries
    assert (first.title, first.link, first.author, first.id) == (
        "Boot order",
        "http://testserver/forum/t/7/boot-order/",
        "ada",
        "tag:testserver,2026-03-01:thread/7",
    )
    assert first.published_parsed[:5] == (2026, 3, 1, 12, 30)
    assert [tag.term for tag in first.tags] == ["uefi"]
    text = first.content[0].value if form == "atom" else first.summary
    assert '<a href="http://testserver/m/bob/"' in text
    assert second.title in ("<b> & c", "&lt;b> &amp; c")  # as HTML, since a reader may take titles for it
    if form == "atom":
        assert (first.updated_parsed[3], found.feed.updated_parsed[3]) == (14, 14)


@pytest.mark.parametrize("form", FORMS)
def test_empty_feed_is_a_feed_and_stays_the_same(form: str) -> None:
    found = read(written(form))
    assert (found.entries, written(form)) == ([], written(form))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_feed_of_a_hostile_text_is_well_formed_and_harmless(form: str, attack: str, db: None) -> None:
    hostile = item(title=attack, html=texts.render(attack)[0].html, tags=(attack,))
    found = read(written(form, hostile, title=attack, about=attack))
    (entry,) = found.entries
    assert_harmless(entry.content[0].value if form == "atom" else entry.summary)
    assert "<script" not in written(form, hostile).decode()


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_feed_leaves_out_characters_that_xml_cannot_hold(character: str) -> None:
    for form in FORMS:
        found = read(written(form, item(title=f"a{character}b", html=f"<p>c{character}d</p>")))
        assert found.entries[0].title == "ab"


def test_every_list_of_the_forum_has_its_feeds(ada: Member, bob: Member, category: Category) -> None:
    thread = posting.start(category, author=ada, title="Boot order", source="wrong, @bob", tag_names=["uefi"])
    other = posting.start(category, author=ada, title="Not for all", source="secret", tag_names=["uefi"])
    moderating.hide_thread(other, True, actor=ada)
    lists = {address: ["Boot order"] for address in FORUM_LISTS} | {
        f"/forum/t/{thread.pk}/": ["Boot order #1"],
        "/m/ada/": ["Boot order"],
    }
    for client in (signed_in(None), signed_in(ada)):  # who asks does not matter
        for address, titles in lists.items():
            page = client.get(address, follow=True).content.decode()
            for form in FORMS:
                assert f'href="{address}feed.{form}"' in page
                answer = client.get(f"{address}feed.{form}")
                assert answer.headers["Content-Type"] == f"application/{form}+xml; charset=utf-8"
                assert [entry.title for entry in read(answer.content).entries] == titles, address
            assert client.get(f"{address}feed.json").status_code == 404


def test_feed_of_a_tag_has_the_whole_texts(ada: Member, category: Category) -> None:
    posting.start(category, author=ada, title="Boot order", source="It is **wrong**.", tag_names=["uefi"])
    (entry,) = read(Client().get("/tags/uefi/feed.rss").content).entries
    assert entry.summary == "<p>It is <strong>wrong</strong>.</p>"
    assert read(Client().get("/tags/uefi/feed.rss?kind=post").content).entries == []


@pytest.mark.parametrize("address", ["/forum/c/team/", "/tags/nothing/", "/m/nobody/", "/forum/t/99999/"])
def test_list_that_is_not_for_everybody_has_no_feed(address: str, administrator: Member, team_room: Category) -> None:
    assert signed_in(administrator).get(f"{address}feed.rss").status_code == 404


def test_feed_that_has_not_changed_is_not_sent_again(ada: Member, category: Category) -> None:
    posting.start(category, author=ada, title="Boot order", source="wrong")
    first = Client().get("/forum/feed.atom")
    known = {"if-none-match": first.headers["ETag"]}, {"if-modified-since": first.headers["Last-Modified"]}
    for headers in known:
        again = Client().get("/forum/feed.atom", headers=headers)
        assert (again.status_code, again.content) == (304, b"")
    posting.start(category, author=ada, title="Another", source="x")
    assert Client().get("/forum/feed.atom", headers=known[0]).status_code == 200


def test_last_modified_is_when_something_in_the_list_changed(ada: Member, category: Category) -> None:
    thread = posting.start(category, author=ada, title="Boot order", source="wrong", now=WHEN)
    Thread.objects.filter(pk=thread.pk).update(last_at=WHEN.replace(day=2))
    answer = Client().get("/forum/feed.rss")
    assert answer.headers["Last-Modified"] == format_datetime(WHEN.replace(day=2), usegmt=True)
    assert read(answer.content).feed.updated_parsed[:3] == (2026, 3, 2)


def test_feed_takes_as_many_queries_for_many_as_for_one(ada: Member, category: Category) -> None:
    counts = []
    for amount in (1, 29):
        for number in range(amount):
            posting.start(category, author=ada, title=f"Thread {number} here", source="x", tag_names=["uefi"])
        counted = []
        for address in (*FORUM_LISTS, "/m/ada/"):
            Client().get(f"{address}feed.rss")
            with CaptureQueriesContext(connection) as captured:
                Client().get(f"{address}feed.rss")
            counted.append(len(captured))
        counts.append(counted)
    assert counts[0] == counts[1]
    assert len(read(Client().get("/forum/feed.rss").content).entries) == feeds.SIZE
