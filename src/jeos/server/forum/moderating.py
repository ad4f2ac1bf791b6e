"""What moderators do to threads: close, pin, move, split, merge, hide; each one transaction and one line in the log."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Count, F, Max, Min, Q

from jeos.server.accounts.models import Member
from jeos.server.content import audit, kinds, notifications, search, tags, texts
from jeos.server.content.models import Document, Reason
from jeos.server.content.notifications import Event
from jeos.server.forum import categories, posting
from jeos.server.forum.models import Category, Post, ReadThread, Thread, slug_of

SWITCHES = ("closed", "pinned")


@transaction.atomic
def switch(thread: Thread, name: str, on: bool, *, actor: Member) -> None:
    """Close or open a thread, pin it or not."""
    if name not in SWITCHES:
        raise ValueError(f"a thread has no switch {name}")
    Thread.objects.filter(pk=thread.pk).update(**{name: on})
    audit.record(actor, f"thread.{name}", kind=kinds.THREAD, number=thread.pk, details={"to": on})


@transaction.atomic
def slow(thread: Thread, seconds: int, *, actor: Member) -> None:
    """Let a member post only once in so many seconds; 0 ends that."""
    Thread.objects.filter(pk=thread.pk).update(slow_seconds=seconds)
    audit.record(actor, "thread.slow", kind=kinds.THREAD, number=thread.pk, details={"seconds": seconds})


@transaction.atomic
def move(thread: Thread, target: Category, *, actor: Member) -> None:
    """Put a thread into another category, and what search and counters know of it."""
    source = categories.by_number(thread.category_id)
    if source.pk == target.pk:
        return
    posts = Post.objects.filter(thread=thread).count()
    Category.objects.filter(pk=source.pk).update(threads=F("threads") - 1, posts=F("posts") - posts)
    Category.objects.filter(pk=target.pk).update(threads=F("threads") + 1, posts=F("posts") + posts)
    Thread.objects.filter(pk=thread.pk).update(category=target)
    thread.category = target
    if source.area != target.area:
        numbers = Post.objects.filter(thread=thread).values("pk")
        here = Q(kind=kinds.THREAD, number=thread.pk) | Q(kind=kinds.POST, number__in=numbers)
        Document.objects.filter(here).update(area=target.area)
    audit.record(
        actor, "thread.move", kind=kinds.THREAD, number=thread.pk, details={"from": source.slug, "to": target.slug}
    )


@transaction.atomic
def split(thread: Thread, numbers: Sequence[int], *, title: str, actor: Member) -> Thread:
    """Make a thread of some posts of another. Raises ValueError if that would take none, or the first."""
    moved = list(Post.objects.filter(thread=thread, number__in=numbers).order_by("number"))
    if not moved or moved[0].number == 1:
        raise ValueError("a thread is split at posts after its first")
    category = categories.by_number(thread.category_id)
    first, last = moved[0], moved[-1]
    made = Thread.objects.create(
        category=category,
        title=title,
        slug=slug_of(title),
        author_id=first.author_id,
        made=first.made,
        last_at=last.made,
        last_by_id=last.author_id,
    )
    for number, post in enumerate(moved, start=1):
        Post.objects.filter(pk=post.pk).update(thread=made, number=number, reply_to=None)
    # Its number stays taken in the old thread, so that addresses of its other posts stay right.
    recount(made)
    recount(thread)
    Category.objects.filter(pk=category.pk).update(threads=F("threads") + 1)
    search.index().remove([(kinds.POST, first.pk)])
    made.refresh_from_db()
    posting.reindex_thread(made)
    audit.record(
        actor, "thread.split", kind=kinds.THREAD, number=thread.pk, details={"into": made.pk, "posts": len(moved)}
    )
    return made


@transaction.atomic
def merge(source: Thread, target: Thread, *, actor: Member) -> None:
    """Put all posts of a thread into another, in the order of time; its address leads there from now on."""
    if source.pk == target.pk or target.moved_to_id is not None:
        raise ValueError(f"thread {source.pk} cannot be merged into {target.pk}")
    ids = list(
        Post.objects.filter(thread__in=[source.pk, target.pk]).order_by("made", "id").values_list("pk", flat=True)
    )
    heads = list(Post.objects.filter(thread__in=[source.pk, target.pk], number=1))
    aside = max(source.last_number, target.last_number) + len(ids)  # above every number that is in use or will be
    Post.objects.filter(thread=target).update(number=F("number") + aside)
    Post.objects.filter(thread=source).update(thread=target, number=F("number") + 2 * aside, reply_to=None)
    renumbered = [Post(pk=pk, number=number) for number, pk in enumerate(ids, start=1)]
    Post.objects.bulk_update(renumbered, ["number"], batch_size=500)
    Post.objects.filter(thread=target).update(reply_to=None)
    ReadThread.objects.filter(thread=source).delete()
    tags.clear(kinds.THREAD, source.pk)
    Thread.objects.filter(pk=source.pk).update(moved_to=target, hidden=True, posts=0, last_number=0)
    Thread.objects.filter(moved_to=source).update(moved_to=target)
    if target.solved_number is not None:
        Thread.objects.filter(pk=target.pk).update(solved_number=None)  # the number means another post now
    recount(target)
    _reindex_merged(source, target, heads)
    if source.category_id == target.category_id:
        Category.objects.filter(pk=target.category_id).update(threads=F("threads") - 1)
    else:
        recount_category(source.category_id)
        recount_category(target.category_id)
    audit.record(actor, "thread.merge", kind=kinds.THREAD, number=source.pk, details={"into": target.pk})


def _reindex_merged(source: Thread, target: Thread, heads: Sequence[Post]) -> None:
    """Let search know that a thread is gone, and which of the two first posts is a reply now."""
    index, category = search.index(), categories.by_number(target.category_id)
    index.remove([(kinds.THREAD, source.pk)])
    target.refresh_from_db()
    for post in heads:
        post.refresh_from_db()
        if post.number == 1:
            index.remove([(kinds.POST, post.pk)])
        elif not post.hidden:
            index.put([posting.post_entry(post, target, category, texts.render(post.source)[0])])
    posting.reindex_thread(target)


def recount(thread: Thread) -> None:
    """Set what a thread's row says about its posts to what is true."""
    shown = Post.objects.filter(thread=thread, hidden=False)
    counted = shown.aggregate(posts=Count("pk"), last=Max("number"), first=Min("number"))
    newest = shown.filter(number=counted["last"]).first() if counted["last"] else None
    highest = Post.objects.filter(thread=thread).aggregate(last=Max("number"))["last"] or 0
    values: dict[str, object] = {"posts": counted["posts"], "last_number": highest}
    if newest is not None:
        values |= {"last_at": newest.made, "last_by": newest.author_id}
    Thread.objects.filter(pk=thread.pk).update(**values)


