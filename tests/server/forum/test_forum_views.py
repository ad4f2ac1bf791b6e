"""The forum's pages: who may see and do what, how many queries they take, what forms refuse."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import following, kinds
from jeos.server.content.models import Bookmark, Draft, Notification, Reaction
from jeos.server.forum import moderating, polls, posting, templating
from jeos.server.forum.models import Category, Post, Thread, thread_url
from server_site import ROLES, count_queries, make_member, statuses

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread(ada: Member, category: Category) -> Thread:
    made = posting.start(category, author=ada, title="Boot order", source="wrong", tag_names=["uefi"])
    posting.reply(made, category, author=make_member("cleo"), source="try the other")
    made.refresh_from_db()
    return made


READ_OR_NOT = (200, 302, 403)  # some pages are not for all
OPEN = [200, 200, 200, 200, 200]
MEMBERS = [401, 200, 200, 200, 200]
MODERATORS = [401, 403, 403, 200, 200]


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("/", OPEN),
        ("/forum/", OPEN),
        ("/forum/unanswered/", OPEN),
        ("/forum/unread/", MEMBERS),
        ("/forum/followed/", MEMBERS),
        ("/forum/c/building/", OPEN),
        ("/forum/c/nowhere/", [404] * 5),
        ("/forum/new/", MEMBERS),
        ("/forum/t/999999/", [404] * 5),
        ("/forum/t/99999999999999999999/", [404] * 5),
        ("/forum/p/999999/", [404] * 5),
        ("/tags/", OPEN),
        ("/tags/uefi/", OPEN),
        ("/tags/nothing/", [404] * 5),
        ("/tags/uefi/edit/", MODERATORS),
        ("/tag-suggestions/?tags=ue", OPEN),
        ("/search/?q=boot", OPEN),
        ("/notifications/", MEMBERS),
        ("/bookmarks/", MEMBERS),
        ("/moderation/", MODERATORS),
        ("/moderation/log/", MODERATORS),
        ("/language/", OPEN),
        ("/m/ada/", OPEN),
        ("/m/nobody/", [404] * 5),
        ("/settings/", MEMBERS),
        ("/settings/tokens/", MEMBERS),
        ("/settings/data/", MEMBERS),
    ],
)
def test_page_is_for_whom_it_should_be(
    people: dict[str, Client], thread: Thread, address: str, wanted: list[int]
) -> None:
    assert statuses(people, address) == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/forum/t/{t}/{slug}/", OPEN),
        ("/forum/t/{t}/{slug}/1/", OPEN),
        ("/forum/t/{t}/{slug}/2/", [404] * 5),
        ("/forum/t/{t}/{slug}/0/", [404] * 5),
        ("/forum/t/{t}/", [301] * 5),
        ("/forum/t/{t}/other-words/", [301] * 5),
        ("/forum/t/{t}/unread/", [401, 302, 302, 302, 302]),
        ("/forum/t/{t}/reply/", MEMBERS),
        ("/forum/t/{t}/manage/", MODERATORS),
        ("/forum/t/{t}/mark/", [405] * 5),
        ("/forum/t/{t}/vote/", [405] * 5),
        ("/forum/p/{p}/", [302] * 5),
        ("/forum/p/{p}/edit/", [401, 403, 200, 200, 200]),
        ("/forum/p/{p}/history/", OPEN),
        ("/forum/p/{p}/react/", [405] * 5),
        ("/forum/p/{p}/solve/", [405] * 5),
        ("/flag/1/{t}/", MEMBERS),
        ("/flag/2/{p}/", MEMBERS),
        ("/flag/77/1/", [401, 404, 404, 404, 404]),
        ("/bookmark/2/{p}/", [405] * 5),
        ("/follow/thread/{t}/", [405] * 5),
    ],
)
def test_page_of_a_thread_is_for_whom_it_should_be(
    people: dict[str, Client], thread: Thread, path: str, wanted: list[int]
) -> None:
    post = Post.objects.get(thread=thread, number=1)
    assert statuses(people, path.format(t=thread.pk, slug=thread.slug, p=post.pk)) == wanted


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("/forum/t/{t}/reply/", {"source": "yes"}, [401, 302, 302, 302, 302]),
        ("/forum/t/{t}/mark/", {"number": "1"}, [401, 302, 302, 302, 302]),
        ("/forum/t/{t}/mark/", {"number": "x"}, [401, 400, 400, 400, 400]),
        ("/forum/t/{t}/manage/", {"action": "close"}, [401, 403, 403, 302, 302]),
        ("/forum/p/{p}/edit/", {"source": "new", "title": "Boot order"}, [401, 403, 302, 302, 302]),
        ("/forum/p/{p}/react/", {"sign": "1"}, [401, 302, 403, 302, 302]),
        ("/forum/p/{p}/react/", {"sign": "99"}, [401, 400, 400, 400, 400]),
        ("/forum/p/{answer}/solve/", {}, [401, 403, 302, 302, 302]),
        ("/forum/p/{p}/solve/", {}, [401, 403, 400, 400, 400]),
        ("/forum/read/", {}, [401, 302, 302, 302, 302]),
        ("/bookmark/2/{p}/", {}, [401, 302, 302, 302, 302]),
        ("/follow/thread/{t}/", {"level": "1"}, [401, 302, 302, 302, 302]),
        ("/follow/thread/{t}/", {"level": "x"}, [401, 400, 400, 400, 400]),
        ("/follow/nothing/1/", {"level": "1"}, [401, 404, 404, 404, 404]),
        ("/flag/2/{p}/", {"reason": "1"}, [401, 200, 200, 200, 200]),
        ("/preview/", {"source": "*x*"}, [401, 200, 200, 200, 200]),
        ("/draft/", {"place": "forum.new", "source": "x"}, [401, 200, 200, 200, 200]),
        ("/draft/", {"source": "x"}, [401, 400, 400, 400, 400]),
        ("/notifications/seen/", {}, [401, 302, 302, 302, 302]),
        ("/moderation/1/decide/", {"outcome": "1"}, [401, 403, 403, 404, 404]),
        ("/moderation/1/undo/", {}, [401, 403, 403, 404, 404]),
        ("/settings/data/download/", {}, [401, 200, 200, 200, 200]),
        ("/settings/tokens/1/remove/", {}, [401, 404, 404, 404, 404]),
    ],
)
def test_move_is_for_whom_it_should_be(
    people: dict[str, Client], thread: Thread, path: str, data: dict[str, object], wanted: list[int]
) -> None:
    post = Post.objects.get(thread=thread, number=1)
    answer = Post.objects.get(thread=thread, number=2)
    assert statuses(people, path.format(t=thread.pk, p=post.pk, answer=answer.pk), data) == wanted


@pytest.mark.parametrize("what", ["team", "hidden"])
def test_thread_that_is_not_for_everybody_is_not_there_for_others(
    people: dict[str, Client], thread: Thread, moderator: Member, team_room: Category, what: str
) -> None:
    post = Post.objects.get(thread=thread, number=1)
    Bookmark.objects.create(member=Member.objects.get(handle="bob"), kind=kinds.POST, number=post.pk)
    if what == "team":
        moderating.move(thread, team_room, actor=moderator)
        wanted = [404, 404, 404, 200, 200]
    else:
        moderating.hide_thread(thread, True, actor=moderator)
        wanted = [404, 404, 200, 200, 200]  # its author sees what became of it
    assert statuses(people, thread_url(thread.pk, thread.slug)) == wanted
    seen = [status if status == 404 else 200 for status in statuses(people, f"/forum/p/{post.pk}/")]
    assert seen == wanted
    for address in ("/", "/tags/uefi/", "/search/?q=boot", "/m/ada/", "/bookmarks/"):
        assert "Boot order" not in people["member"].get(address).content.decode(), address
    for address in (f"/forum/t/{thread.pk}/reply/", f"/forum/p/{post.pk}/history/", f"/flag/2/{post.pk}/"):
        assert people["member"].get(address).status_code == 404, address
    for address in (f"/bookmark/2/{post.pk}/", f"/follow/thread/{thread.pk}/", f"/forum/p/{post.pk}/react/"):
        assert people["member"].post(address, {"level": "1", "sign": "1"}).status_code == 404, address


def test_hidden_post_shows_nothing_of_itself_to_others(people: dict[str, Client], thread: Thread) -> None:
    post = Post.objects.get(thread=thread, number=2)
    moderating.set_post_hidden(post.pk, True)
    address = thread_url(thread.pk, thread.slug)
    shown = ["try the other" in people[role].get(address).content.decode() for role in ROLES]
    assert shown == [False, False, False, True, True]
    assert statuses(people, f"/forum/p/{post.pk}/history/") == [404, 404, 404, 200, 200]
    assert "try the other" not in people["member"].get(f"/forum/t/{thread.pk}/reply/?quote=2").content.decode()


def test_closed_thread_takes_replies_of_moderators_only(
    people: dict[str, Client], thread: Thread, moderator: Member
) -> None:
    moderating.switch(thread, "closed", True, actor=moderator)
    data = {"source": "still"}
    assert statuses(people, f"/forum/t/{thread.pk}/reply/", data) == [401, 403, 403, 302, 302]
    assert statuses(people, f"/forum/p/{Post.objects.first().pk}/edit/") == [401, 403, 403, 200, 200]  # type: ignore[union-attr]


def test_silenced_member_can_read_and_write_nothing(people: dict[str, Client], thread: Thread, bob: Member) -> None:
    Member.objects.filter(pk=bob.pk).update(silenced_until=timezone.now() + timedelta(days=1))
    client, post = people["member"], Post.objects.get(thread=thread, number=1)
    assert client.get(thread_url(thread.pk, thread.slug)).status_code == 200
    assert client.get("/forum/new/").status_code == 403
    for address, data in (
        (f"/forum/t/{thread.pk}/reply/", {"source": "x"}),
        (f"/forum/p/{post.pk}/react/", {"sign": "1"}),
        ("/preview/", {"source": "x"}),
    ):
        assert client.post(address, data).status_code == 403, address


def test_slow_mode_asks_members_to_wait(people: dict[str, Client], thread: Thread, moderator: Member) -> None:
    moderating.slow(thread, 600, actor=moderator)
    client, address = people["member"], f"/forum/t/{thread.pk}/reply/"
    assert client.post(address, {"source": "one"}).status_code == 302
    answer = client.post(address, {"source": "two"})
    assert answer.status_code == 200
    assert "slow mode" in answer.content.decode()
    assert Post.objects.filter(source="two").count() == 0


def test_thread_is_written_by_form_with_tags_poll_and_draft(
    people: dict[str, Client], category: Category, bob: Member
) -> None:
    client = people["member"]
    client.post("/draft/", {"place": "forum.new", "source": "half", "title": "A tit"})
    assert "half" in client.get("/forum/new/").content.decode()
    data = {
        "category": "building",
        "title": "  Which   window ",
        "source": "Tell *me*.",
        "tags": "Roll Out, uefi",
        "poll_question": "When?",
        "poll_options": "night\r\nday\r\n",
        "poll_choices": "1",
    }
    answer = client.post("/forum/new/", data)
    thread = Thread.objects.get(author=bob)
    assert (answer.status_code, answer.headers["Location"]) == (302, thread.get_absolute_url())
    assert (thread.title, thread.tags) == ("Which window", "roll out uefi")
    page = client.get(thread.get_absolute_url()).content.decode()
    assert "<p>Tell <em>me</em>.</p>" in page
    assert "When?" in page
    assert Draft.objects.count() == 0
    option = thread.poll.options.get(text="day")
    client.post(f"/forum/t/{thread.pk}/vote/", {"option": [option.pk]})
    option.refresh_from_db()
    assert option.votes == 1
    assert client.post(f"/forum/t/{thread.pk}/vote/", {"option": ["1", "99"]}).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Word"},
        {"title": ""},
        {"title": "x y " * 60},
        {"source": "   "},
        {"source": "x" * 40_001},
        {"category": "nowhere"},
        {"category": "team"},
        {"poll_question": "When?"},
        {"poll_options": "a\nb"},
        {"poll_question": "When?", "poll_options": "a\na"},
        {"title": "nul\x00 byte here"},
        {"source": "nul\x00 byte"},
    ],
)
def test_thread_that_makes_no_sense_is_not_started(
    people: dict[str, Client], category: Category, team_room: Category, change: dict[str, str]
) -> None:
    data = {"category": "building", "title": "Some words", "source": "text", **change}
    answer = people["member"].post("/forum/new/", data)
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    assert Thread.objects.count() == 0


def test_preview_writes_nothing(people: dict[str, Client], thread: Thread, category: Category) -> None:
    before = (Post.objects.count(), Thread.objects.count())
    for address in ("/forum/new/", f"/forum/t/{thread.pk}/reply/", f"/forum/p/{Post.objects.first().pk}/edit/"):  # type: ignore[union-attr]
        data = {"category": "building", "title": "Some words", "source": "*soft*", "preview": "1"}
        assert "<em>soft</em>" in people["author"].post(address, data).content.decode()
    assert (Post.objects.count(), Thread.objects.count()) == before


def test_reaction_counts_once_for_each_member_and_is_taken_back(
    people: dict[str, Client], thread: Thread, ada: Member
) -> None:
    post = Post.objects.get(thread=thread, number=1)
    for role, counts in (("member", {"1": 1}), ("moderator", {"1": 2}), ("member", {"1": 1})):
        people[role].post(f"/forum/p/{post.pk}/react/", {"sign": "1"})
        post.refresh_from_db()
        assert post.reactions == counts
    ada.refresh_from_db()
    assert (ada.thanks, Reaction.objects.count(), ada.unread) == (1, 1, 1)


def test_small_move_by_htmx_returns_the_part_that_changed(people: dict[str, Client], thread: Thread) -> None:
    post, headers = Post.objects.get(thread=thread, number=1), {"hx-request": "true"}
    parts = [
        people["member"].post(f"/forum/p/{post.pk}/react/", {"sign": "1"}, headers=headers),
        people["member"].post(f"/bookmark/2/{post.pk}/", headers=headers),
        people["member"].post(f"/follow/thread/{thread.pk}/", {"level": "1"}, headers=headers),
    ]
    assert [(part.status_code, "<html" in part.content.decode()) for part in parts] == [(200, False)] * 3
    assert [part.content.decode().count('aria-pressed="true"') for part in parts] == [1, 1, 1]


def test_reading_a_thread_sees_what_was_told_about_it_only_by_the_mark(
    people: dict[str, Client], thread: Thread, ada: Member
) -> None:
    Notification.objects.create(member=ada, reason=1, kind=kinds.THREAD, number=thread.pk, url="/", title="x")
    Member.objects.filter(pk=ada.pk).update(unread=1)
    people["author"].get(thread_url(thread.pk, thread.slug))
    assert Notification.objects.filter(seen=False).count() == 1  # reading writes nothing
    people["author"].post(f"/forum/t/{thread.pk}/mark/", {"number": "2"})
    ada.refresh_from_db()
    assert (Notification.objects.filter(seen=False).count(), ada.unread) == (0, 0)


def test_merged_thread_leads_to_where_it_is_now(
    people: dict[str, Client], thread: Thread, ada: Member, moderator: Member, category: Category
) -> None:
    other = posting.start(category, author=ada, title="Order of boot", source="same")
    people["moderator"].post(f"/forum/t/{other.pk}/manage/", {"action": "merge", "target": thread.pk})
    answer = people["visitor"].get(thread_url(other.pk, other.slug))
    assert (answer.status_code, answer.headers["Location"]) == (301, thread_url(thread.pk, thread.slug))


@pytest.mark.parametrize(
    ("data", "check"),
    [
        ({"action": "pin"}, {"pinned": True}),
        ({"action": "slow", "seconds": "60"}, {"slow_seconds": 60}),
        ({"action": "hide"}, {"hidden": True}),
        ({"action": "split", "numbers": "2", "title": "Another matter"}, {"posts": 1}),
        ({"action": "split", "numbers": "1-2", "title": "Another matter"}, {"posts": 2}),
        ({"action": "split", "numbers": "two", "title": "Another matter"}, {"posts": 2}),
        ({"action": "merge", "target": "999"}, {"hidden": False}),
        ({"action": "nonsense"}, {"closed": False}),
    ],
)
def test_thread_is_managed_by_plain_forms(
    people: dict[str, Client], thread: Thread, data: dict[str, str], check: dict[str, object]
) -> None:
    answer = people["moderator"].post(f"/forum/t/{thread.pk}/manage/", data)
    assert answer.status_code in (200, 302)
    thread.refresh_from_db()
    assert {name: getattr(thread, name) for name in check} == check


def test_forms_need_their_token(ada: Member, thread: Thread) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada, backend="jeos.server.accounts.backends.Passphrases")
    for address in (
        "/forum/new/",
        f"/forum/t/{thread.pk}/reply/",
        f"/forum/t/{thread.pk}/mark/",
        "/draft/",
        "/preview/",
        "/settings/",
        "/settings/data/",
        "/settings/data/download/",
        "/language/",
        "/accounts/logout/",
        "/notifications/seen/",
        "/forum/read/",
        "/bookmark/2/1/",
        "/follow/thread/1/",
        "/flag/2/1/",
    ):
        assert client.post(address, {"source": "x"}).status_code == 403, address
    assert Post.objects.count() == 2


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_nobody_is_led_away_from_the_site(people: dict[str, Client], thread: Thread, target: str) -> None:
    post = Post.objects.get(thread=thread, number=1)
    for address, data in (
        (f"/follow/thread/{thread.pk}/", {"level": "1"}),
        (f"/bookmark/2/{post.pk}/", {}),
        ("/language/", {"language": "fr"}),
    ):
        answer = people["member"].post(address, {**data, "next": target})
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/")
        assert "evil" not in answer.headers["Location"]


def fill(category: Category, ada: Member, bob: Member, *, threads: int, replies: int) -> Thread:
    """Write so many threads, the last with so many replies."""
    for number in range(threads):
        thread = posting.start(category, author=ada, title=f"Thread number {number}", source="text", tag_names=["uefi"])
    for number in range(replies):
        post = posting.reply(thread, category, author=bob if number % 2 else ada, source=f"words {number}", reply_to=1)
        Post.objects.filter(pk=post.pk).update(reactions={"1": 2})
    polls.make(thread, question="When?", options=["a", "b", "c"], choices=1, closes=None)
    return thread


PAGES = [
    "/",
    "/forum/unread/",
    "/forum/followed/",
    "/forum/c/building/",
    "/tags/",
    "/tags/uefi/",
    "/search/?q=words",
    "/m/ada/",
    "/notifications/",
    "THREAD",
    "/bookmarks/",
    "/moderation/log/",
]
MOST_QUERIES = 14  # of any of these pages, session and member included


@pytest.mark.parametrize("who", ["member", "visitor", "moderator"])
def test_number_of_queries_does_not_grow_with_the_rows(
    people: dict[str, Client], ada: Member, bob: Member, moderator: Member, category: Category, who: str
) -> None:
    Member.objects.filter(pk__in=[bob.pk, moderator.pk]).update(joined=timezone.now() - timedelta(days=9))
    counts: list[dict[str, int]] = []
    for amount in (1, 29):
        thread = fill(category, ada, bob, threads=amount, replies=amount)
        for reader in (bob, moderator):
            for one in Thread.objects.all():
                following.set_level(reader, kinds.THREAD, one.pk, 1)
            for post in Post.objects.filter(thread=thread)[:amount]:
                Bookmark.objects.get_or_create(member=reader, kind=kinds.POST, number=post.pk)
                note = {"reason": 6, "kind": kinds.THREAD, "number": post.pk + 100, "url": "/", "title": "x"}
                Notification.objects.create(member=reader, actor=ada, **note)
                moderating.switch(thread, "pinned", False, actor=ada)
        counts.append(
            {
                page: count_queries(
                    people[who], thread.get_absolute_url() if page == "THREAD" else page, answers=READ_OR_NOT
                )
                for page in PAGES
            }
        )
    assert counts[0] == counts[1]
    assert max(counts[1].values()) <= MOST_QUERIES


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (60, "1 minute"), (90, "90 seconds"), (121, "3 minutes"), (7_200, "2 hours"), (7_261, "3 hours")],
)
def test_time_that_one_waits_is_said_in_words(seconds: int, words: str) -> None:
    assert templating.how_long(seconds) == words


def test_slow_mode_is_told_beside_the_form_before_anything_is_written(
    people: dict[str, Client], thread: Thread, ada: Member
) -> None:
    page = thread_url(thread.pk, thread.slug)
    assert "slow mode" not in people["author"].get(page).content.decode().lower()
    Thread.objects.filter(pk=thread.pk).update(slow_seconds=600)
    Post.objects.filter(thread=thread).update(made=timezone.now() - timedelta(seconds=60))
    said = "This thread is in slow mode: wait 10 minutes between two posts of yours."
    for address in (page, f"/forum/t/{thread.pk}/reply/"):
        assert said in people["member"].get(address).content.decode()  # who has not written here may
        assert "You can post again" not in people["member"].get(address).content.decode()
        assert "You can post again in 9 minutes." in people["author"].get(address).content.decode()
        assert said not in people["moderator"].get(address).content.decode()


def test_who_is_silenced_sees_nothing_to_press(people: dict[str, Client], thread: Thread, ada: Member) -> None:
    page = thread_url(thread.pk, thread.slug)
    before = people["author"].get(page).content.decode()
    assert "/edit/" in before
    assert "/react/" in before
    Member.objects.filter(pk=ada.pk).update(silenced_until=timezone.now() + timedelta(days=1))
    after = people["author"].get(page).content.decode()
    assert [word for word in ("/edit/", "/react/", "/reply/") if word in after] == []
    assert "/bookmark/" in after
