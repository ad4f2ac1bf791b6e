"""The blogs' pages: who may see and do what, how many queries they take, what forms refuse, what feeds say."""

from datetime import timedelta
from typing import Any

import feedparser
import pytest
from django.test import Client
from django.utils import timezone

from hostile_texts import ATTACKS, assert_harmless, assert_no_script
from jeos.server.accounts.models import Member
from jeos.server.blog import posting
from jeos.server.blog.models import Blog, Post, State, post_url
from jeos.server.blog.posting import Writing
from jeos.server.content import comments, following, kinds, paging
from jeos.server.content.models import AuditEntry, Bookmark, Draft
from server_site import count_queries, make_member, signed_in, statuses

pytestmark = pytest.mark.django_db
OPEN = [200, 200, 200, 200, 200]
MEMBERS = [401, 200, 200, 200, 200]
NOBODY = [404] * 5
AUTHOR = [404, 404, 200, 404, 404]
ONLY_POST = [405] * 5


def written(author: Member, title: str = "Small images", *, state: str = "published", **more: object) -> Post:
    """Return a post of a member: published, hidden, scheduled or a draft."""
    values = {"source": "Leave out the **rest**.", "tags": ("image-size",), "series": "Diet", **more}
    post = posting.begin(author, Writing(title=title, **values))  # type: ignore[arg-type]
    if state in ("published", "hidden"):
        posting.publish(post)
    if state == "hidden":
        posting.set_hidden(post.pk, True)
    if state == "scheduled":
        posting.schedule(post, timezone.now() + timedelta(days=1))
    post.refresh_from_db()
    return post


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("/blog/", OPEN),
        ("/blog/all/", OPEN),
        ("/blog/followed/", MEMBERS),
        ("/blog/own/", MEMBERS),
        ("/blog/about/", MEMBERS),
        ("/blog/write/", MEMBERS),
        ("/blog/@ada/", OPEN),
        ("/blog/@bob/", OPEN),  # who has never written anything has a blog too
        ("/blog/@nobody/", NOBODY),
        ("/blog/@ada/series/diet/", OPEN),
        ("/blog/@bob/series/diet/", NOBODY),
        ("/blog/@ada/999999/x/", NOBODY),
        ("/blog/@ada/99999999999999999999/x/", NOBODY),
        ("/blog/p/999999/", NOBODY),
        ("/blog/p/999999/edit/", [401, 404, 404, 404, 404]),
        ("/blog/feed.rss", OPEN),
        ("/blog/feed.atom", OPEN),
        ("/blog/feed.json", NOBODY),
        ("/blog/@ada/feed.rss", OPEN),
        ("/blog/@nobody/feed.rss", NOBODY),
        ("/blog/@ada/series/diet/feed.atom", OPEN),
        ("/tags/image-size/?kind=blogpost", OPEN),
        ("/search/?q=leave+kind:blogpost", OPEN),
        ("/m/ada/", OPEN),
    ],
)
def test_page_of_blogs_is_for_whom_it_should_be(
    people: dict[str, Client], ada: Member, address: str, wanted: list[int]
) -> None:
    written(ada)
    assert statuses(people, address) == wanted


HIDDEN = [404, 404, 200, 200, 200]