def recount_category(number: int) -> None:
    """Set the counters of a category to what is true."""
    threads = Thread.objects.filter(category=number, moved_to=None)
    Category.objects.filter(pk=number).update(
        threads=threads.count(), posts=Post.objects.filter(thread__category=number).count()
    )


@transaction.atomic
def hide_thread(thread: Thread, hidden: bool, *, actor: Member) -> None:
    """Hide a thread or show it again, without a case in the queue."""
    set_thread_hidden(thread.pk, hidden)
    audit.record(actor, "thread.hide" if hidden else "thread.show", kind=kinds.THREAD, number=thread.pk)


@transaction.atomic
def set_thread_hidden(number: int, hidden: bool) -> None:
    """Hide a thread or show it again: in lists, tags and search."""
    thread = Thread.objects.get(pk=number)
    Thread.objects.filter(pk=number).update(hidden=hidden)
    thread.hidden = hidden
    if hidden:
        search.index().remove([(kinds.THREAD, number)])
        tags.clear(kinds.THREAD, number)
        return
    tags.set_tags(kinds.THREAD, number, thread.tags.split(), date=thread.made)
    posting.reindex_thread(thread)


@transaction.atomic
def set_post_hidden(number: int, hidden: bool) -> None:
    """Hide a post or show it again: in its thread and in search."""
    post = Post.objects.select_related("thread").get(pk=number)
    if post.number == 1:
        set_thread_hidden(post.thread_id, hidden)
        return
    Post.objects.filter(pk=number).update(hidden=hidden)
    recount(post.thread)
    if hidden:
        search.index().remove([(kinds.POST, number)])
        return
    category = categories.by_number(post.thread.category_id)
    search.index().put([posting.post_entry(post, post.thread, category, texts.render(post.source)[0])])


@transaction.atomic
def solve(thread: Thread, number: int | None, *, actor: Member) -> None:
    """Choose the answer that solved a thread's question, and tell its author; or none."""
    replies = Post.objects.filter(thread=thread, number__gt=1, hidden=False)
    answer = replies.filter(number=number).first() if number is not None else None
    if number is not None and answer is None:
        raise ValueError(f"thread {thread.pk} has no reply {number}")
    Thread.objects.filter(pk=thread.pk).update(solved_number=number)
    thread.solved_number = number
    if actor.pk != thread.author_id:
        audit.record(actor, "thread.solve", kind=kinds.THREAD, number=thread.pk, details={"answer": number})
    if answer is not None:
        event = Event(Reason.SOLVED, kinds.THREAD, thread.pk, answer.get_absolute_url(), thread.title, actor.pk)
        notifications.tell([answer.author_id], event)
