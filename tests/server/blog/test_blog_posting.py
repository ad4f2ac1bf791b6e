"""Writing a blog: drafts, publishing exactly once, history, who is told, what moderators hide."""

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from jeos.server.accounts import leaving
from jeos.server.accounts.models import Member, Trust
from jeos.server.blog import posting, reacting, tasks
from jeos.server.blog.models import Blog, Post, Series, State
from jeos.server.blog.posting import Writing
from jeos.server.content import comments, following, kinds, moderation, search
from jeos.server.content.models import AuditEntry, Case, FlagReason, Notification, Outcome, Reason, Revision, Tag
from jeos.server.content.tasks import announce_comment
from jeos.server.jobs import recover, work
from server_site import make_member

pytestmark = pytest.mark.django_db
with_worker = pytest.mark.django_db(transaction=True)  # a worker has its own connection, and transactions of its own
WRITING = Writing(title="Small images", source="Leave out the **rest**.", tags=("image-size",), series="Diet")


def found(words: str) -> list[tuple[int, int]]:
    return [(hit.kind, hit.number) for hit in search.index().find(search.parse(words), limit=10)]


def seen(post: Post) -> dict[str, object]:
    """Return where a post is to be found by others."""
    post.refresh_from_db()
    blog = Blog.objects.filter(member=post.author_id).first()
    return {
        "search": found("leave") == [(kinds.BLOG_POST, post.pk)],
        "tag": sum(Tag.objects.values_list("uses", flat=True)),
        "counted": blog.posts if blog else 0,
        "card": list(kinds.cards([(kinds.BLOG_POST, post.pk)], member=None)) != [],
    }


NOWHERE = {"search": False, "tag": 0, "counted": 0, "card": False}
EVERYWHERE = {"search": True, "tag": 1, "counted": 1, "card": True}


def told() -> list[tuple[str, int, int]]:
    """Return who has been told what, and how often."""
    rows = Notification.objects.order_by("member__handle", "reason")
    return [(row.member.handle, row.reason, row.count) for row in rows.select_related("member")]


def run_tasks() -> None:
    work.work(once=True)


def test_draft_is_nobodys_but_its_authors(ada: Member) -> None:
    post = posting.begin(ada, WRITING)
    assert (post.state, post.slug, post.series and post.series.title) == (State.DRAFT, "small-images", "Diet")
    assert seen(post) == NOWHERE
    posting.change(post, Writing(title="Small", source="Leave it."), editor=ada)
    assert (seen(post), Revision.objects.count(), post.series) == (NOWHERE, 0, None)


def test_published_post_is_found_everywhere_and_withdrawn_nowhere(ada: Member) -> None:
    post = posting.begin(ada, WRITING)
    assert posting.publish(post)
    assert seen(post) == EVERYWHERE
    assert not posting.publish(post)
    ada.refresh_from_db()
    assert ada.posts == 1
    first = post.published
    posting.withdraw(post)
    assert seen(post) == NOWHERE
    assert posting.publish(post)
    ada.refresh_from_db()
    assert (seen(post), post.published, ada.posts) == (EVERYWHERE, first, 1)
    assert DBTaskResult.objects.filter(task_path__endswith="announce").count() == 2  # the second finds it told


def test_change_of_a_published_post_is_in_its_history(ada: Member, moderator: Member) -> None:
    post = posting.begin(ada, WRITING)
    posting.publish(post)
    changed = Writing(title="Smaller images", source="Leave out all.", tags=("slim",))
    posting.change(post, changed, editor=moderator, reason="typo")
    rows = Revision.objects.filter(kind=kinds.BLOG_POST, number=post.pk).order_by("version")
    assert [(row.version, row.title, row.editor and row.editor.handle, row.reason) for row in rows] == [
        (1, "Small images", "ada", ""),
        (2, "Smaller images", "mod", "typo"),
    ]
    post.refresh_from_db()
    assert (post.version, post.slug, post.edited is not None, seen(post)["search"]) == (2, "smaller-images", True, True)
    assert list(Tag.objects.filter(uses=1).values_list("name", flat=True)) == ["slim"]
    posting.change(post, changed, editor=ada)  # nothing new
    assert Revision.objects.count() == 2


def test_series_is_one_for_each_member_and_name(ada: Member, bob: Member) -> None:
    for author in (ada, ada, bob):
        posting.begin(author, WRITING)
    assert sorted(Series.objects.values_list("author__handle", "slug")) == [("ada", "diet"), ("bob", "diet")]