@pytest.mark.parametrize(
    ("path", "published", "hidden", "draft"),
    [
        ("/blog/@ada/{n}/small-images/", OPEN, HIDDEN, AUTHOR),
        ("/blog/@ada/{n}/other/", [301] * 5, [404, 404, 301, 301, 301], [404, 404, 301, 404, 404]),
        ("/blog/@bob/{n}/small-images/", [301] * 5, [404, 404, 301, 301, 301], [404, 404, 301, 404, 404]),
        ("/blog/p/{n}/", [302] * 5, [404, 404, 302, 302, 302], [404, 404, 302, 404, 404]),
        ("/blog/p/{n}/history/", OPEN, HIDDEN, AUTHOR),
        ("/blog/p/{n}/feed.rss", OPEN, NOBODY, NOBODY),
        ("/blog/p/{n}/edit/", [401, 403, 200, 200, 200], [401, 404, 403, 200, 200], [401, 404, 200, 404, 404]),
        ("/blog/p/{n}/react/", ONLY_POST, ONLY_POST, ONLY_POST),
        ("/blog/p/{n}/hide/", ONLY_POST, ONLY_POST, ONLY_POST),
        ("/blog/p/{n}/delete/", ONLY_POST, ONLY_POST, ONLY_POST),
        ("/blog/p/{n}/withdraw/", ONLY_POST, ONLY_POST, ONLY_POST),
        ("/flag/4/{n}/", MEMBERS, [401, 404, 404, 404, 404], [401, 404, 404, 404, 404]),
        ("/comment/4/{n}/", MEMBERS, [401, 404, 404, 404, 404], [401, 404, 404, 404, 404]),
    ],
)
def test_page_of_a_post_is_for_whom_it_should_be(
    people: dict[str, Client],
    ada: Member,
    path: str,
    published: list[int],
    hidden: list[int],
    draft: list[int],
) -> None:
    for state, wanted in (("published", published), ("hidden", hidden), ("scheduled", draft), ("draft", draft)):
        post = written(ada, state=state)
        assert statuses(people, path.format(n=post.pk)) == wanted, state


SAVE = {"title": "Small images", "source": "new", "tags": "", "series": ""}


@pytest.mark.parametrize(
    ("path", "data", "state", "wanted"),
    [
        ("/blog/write/", {**SAVE, "action": "publish"}, "", [401, 302, 302, 302, 302]),
        ("/blog/about/", {"title": "Notes", "about": "x"}, "", [401, 302, 302, 302, 302]),
        ("/blog/p/{n}/edit/", SAVE, "published", [401, 403, 302, 302, 302]),
        ("/blog/p/{n}/edit/", {**SAVE, "action": "publish"}, "draft", [401, 404, 302, 302, 302]),
        ("/blog/p/{n}/edit/", {**SAVE, "action": "draft"}, "draft", [401, 404, 302, 404, 404]),
        ("/blog/p/{n}/react/", {"sign": "1"}, "published", [401, 302, 403, 302, 302]),
        ("/blog/p/{n}/react/", {"sign": "99"}, "published", [401, 400, 400, 400, 400]),
        ("/blog/p/{n}/react/", {"sign": "1"}, "hidden", [401, 404, 403, 403, 403]),
        ("/blog/p/{n}/react/", {"sign": "1"}, "draft", [401, 404, 403, 404, 404]),
        ("/blog/p/{n}/hide/", {}, "published", [401, 403, 403, 302, 302]),
        ("/blog/p/{n}/hide/", {}, "draft", [401, 403, 403, 404, 404]),
        ("/blog/p/{n}/withdraw/", {}, "published", [401, 403, 302, 404, 404]),
        ("/blog/p/{n}/withdraw/", {}, "hidden", [401, 404, 403, 403, 403]),
        ("/blog/p/{n}/withdraw/", {}, "scheduled", [401, 404, 302, 404, 404]),
        ("/blog/p/{n}/delete/", {}, "published", [401, 403, 403, 403, 403]),
        ("/blog/p/{n}/delete/", {}, "draft", [401, 404, 302, 404, 404]),
        ("/follow/blog/{a}/", {"level": "1"}, "published", [401, 302, 302, 302, 302]),
        ("/bookmark/4/{n}/", {}, "published", [401, 302, 302, 302, 302]),
        ("/bookmark/4/{n}/", {}, "draft", [401, 404, 404, 404, 404]),
        ("/comment/4/{n}/", {"source": "good"}, "published", [401, 302, 302, 302, 302]),
        ("/comment/4/{n}/", {"source": "good"}, "draft", [401, 404, 404, 404, 404]),
    ],
)
def test_move_on_a_post_is_for_whom_it_should_be(
    people: dict[str, Client], ada: Member, path: str, data: dict[str, object], state: str, wanted: list[int]
) -> None:
    post = written(ada, state=state or "draft")
    assert statuses(people, path.format(n=post.pk, a=ada.pk), data) == wanted


