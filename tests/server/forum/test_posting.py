"""Starting threads, replying, editing: what is written, counted, found and told."""

import pytest
from django.db import connection

from jeos.server.accounts.models import Member, Trust
from jeos.server.content import following, kinds, search
from jeos.server.content.models import Case, Notification, Reason, Revision, Tag, Tagged
from jeos.server.forum import posting, reading, tasks
from jeos.server.forum.models import Category, Post, Thread, slug_of, thread_url
from server_site import make_member

pytestmark = pytest.mark.django_db
LINKS = "see https://a.example https://b.example https://c.example"


def found(text: str) -> list[tuple[int, int]]:
    return [(hit.kind, hit.number) for hit in search.index().find(search.parse(text), limit=9)]


def told(member: Member) -> list[tuple[int, str]]:
    rows = Notification.objects.filter(member=member).order_by("pk")
    return [(row.reason, row.title) for row in rows]


def test_thread_starts_with_its_first_post(ada: Member, category: Category) -> None:
    thread = posting.start(
        category, author=ada, title="Boot order", source="It is **wrong**.", tag_names=["uefi", "boot"]
    )
    post = Post.objects.get(thread=thread)
    assert (post.number, post.html) == (1, "<p>It is <strong>wrong</strong>.</p>\n")
    thread.refresh_from_db()
    assert (thread.posts, thread.last_number, thread.tags, thread.slug) == (1, 1, "uefi boot", "boot-order")
    ada.refresh_from_db()
    category.refresh_from_db()
    assert (ada.threads, ada.posts, category.threads, category.posts) == (1, 1, 1, 1)
    assert found("wrong") == [(kinds.THREAD, thread.pk)]
    assert sorted(Tag.objects.values_list("name", "uses")) == [("boot", 1), ("uefi", 1)]
    assert following.level(ada, kinds.THREAD, thread.pk) == 1
    assert reading.position(ada, thread) == 1


def test_reply_gets_the_next_number_and_moves_the_thread_up(ada: Member, bob: Member, category: Category) -> None:
    thread = posting.start(category, author=ada, title="Boot order", source="wrong")
    made = [posting.reply(thread, category, author=bob, source=f"answer {n}").number for n in range(3)]
    assert made == [2, 3, 4]
    thread.refresh_from_db()
    assert (thread.posts, thread.last_number, thread.last_by) == (4, 4, bob)
    assert thread.last_at == Post.objects.get(thread=thread, number=4).made
    category.refresh_from_db()
    bob.refresh_from_db()
    assert (category.posts, bob.posts, bob.days_active) == (4, 3, 1)
    assert found("answer") == [(kinds.POST, pk) for pk in Post.objects.order_by("-pk").values_list("pk", flat=True)[:3]]


def test_members_whom_a_post_concerns_are_told_once_for_the_best_reason(
    ada: Member, bob: Member, category: Category
) -> None:
    cleo, dan = make_member("cleo"), make_member("dan")
    thread = posting.start(category, author=ada, title="Boot order", source="wrong")
    following.set_level(cleo, kinds.THREAD, thread.pk, 1)
    following.set_level(dan, kinds.THREAD, thread.pk, -1)
    text = "> @ada [#1](/forum/p/1/):\n>\n> wrong\n\nI say @cleo and @dan and @bob"
    post = posting.reply(thread, category, author=bob, source=text, reply_to=1)
    tasks.announce.call(post.pk)
    tasks.announce.call(post.pk)  # a worker that died may have left it to another
    assert told(ada) == [(Reason.QUOTE, "Boot order")]
    assert told(cleo) == [(Reason.MENTION, "Boot order")]
    assert told(dan) == []  # muted
    assert told(bob) == []  # nobody is told of himself
    ada.refresh_from_db()
    assert ada.unread == 1


def test_second_event_about_a_thread_is_counted_and_not_told_again(
    ada: Member, bob: Member, category: Category
) -> None:
    thread = posting.start(category, author=ada, title="Boot order", source="wrong")
    for _ in range(3):
        tasks.announce.call(posting.reply(thread, category, author=bob, source="more").pk)
    row = Notification.objects.get(member=ada)
    assert (row.reason, row.count, row.seen) == (Reason.NEW, 3, False)


def test_new_thread_is_told_to_followers_of_its_tags_and_category(ada: Member, bob: Member, category: Category) -> None:
    cleo = make_member("cleo")
    tag = Tag.objects.create(name="uefi")
    following.set_level(bob, following.TAG, tag.pk, 1)
    following.set_level(cleo, following.CATEGORY, category.pk, 1)
    thread = posting.start(category, author=ada, title="Boot order", source="wrong", tag_names=["uefi"])
    tasks.announce.call(Post.objects.get(thread=thread).pk)
    assert told(bob) == told(cleo) == [(Reason.NEW, "Boot order")]