def test_those_whom_a_post_concerns_are_told_once(ada: Member, bob: Member) -> None:
    cleo, dora, mute = make_member("cleo"), make_member("dora"), make_member("mute")
    following.set_level(bob, following.BLOG, ada.pk, 1)
    following.set_level(cleo, following.BLOG, ada.pk, 1)
    following.set_level(mute, following.BLOG, ada.pk, -1)
    post = posting.begin(ada, Writing(title="Hello", source="See @bob, @ada", tags=("uefi",)))
    tag = Tag.objects.create(name="uefi")
    following.set_level(dora, following.TAG, tag.pk, 1)
    following.set_level(mute, following.TAG, tag.pk, 1)
    posting.publish(post)
    for _ in range(2):
        tasks.announce.call(post.pk)
    assert told() == [("bob", Reason.MENTION, 1), ("cleo", Reason.NEW, 1), ("dora", Reason.NEW, 1)]


def test_comment_on_a_post_is_counted_and_told_to_its_author(ada: Member, bob: Member) -> None:
    post = posting.begin(ada, WRITING)
    posting.publish(post)
    comment = comments.write(kinds.BLOG_POST, post.pk, author=bob, source="Good.")
    announce_comment.call(comment.pk)
    post.refresh_from_db()
    assert (post.comments, told()) == (1, [("ada", Reason.NEW, 1)])
    comments.set_hidden(comment.pk, True)
    post.refresh_from_db()
    assert post.comments == 0


def test_reaction_is_counted_once_and_taken_back(ada: Member, bob: Member) -> None:
    post = posting.begin(ada, WRITING)
    posting.publish(post)
    for wanted in ({"1": 1}, {}):
        reacting.react(post, bob, 1)
        post.refresh_from_db()
        ada.refresh_from_db()
        assert (post.reactions, ada.thanks) == (wanted, len(wanted))


def test_new_members_post_with_many_links_waits_for_a_moderator(moderator: Member) -> None:
    newcomer = make_member("new")
    Member.objects.filter(pk=newcomer.pk).update(trust=Trust.NEW)
    newcomer.refresh_from_db()
    source = " ".join(f"https://shop.example/{number}" for number in range(9)) + " leave"
    post = posting.begin(newcomer, Writing(title="Offers", source=source, tags=("uefi",)))
    posting.publish(post)
    assert (post.hidden, seen(post)) == (True, NOWHERE)
    moderation.decide(Case.objects.get(), Outcome.DISMISSED, moderator=moderator)
    assert seen(post) == EVERYWHERE


def test_flagged_post_is_hidden_and_shown_again_with_a_line_in_the_log(
    ada: Member, bob: Member, moderator: Member
) -> None:
    post = posting.begin(ada, WRITING)
    posting.publish(post)
    case = moderation.flag(kinds.BLOG_POST, post.pk, member=bob, reason=FlagReason.SPAM)
    moderation.decide(case, Outcome.HIDDEN, moderator=moderator)
    assert seen(post) == NOWHERE
    case.refresh_from_db()
    moderation.undo(case, moderator=moderator)
    assert seen(post) == EVERYWHERE
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == ["case.decide", "case.undo"]


def test_leaving_deletes_what_nobody_has_read_and_keeps_the_rest(ada: Member) -> None:
    posting.describe(ada, title="Ada's notes", about="All about Ada")
    posting.begin(ada, WRITING)
    posting.schedule(posting.begin(ada, WRITING), timezone.now() + timedelta(days=1))
    kept = posting.begin(ada, WRITING)
    posting.publish(kept)
    leaving.leave(ada)
    assert list(Post.objects.values_list("pk", flat=True)) == [kept.pk]
    assert Blog.objects.values_list("title", "about").get() == ("", "")


# Scheduled posts


def scheduled(author: Member, *, due: datetime) -> Post:
    post = posting.begin(author, WRITING)
    posting.schedule(post, due)
    return post