@pytest.mark.parametrize("state", ["hidden", "scheduled", "draft"])
def test_post_that_is_not_for_everybody_is_in_no_list(
    people: dict[str, Client], ada: Member, bob: Member, state: str
) -> None:
    other = written(ada, "Another one")
    post = written(ada, "Secret words", state=state, source="unheard of")
    following.set_level(bob, following.BLOG, ada.pk, 1)
    Bookmark.objects.create(member=bob, kind=kinds.BLOG_POST, number=post.pk)
    lists = ("/blog/", "/blog/followed/", "/blog/all/", "/blog/own/", "/blog/@ada/", "/blog/@ada/series/diet/")
    more = ("/tags/image-size/", "/search/?q=unheard", "/m/ada/", "/bookmarks/", post_url("ada", other.pk, other.slug))
    feeds = ("/blog/feed.rss", "/blog/@ada/feed.atom", "/blog/@ada/series/diet/feed.rss", "/tags/image-size/feed.rss")
    for address in (*lists, *more, *feeds):
        page = people["member"].get(address).content.decode()
        assert "Secret" not in page, address
        assert "unheard of" not in page, address
    assert "Secret words" in people["author"].get("/blog/own/").content.decode()


def test_silenced_member_can_read_and_write_nothing_in_blogs(people: dict[str, Client], ada: Member) -> None:
    post = written(ada)
    Member.objects.filter(pk=ada.pk).update(silenced_until=timezone.now() + timedelta(days=1))
    client = people["author"]
    assert client.get(post_url("ada", post.pk, post.slug)).status_code == 200
    assert client.get("/blog/own/").status_code == 200
    for address in ("/blog/write/", "/blog/about/", f"/blog/p/{post.pk}/edit/", f"/comment/4/{post.pk}/"):
        assert client.get(address).status_code == 403, address


def test_post_is_written_kept_scheduled_and_published_by_plain_forms(people: dict[str, Client], bob: Member) -> None:
    client = people["member"]
    client.post("/draft/", {"place": "blog.new", "source": "half", "title": "A tit"})
    page = client.get("/blog/write/?series=Diet").content.decode()
    assert ("half" in page, "A tit" in page, 'value="Diet"' in page) == (True, True, True)
    answer = client.post("/blog/write/", {"source": "half a *text*", "action": "draft"})
    post = Post.objects.get()
    assert (answer.headers["Location"], post.state, post.title) == (f"/blog/p/{post.pk}/edit/", State.DRAFT, "")
    assert Draft.objects.count() == 0
    data = {"title": "  A   title ", "source": "a *text*", "tags": "Roll Out, uefi", "series": "Diet"}
    Member.objects.filter(pk=bob.pk).update(time_zone="Asia/Tokyo")
    tomorrow = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    local = tomorrow + timedelta(hours=9)  # what a clock in Tokyo shows
    client.post(f"/blog/p/{post.pk}/edit/", {**data, "due": f"{local:%Y-%m-%dT%H:%M}", "action": "schedule"})
    post.refresh_from_db()
    assert (post.state, post.due, post.title, post.tags) == (State.SCHEDULED, tomorrow, "A title", "roll out uefi")
    assert f'value="{local:%Y-%m-%dT%H:%M}"' in client.get(f"/blog/p/{post.pk}/edit/").content.decode()
    answer = client.post(f"/blog/p/{post.pk}/edit/", {**data, "action": "publish"})
    assert answer.headers["Location"] == f"/blog/@bob/{post.pk}/a-title/"
    page = people["visitor"].get(answer.headers["Location"]).content.decode()
    assert "<p>a <em>text</em></p>" in page
    client.post(f"/blog/p/{post.pk}/withdraw/")
    assert people["visitor"].get(answer.headers["Location"]).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"title": "   "},
        {"source": ""},
        {"source": " \n "},
        {"title": "x" * 151},
        {"source": "x" * 40_001},
        {"title": "nul\x00"},
        {"source": "nul\x00"},
        {"action": "schedule"},
        {"action": "schedule", "due": "soon"},
        {"action": "schedule", "due": "2001-01-01T10:00"},
        {"action": "schedule", "due": "2999-01-01T10:00"},
        {"action": "draft", "title": "", "source": ""},
        {"series": "x" * 101},
    ],
)
def test_post_that_makes_no_sense_is_not_kept(people: dict[str, Client], change: dict[str, str]) -> None:
    data = {"title": "A title", "source": "text", "action": "publish", **change}
    answer = people["member"].post("/blog/write/", data)
    assert (answer.status_code, Post.objects.count()) == (200, 0)
    assert 'role="alert"' in answer.content.decode()