def test_new_members_post_with_many_links_waits_for_a_moderator(ada: Member, category: Category) -> None:
    stranger = make_member("stranger")
    Member.objects.filter(pk=stranger.pk).update(trust=Trust.NEW)
    stranger.refresh_from_db()
    thread = posting.start(category, author=ada, title="Boot order", source="wrong")
    before = Thread.objects.get(pk=thread.pk).last_at
    post = posting.reply(thread, category, author=stranger, source=LINKS)
    assert (post.hidden, post.number) == (True, 2)
    thread.refresh_from_db()
    assert (thread.posts, thread.last_number, thread.last_at) == (1, 2, before)
    assert found("see") == []
    assert Case.objects.get().number == post.pk
    held = posting.start(category, author=stranger, title="Buy this now", source=LINKS, tag_names=["ink"])
    assert (held.hidden, Tagged.objects.count(), found("buy")) == (True, 0, [])


def test_known_members_post_with_many_links_is_shown(ada: Member, category: Category) -> None:
    thread = posting.start(category, author=ada, title="Boot order", source=LINKS)
    assert thread.hidden is False


def test_trust_grows_with_use(category: Category) -> None:
    stranger = make_member("stranger")
    Member.objects.filter(pk=stranger.pk).update(trust=Trust.NEW)
    stranger.refresh_from_db()
    posting.start(category, author=stranger, title="First words", source="hello")
    assert Member.objects.get(pk=stranger.pk).trust == Trust.NEW
    posting.start(category, author=stranger, title="Second words", source="hello")
    assert Member.objects.get(pk=stranger.pk).trust == Trust.BASIC


def test_edit_keeps_what_was_and_search_knows_what_is(ada: Member, moderator: Member, category: Category) -> None:
    thread = posting.start(category, author=ada, title="Boot order", source="wrong")
    post = Post.objects.get(thread=thread)
    posting.edit(post, thread, editor=ada, source="right", reason="typo", title="Boot order solved")
    posting.edit(post, thread, editor=moderator, source="right indeed")
    rows = Revision.objects.filter(kind=kinds.POST, number=post.pk).order_by("version")
    assert [(row.version, row.source, row.title, row.editor, row.reason) for row in rows] == [
        (1, "wrong", "Boot order", ada, ""),
        (2, "right", "Boot order solved", ada, "typo"),
        (3, "right indeed", "Boot order solved", moderator, ""),
    ]
    post.refresh_from_db()
    thread.refresh_from_db()
    assert (post.html, post.version, post.edited is not None) == ("<p>right indeed</p>\n", 3, True)
    assert (thread.title, thread.slug) == ("Boot order solved", "boot-order-solved")
    assert (found("wrong"), found("solved indeed")) == ([], [(kinds.THREAD, thread.pk)])


def test_edit_that_changes_nothing_leaves_no_trace(ada: Member, category: Category) -> None:
    thread = posting.start(category, author=ada, title="Boot order", source="wrong")
    post = Post.objects.get(thread=thread)
    posting.edit(post, thread, editor=ada, source="wrong")
    assert (Revision.objects.count(), Post.objects.get().edited) == (0, None)


def test_other_tags_change_the_counts_and_the_list(ada: Member, category: Category) -> None:
    thread = posting.start(category, author=ada, title="Boot order", source="wrong", tag_names=["uefi", "boot"])
    posting.retag(thread, ["boot", "disk"])
    assert dict(Tag.objects.values_list("name", "uses")) == {"uefi": 0, "boot": 1, "disk": 1}
    assert Thread.objects.get().tags == "boot disk"
    assert found("tag:disk") == [(kinds.THREAD, thread.pk)]


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Boot order!", "boot-order"),
        ("Reply", "thread-reply"),
        ("Größe, bitte", "groe-bitte"),
        ("日本語 だけ", "thread"),
        ("x " * 90, ("x-" * 40).strip("-")),
    ],
)
def test_address_says_what_a_thread_is_about_and_is_no_other_page(title: str, slug: str) -> None:
    assert slug_of(title) == slug


def test_address_of_a_post_is_on_its_page() -> None:
    assert [thread_url(7, "a-b", number=number) for number in (0, 1, 50, 51, 551)] == [
        "/forum/t/7/a-b/",
        "/forum/t/7/a-b/#p1",
        "/forum/t/7/a-b/#p50",
        "/forum/t/7/a-b/2/#p51",
        "/forum/t/7/a-b/12/#p551",
    ]


@pytest.mark.parametrize("table", ["forum_post", "forum_readthread", "content_following"])
def test_a_reply_writes_no_index_that_another_begins_with(table: str) -> None:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, table).values()
    keys = [tuple(one["columns"]) for one in constraints if one["index"] or one["unique"] or one["primary_key"]]
    assert len(keys) > 1
    assert not [(one, other) for one in keys for other in keys if one != other and other[: len(one)] == one]
