"""What moderators do to threads, and that all counters are right after it."""

import pytest

from jeos.server.accounts.models import Member
from jeos.server.content import kinds, moderation, search
from jeos.server.content.models import AuditEntry, Case, FlagReason, Outcome, Tagged
from jeos.server.forum import moderating, posting
from jeos.server.forum.models import Category, Post, Thread
from server_site import make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def thread(ada: Member, bob: Member, category: Category) -> Thread:
    made = posting.start(category, author=ada, title="Boot order", source="first zebra", tag_names=["uefi"])
    for number in range(2, 7):
        posting.reply(made, category, author=bob, source=f"zebra {number}")
    made.refresh_from_db()
    return made


def found(text: str, **options: object) -> list[tuple[int, int]]:
    return [(hit.kind, hit.number) for hit in search.index().find(search.parse(text), limit=50, **options)]  # type: ignore[arg-type]


def sources(thread: Thread) -> list[tuple[int, str]]:
    return list(Post.objects.filter(thread=thread).order_by("number").values_list("number", "source"))


def counted(*categories: Category) -> list[tuple[int, int]]:
    return [Category.objects.values_list("threads", "posts").get(pk=category.pk) for category in categories]


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def test_split_takes_posts_into_a_thread_of_their_own(thread: Thread, moderator: Member, category: Category) -> None:
    made = moderating.split(thread, [3, 5, 99], title="Another matter", actor=moderator)
    assert sources(made) == [(1, "zebra 3"), (2, "zebra 5")]
    assert sources(thread) == [(1, "first zebra"), (2, "zebra 2"), (4, "zebra 4"), (6, "zebra 6")]
    thread.refresh_from_db()
    assert (thread.posts, thread.last_number, made.posts, made.last_number) == (4, 6, 2, 2)
    assert counted(category) == [(2, 6)]
    assert (kinds.THREAD, made.pk) in found("another")
    assert len(found("zebra")) == 6
    assert actions() == ["thread.split"]


@pytest.mark.parametrize("numbers", [[], [99], [1, 2]])
def test_split_of_nothing_or_of_the_first_post_is_refused(
    thread: Thread, moderator: Member, numbers: list[int]
) -> None:
    with pytest.raises(ValueError, match="after its first"):
        moderating.split(thread, numbers, title="Another matter", actor=moderator)
    assert actions() == []


def test_merge_puts_posts_in_the_order_of_time(ada: Member, bob: Member, moderator: Member, category: Category) -> None:
    first = posting.start(category, author=ada, title="Boot order", source="one zebra")
    second = posting.start(category, author=bob, title="Order of boot", source="two zebra", tag_names=["uefi"])
    posting.reply(first, category, author=bob, source="three zebra")
    posting.reply(second, category, author=ada, source="four zebra", reply_to=1)
    moderating.merge(second, first, actor=moderator)
    assert sources(first) == [(1, "one zebra"), (2, "two zebra"), (3, "three zebra"), (4, "four zebra")]
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.posts, first.last_number) == (4, 4)
    assert (second.hidden, second.moved_to, second.posts) == (True, first, 0)
    assert Tagged.objects.count() == 0
    assert counted(category) == [(1, 4)]
    assert found("order") == [(kinds.THREAD, first.pk)]
    assert len(found("zebra")) == 4


def test_merge_into_an_older_target_that_began_later_keeps_one_head(
    ada: Member, moderator: Member, category: Category
) -> None:
    first = posting.start(category, author=ada, title="Boot order", source="one zebra")
    second = posting.start(category, author=ada, title="Order of boot", source="two zebra")
    moderating.merge(first, second, actor=moderator)
    assert sources(second) == [(1, "one zebra"), (2, "two zebra")]
    assert found("zebra") == [(kinds.THREAD, second.pk), (kinds.POST, Post.objects.get(number=2).pk)]


