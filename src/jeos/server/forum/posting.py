"""Writing in the forum: starting threads, replying, editing. Each is one transaction that leaves all counters right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from jeos.server import statements
from jeos.server.accounts.models import Member
from jeos.server.content import following, kinds, moderation, search, tags, texts, trust
from jeos.server.content.markdown import Rendered
from jeos.server.forum import categories, reading
from jeos.server.forum.models import Category, Post, Thread, slug_of


@transaction.atomic
def start(
    category: Category,
    *,
    author: Member,
    title: str,
    source: str,
    tag_names: Sequence[str] = (),
    now: datetime | None = None,
) -> Thread:
    """Start a thread with its first post."""
    now = now or timezone.now()
    post = Post(number=1, author=author, made=now)
    rendered, mentioned = texts.fill(post, source)
    held = trust.reason_to_wait(
        author,
        title=title,
        source=source,
        plain=rendered.plain,
        links=rendered.links,
        mentions=len(mentioned),
        what="thread",
    )
    thread = Thread.objects.create(
        category=category,
        title=title,
        slug=slug_of(title),
        author=author,
        made=now,
        last_at=now,
        last_by=author,
        last_number=1,
        posts=1,
        hidden=bool(held),
    )
    post.thread = thread
    post.save()
    chosen = tags.set_tags(kinds.THREAD, thread.pk, tag_names, date=now)
    thread.tags = " ".join(tag.name for tag in chosen)
    Thread.objects.filter(pk=thread.pk).update(tags=thread.tags)
    _count(author, category, now=now, threads=1)
    following.follow_once(author.pk, kinds.THREAD, thread.pk)
    reading.mark(author.pk, thread.pk, 1)
    if held:
        tags.clear(kinds.THREAD, thread.pk)
        moderation.hold(kinds.THREAD, thread.pk, author=author.pk, why=held)
    else:
        search.index().put([thread_entry(thread, category, rendered)], new=True)
        _announce(post)
    return thread


@transaction.atomic
def reply(
    thread: Thread,
    category: Category,
    *,
    author: Member,
    source: str,
    reply_to: int | None = None,
    now: datetime | None = None,
) -> Post:
    """Add a post to the end of a thread."""
    now = now or timezone.now()
    post = Post(thread=thread, author=author, made=now, reply_to=reply_to)
    rendered, mentioned = texts.fill(post, source)
    held = trust.reason_to_wait(
        author,
        source=source,
        plain=rendered.plain,
        links=rendered.links,
        mentions=len(mentioned),
        what="post",
    )
    post.hidden = bool(held)
    post.number = _append(thread, author=author, shown=not post.hidden, now=now)
    post.save(force_insert=True)
    with statements.together():
        reading.mark(author.pk, thread.pk, post.number)
        following.follow_once(author.pk, kinds.THREAD, thread.pk)
        if held:
            moderation.hold(kinds.POST, post.pk, author=author.pk, why=held)
        else:
            search.index().put([post_entry(post, thread, category, rendered)], new=True)
            _announce(post)
        _count(author, category, now=now)
    return post


def _append(thread: Thread, *, author: Member, shown: bool, now: datetime) -> int:
    """Take the next number of a thread. One statement, so that two who reply at once get two numbers."""
    with statements.cursor() as cursor:
        bump = ", posts = posts + 1, last_at = %s, last_by_id = %s" if shown else ""
        values = [connection.ops.adapt_datetimefield_value(now), author.pk] if shown else []
        cursor.execute(
            f"UPDATE forum_thread SET last_number = last_number + 1{bump} WHERE id = %s RETURNING last_number",  # noqa: S608
            [*values, thread.pk],
        )
        (number,) = cursor.fetchone()
    thread.last_number = number
    return int(number)


def _count(author: Member, category: Category, *, now: datetime, threads: int = 0) -> None:
    """Count a post for its author and category, and let the author's trust grow."""
    today = now.date()
    if author.active_on != today:
        author.active_on, author.days_active = today, author.days_active + 1
    author.posts, author.threads = author.posts + 1, author.threads + threads
    author.trust = trust.grown(author)
    statements.write(  # by hand: the ORM takes longer to write these than the database to do them
        "UPDATE accounts_member SET posts = posts + 1, threads = threads + %s, active_on = %s, days_active = %s, "
        "trust = %s WHERE id = %s",
        [threads, connection.ops.adapt_datefield_value(today), author.days_active, author.trust, author.pk],
    )
    # Last, because all who write in the category wait for this row until we commit.
    statements.write(
        "UPDATE forum_category SET posts = posts + 1, threads = threads + %s WHERE id = %s", [threads, category.pk]
    )


def _announce(post: Post) -> None:
    """Let a worker tell those whom a new post concerns."""
    from jeos.server.forum import tasks  # tasks import what writes, to be able to write themselves

    tasks.announce.enqueue(post.pk)


@transaction.atomic
def edit(post: Post, thread: Thread, *, editor: Member, source: str, reason: str = "", title: str = "") -> None:
    """Change a post; what it was stays in its history. A new title is the thread's."""
    category = categories.by_number(thread.category_id)
    old = texts.Version(
        source=post.source, title=thread.title if post.number == 1 else "", editor=post.author_id, made=post.made
    )
    title = title or old.title
    if source == post.source and title == old.title:
        return
    new = texts.Version(source=source, title=title)
    post.version = texts.revise(kinds.POST, post.pk, old=old, new=new, editor=editor, reason=reason)
    rendered, _ = texts.fill(post, source)
    post.edited = timezone.now()
    post.save(update_fields=["source", "html", "renderer", "edited", "version"])
    if post.number == 1 and title != thread.title:
        thread.title, thread.slug = title, slug_of(title)
        thread.save(update_fields=["title", "slug"])
    if not post.hidden and not thread.hidden:
        entry = (
            thread_entry(thread, category, rendered)
            if post.number == 1
            else post_entry(post, thread, category, rendered)
        )
        search.index().put([entry])


@transaction.atomic
def retag(thread: Thread, names: Sequence[str]) -> None:
    """Give a thread other tags."""
    chosen = tags.set_tags(kinds.THREAD, thread.pk, names, date=thread.made)
    thread.tags = " ".join(tag.name for tag in chosen)
    thread.save(update_fields=["tags"])
    reindex_thread(thread)


def reindex_thread(thread: Thread) -> None:
    """Let search know a thread, though not its replies, as it is now."""
    first = Post.objects.get(thread=thread, number=1)
    rendered, _ = texts.render(first.source)
    search.index().put([thread_entry(thread, categories.by_number(thread.category_id), rendered)])


def thread_entry(thread: Thread, category: Category, rendered: Rendered) -> search.Entry:
    """Return what search knows of a thread: its title, its tags and its first post."""
    return search.Entry(
        kind=kinds.THREAD,
        number=thread.pk,
        head=True,
        date=thread.made,
        area=category.area,
        author=thread.author_id,
        title=thread.title,
        body=rendered.plain,
        tags=tuple(thread.tags.split()),
    )


def post_entry(post: Post, thread: Thread, category: Category, rendered: Rendered) -> search.Entry:
    """Return what search knows of a reply."""
    return search.Entry(
        kind=kinds.POST,
        number=post.pk,
        head=False,
        date=post.made,
        area=category.area,
        author=post.author_id,
        body=rendered.plain,
    )