def test_preview_of_a_post_writes_nothing(people: dict[str, Client], ada: Member) -> None:
    post = written(ada)
    for address in ("/blog/write/", f"/blog/p/{post.pk}/edit/"):
        data = {"title": "Other", "source": "*soft*", "preview": "1"}
        assert "<em>soft</em>" in people["author"].post(address, data).content.decode()
    assert list(Post.objects.values_list("title", flat=True)) == ["Small images"]


def test_text_that_was_typed_and_not_sent_is_there_again(people: dict[str, Client], ada: Member) -> None:
    post = written(ada)
    people["author"].post("/draft/", {"place": f"blog.edit.{post.pk}", "source": "typed", "title": "Typed"})
    assert "typed" in people["author"].get(f"/blog/p/{post.pk}/edit/").content.decode()
    people["author"].post(f"/blog/p/{post.pk}/edit/", {"title": "Sent", "source": "sent"})
    assert Draft.objects.count() == 0


def test_moderators_hiding_is_in_the_log_and_undone_by_showing(people: dict[str, Client], ada: Member) -> None:
    post = written(ada)
    for hidden, action in ((True, "blog.hide"), (False, "blog.show")):
        people["moderator"].post(f"/blog/p/{post.pk}/hide/")
        post.refresh_from_db()
        assert (post.hidden, AuditEntry.objects.latest("pk").action) == (hidden, action)


def test_posts_of_a_member_who_left_stay_readable(people: dict[str, Client], ada: Member) -> None:
    from jeos.server.accounts import leaving

    post = written(ada)
    leaving.leave(ada)
    old = people["visitor"].get(post_url("ada", post.pk, post.slug), follow=True)
    page = old.content.decode()
    assert (old.redirect_chain, "a former member" in page, "@ada" in page) == (
        [(post_url(f"left-{ada.pk}", post.pk, post.slug), 301)],
        True,
        False,
    )


def test_lists_go_on_by_key(people: dict[str, Client], ada: Member) -> None:
    for number in range(45):
        written(ada, f"Post {number:02}", series="")
    for address in ("/blog/", "/blog/@ada/"):
        seen: list[str] = []
        page = people["visitor"].get(address).content.decode()
        for _ in range(3):
            seen += [f"Post {number:02}" for number in range(45) if f">Post {number:02}<" in page]
            more = page.partition('rel="next" href="')[2].partition('"')[0]
            page = people["visitor"].get(f"{address}{more}").content.decode() if more else ""
        assert sorted(seen) == [f"Post {number:02}" for number in range(45)]


def test_htmx_gets_the_part_that_changed(people: dict[str, Client], ada: Member) -> None:
    post, headers = written(ada), {"hx-request": "true"}
    parts = [
        people["member"].post(f"/blog/p/{post.pk}/react/", {"sign": "1"}, headers=headers),
        people["member"].post(f"/follow/blog/{ada.pk}/", {"level": "1"}, headers=headers),
        people["member"].post(f"/bookmark/4/{post.pk}/", headers=headers),
    ]
    assert [(part.status_code, "<html" in part.content.decode()) for part in parts] == [(200, False)] * 3
    assert [part.content.decode().count('aria-pressed="true"') for part in parts] == [1, 1, 1]


def test_forms_of_blogs_need_their_token(ada: Member) -> None:
    client, post = Client(enforce_csrf_checks=True), written(ada)
    client.force_login(ada, backend="jeos.server.accounts.backends.Passphrases")
    moves = [f"/blog/p/{post.pk}/{move}/" for move in ("edit", "react", "hide", "withdraw", "delete")]
    for address in ("/blog/write/", "/blog/about/", *moves):
        assert client.post(address, {"source": "x"}).status_code == 403, address


# Hostile texts