def test_merge_with_itself_or_a_merged_thread_is_refused(
    thread: Thread, ada: Member, moderator: Member, category: Category
) -> None:
    other = posting.start(category, author=ada, title="Order of boot", source="two")
    moderating.merge(other, thread, actor=moderator)
    other.refresh_from_db()
    for target in (thread, other):
        with pytest.raises(ValueError, match="cannot be merged"):
            moderating.merge(thread, target, actor=moderator)


def test_move_to_a_closed_category_hides_it_from_others_search(
    thread: Thread, moderator: Member, category: Category, team_room: Category
) -> None:
    moderating.move(thread, team_room, actor=moderator)
    assert counted(category, team_room) == [(0, 0), (1, 6)]
    assert found("zebra", hidden_areas=[team_room.pk]) == []
    assert len(found("zebra")) == 6


def test_hidden_thread_is_in_no_list_and_comes_back_whole(thread: Thread, moderator: Member) -> None:
    moderating.hide_thread(thread, True, actor=moderator)
    assert (Tagged.objects.count(), found("boot order")) == (0, [])
    moderating.hide_thread(thread, False, actor=moderator)
    assert Tagged.objects.count() == 1
    assert found("boot order") == [(kinds.THREAD, thread.pk)]
    assert actions() == ["thread.hide", "thread.show"]


def test_flags_of_three_known_members_hide_a_post_until_a_moderator_says_otherwise(
    thread: Thread, moderator: Member
) -> None:
    post = Post.objects.get(thread=thread, number=6)
    for name in ("k1", "k2", "k3"):
        member = make_member(name)
        Member.objects.filter(pk=member.pk).update(trust=2)
        assert Post.objects.get(pk=post.pk).hidden is False
        moderation.flag(kinds.POST, post.pk, member=member, reason=FlagReason.SPAM)
        moderation.flag(kinds.POST, post.pk, member=member, reason=FlagReason.RUDE)  # twice is once
    assert Post.objects.get(pk=post.pk).hidden is True
    thread.refresh_from_db()
    assert thread.posts == 5
    case = Case.objects.get()
    assert case.flags == 3
    moderation.decide(case, Outcome.DISMISSED, moderator=moderator, note="it is fine")
    assert Post.objects.get(pk=post.pk).hidden is False
    thread.refresh_from_db()
    assert thread.posts == 6
    with pytest.raises(ValueError, match="decided already"):
        moderation.decide(case, Outcome.HIDDEN, moderator=moderator)


def test_decision_can_be_undone(thread: Thread, ada: Member, bob: Member, moderator: Member) -> None:
    post = Post.objects.get(thread=thread, number=3)
    case = moderation.flag(kinds.POST, post.pk, member=ada, reason=FlagReason.RUDE)
    moderation.decide(case, Outcome.SILENCED, moderator=moderator, note="enough")
    bob.refresh_from_db()
    assert (Post.objects.get(pk=post.pk).hidden, bob.silenced_until is not None, bob.unread) == (True, True, 1)
    case.refresh_from_db()
    moderation.undo(case, moderator=moderator)
    bob.refresh_from_db()
    assert (Post.objects.get(pk=post.pk).hidden, bob.silenced_until) == (False, None)
    assert actions() == ["case.decide", "case.undo"]
    case.refresh_from_db()
    with pytest.raises(ValueError, match="no decision"):
        moderation.undo(case, moderator=moderator)


def test_first_post_is_hidden_with_its_thread(thread: Thread) -> None:
    moderating.set_post_hidden(Post.objects.get(thread=thread, number=1).pk, True)
    thread.refresh_from_db()
    assert thread.hidden is True


def test_only_a_shown_reply_can_be_the_answer(thread: Thread, ada: Member) -> None:
    moderating.solve(thread, 3, actor=ada)
    assert Thread.objects.get(pk=thread.pk).solved_number == 3
    Post.objects.filter(thread=thread, number=4).update(hidden=True)
    for number in (1, 4, 99):
        with pytest.raises(ValueError, match="no reply"):
            moderating.solve(thread, number, actor=ada)
    moderating.solve(thread, None, actor=ada)
    assert Thread.objects.get(pk=thread.pk).solved_number is None