def test_scheduled_post_is_published_at_its_time_and_not_before(ada: Member) -> None:
    now = timezone.now()
    post = scheduled(ada, due=now + timedelta(hours=1))
    tasks.publish.call(post.pk)
    waiting = DBTaskResult.objects.get(task_path="jeos.server.blog.tasks.publish")
    assert (waiting.run_after, waiting.args_kwargs["args"]) == (post.due, [post.pk])
    assert (seen(post), post.state) == (NOWHERE, State.SCHEDULED)
    assert not posting.publish_due(post.pk, now=now + timedelta(minutes=59))
    assert posting.publish_due(post.pk, now=now + timedelta(minutes=60))
    post.refresh_from_db()
    assert (seen(post), post.published, post.due) == (EVERYWHERE, now + timedelta(minutes=60), None)
    assert not posting.publish_due(post.pk, now=now + timedelta(minutes=61))


@with_worker
def test_worker_publishes_what_is_due_once_however_often_it_was_put_into_the_queue(ada: Member, bob: Member) -> None:
    following.set_level(bob, following.BLOG, ada.pk, 1)
    post = scheduled(ada, due=timezone.now() - timedelta(seconds=1))
    posting.schedule(post, timezone.now() - timedelta(seconds=2))  # the time was changed: two tasks for one post
    tasks.publish_all_due.enqueue()
    run_tasks()
    assert (seen(post), told()) == (EVERYWHERE, [("bob", Reason.NEW, 1)])
    ada.refresh_from_db()
    assert ada.posts == 1
    assert set(DBTaskResult.objects.values_list("status", flat=True)) == {TaskResultStatus.SUCCESSFUL}


def test_post_whose_time_was_changed_waits_for_the_new_one(ada: Member) -> None:
    post = scheduled(ada, due=timezone.now() - timedelta(seconds=1))
    posting.schedule(post, timezone.now() + timedelta(days=1))
    tasks.publish.call(post.pk)
    tasks.publish_all_due.call()
    assert seen(post) == NOWHERE


def test_scheduled_post_that_was_taken_back_is_not_published(ada: Member) -> None:
    post = scheduled(ada, due=timezone.now() - timedelta(seconds=1))
    posting.withdraw(post)
    tasks.publish.call(post.pk)
    tasks.publish_all_due.call()
    assert (seen(post), post.state) == (NOWHERE, State.DRAFT)


def test_post_of_a_silenced_member_becomes_a_draft_at_its_time(ada: Member) -> None:
    post = scheduled(ada, due=timezone.now() - timedelta(seconds=1))
    Member.objects.filter(pk=ada.pk).update(silenced_until=timezone.now() + timedelta(days=1))
    tasks.publish.call(post.pk)
    tasks.publish_all_due.call()
    assert (seen(post), post.state) == (NOWHERE, State.DRAFT)


@with_worker
def test_worker_that_dies_while_publishing_leaves_it_to_the_next(ada: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    post = scheduled(ada, due=timezone.now() - timedelta(seconds=1))

    def die(author: int) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patched:
        patched.setattr(posting, "recount", die)  # the last step: all else has been done
        with pytest.raises(SystemExit):
            tasks.publish.call(post.pk)
    assert seen(post) == NOWHERE
    # As the worker left it: begun, by somebody who no longer lives.
    long_ago = timezone.now() - timedelta(hours=1)
    DBTaskResult.objects.update(status=TaskResultStatus.RUNNING, started_at=long_ago, worker_ids=["dead"])
    assert recover.give_back(now=timezone.now()) == 1
    run_tasks()
    assert seen(post) == EVERYWHERE


@pytest.mark.django_db(transaction=True)
def test_workers_that_publish_at_the_same_moment_publish_once(ada: Member) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("the tests' SQLite database is in memory, which threads do not share")
    post = scheduled(ada, due=timezone.now() - timedelta(seconds=1))
    start, results = threading.Barrier(6), []

    def race() -> None:
        start.wait()
        results.append(posting.publish_due(post.pk, now=timezone.now()))
        connections.close_all()

    racers = [threading.Thread(target=race) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sorted(results) == [False] * 5 + [True]
    assert seen(post) == EVERYWHERE


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("Short.", "Short."),
        ("One line that says little.\n\n| a | b |\n| - | - |\n| 1 | 2 |", "One line that says little. a b 1 2"),
        (f"{'word ' * 30}\n\n| a |\n| - |\n| 1 |", ("word " * 30).strip()),
        ("", ""),
        (f"{'word ' * 200}", f"{('word ' * 60).strip()} …"),
    ],
)
def test_list_shows_how_a_post_begins(ada: Member, source: str, wanted: str) -> None:
    assert posting.begin(ada, Writing(title="x", source=source)).excerpt == wanted