def test_hostile_texts_are_harmless_wherever_a_blog_shows_them(ada: Member) -> None:
    posts = []
    for attack in ATTACKS:
        title = " ".join(attack.replace("\x00", "").split())[:100]
        post = written(ada, title, source=attack.replace("\x00", ""), series=title)
        posting.describe(ada, title=title[:80], about=title)
        comments.write(kinds.BLOG_POST, post.pk, author=ada, source=attack.replace("\x00", ""))
        posts.append(post)
    client = signed_in(ada)
    lists = ("/blog/", "/blog/all/", "/blog/@ada/", "/blog/own/", "/tags/image-size/", "/m/ada/")
    pages = [post_url("ada", post.pk, post.slug) for post in posts] + [f"/blog/p/{posts[0].pk}/edit/"]
    for address in (
        *lists,
        *(f"{address}?after={last_key(posts[20])}" for address in ("/blog/", "/blog/@ada/")),
        *pages,
    ):
        assert_no_script(client.get(address).content.decode())
    for address in ("/blog/feed.rss", "/blog/@ada/feed.atom", *(f"/blog/p/{post.pk}/feed.rss" for post in posts)):
        found: Any = feedparser.parse(  # type: ignore[no-untyped-call]
            client.get(address).content, sanitize_html=False
        )
        assert not found.bozo
        assert found.entries
        for entry in found.entries:
            assert_harmless(entry.content[0].value if "atom" in address else entry.summary)


def last_key(post: Post) -> str:
    """Return the cursor of the page that comes after a post."""
    return paging.encode([post.published, post.pk])


# Feeds


def test_feeds_of_blogs_are_found_by_their_pages_and_say_the_whole_text(people: dict[str, Client], ada: Member) -> None:
    post = written(ada)
    comments.write(kinds.BLOG_POST, post.pk, author=ada, source="A *remark*.")
    text = "<p>Leave out the <strong>rest</strong>.</p>"
    for address, wanted in {
        "/blog/": ("Small images", text),
        "/blog/@ada/": ("Small images", text),
        "/blog/@ada/series/diet/": ("Small images", text),
        "/tags/image-size/": ("Small images", text),
        f"/blog/p/{post.pk}/": ("ada: Small images", "<p>A <em>remark</em>.</p>"),
    }.items():
        page = people["visitor"].get(address, follow=True).content.decode()
        for form in ("rss", "atom"):
            assert f'href="{address}feed.{form}"' in page
            found: Any = feedparser.parse(  # type: ignore[no-untyped-call]
                people["visitor"].get(f"{address}feed.{form}").content
            )
            assert not found.bozo
            (entry,) = found.entries
            assert (entry.title, entry.content[0].value if form == "atom" else entry.summary) == wanted


# Queries

PAGES = [
    "/blog/",
    "/blog/all/",
    "/blog/followed/",
    "/blog/own/",
    "/blog/@ada/",
    "/blog/@ada/series/diet/",
    "POST",
    "/blog/feed.rss",
    "/blog/@ada/feed.atom",
    "/tags/image-size/",
    "/tags/image-size/feed.rss",
    "/m/ada/",
]
MEMBERS_ONLY = ("/blog/followed/", "/blog/own/")
MOST_QUERIES = 18  # of any of these pages, session and member included


def test_number_of_queries_of_blogs_does_not_grow_with_the_rows(
    people: dict[str, Client], ada: Member, bob: Member, moderator: Member
) -> None:
    counts: list[dict[tuple[str, str], int]] = []
    for amount in (1, 29):
        for number in range(amount):
            post = written(ada, f"Post {amount}-{number}")
            written(ada, f"Draft {amount}-{number}", state="draft")
            written(ada, f"Later {amount}-{number}", state="scheduled")
            writer = make_member(f"writer{amount}-{number}")
            written(writer, f"Other {number}", series=f"s{number}")
            for reader in (bob, moderator, ada):
                following.set_level(reader, following.BLOG, ada.pk, 1)
                following.set_level(reader, following.BLOG, writer.pk, 1)
        for number in range(amount):
            comments.write(
                kinds.BLOG_POST, post.pk, author=Member.objects.get(handle=f"writer{amount}-{number}"), source="x"
            )
        Post.objects.filter(pk=post.pk).update(reactions={"1": 3})
        counts.append(
            {
                (who, page): count_queries(people[who], post_url("ada", post.pk, post.slug) if page == "POST" else page)
                for who in ("visitor", "member", "author", "moderator")
                for page in PAGES
                if who != "visitor" or page not in MEMBERS_ONLY
            }
        )
    assert counts[0] == counts[1]
    assert max(counts[1].values()) <= MOST_QUERIES
    assert Blog.objects.count() == 31
