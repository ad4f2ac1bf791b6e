"""Writing a blog: drafts, publishing now or later, changes. Each is one transaction that leaves all counters right.

A post is published by one `UPDATE` that finds it unpublished, in the transaction that does everything which follows
from it. So two workers, or one that died and is followed by another, publish it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.blog.models import EXCERPT_LENGTH, Blog, Post, Series, State, slug_of
from jeos.server.content import attachments, following, kinds, markdown, moderation, search, tags, texts, trust
from jeos.server.content.markdown import Rendered

ENOUGH = 90  # characters that tell in a list what a post is about


@dataclass(frozen=True)
class Writing:
    """What the form of a post holds."""

    title: str
    source: str
    tags: Sequence[str] = ()
    series: str = ""  # its title; empty for none


@transaction.atomic
def begin(author: Member, writing: Writing, *, now: datetime | None = None) -> Post:
    """Keep a new draft."""
    now = now or timezone.now()
    post = Post(author=author, made=now, touched=now)
    _fill(post, writing)
    post.save()
    return post


@transaction.atomic
def change(post: Post, writing: Writing, *, editor: Member, reason: str = "", now: datetime | None = None) -> None:
    """Change a post. What others have read stays in its history; what nobody has read does not."""
    now = now or timezone.now()
    old = texts.Version(source=post.source, title=post.title, editor=post.author_id, made=post.published)
    rewritten = (writing.source, writing.title) != (post.source, post.title)
    post.touched = now
    rendered = _fill(post, writing)
    if post.published is not None and rewritten:
        new = texts.Version(source=writing.source, title=writing.title)
        post.version = texts.revise(kinds.BLOG_POST, post.pk, old=old, new=new, editor=editor, reason=reason)
        post.edited = now
    post.save(
        update_fields=[
            *("title", "slug", "source", "html", "renderer", "excerpt", "words", "tags", "series"),
            *("touched", "edited", "version"),
        ]
    )
    if post.shown:
        _show(post, rendered)


def _fill(post: Post, writing: Writing) -> Rendered:
    """Set what a post says, before it is saved."""
    rendered, _mentioned = texts.fill(post, writing.source)
    post.title, post.slug = writing.title, slug_of(writing.title)
    post.excerpt = markdown.summary(beginning(rendered.plain), length=EXCERPT_LENGTH - 20)
    post.words = len(rendered.plain.split())
    post.tags = " ".join(writing.tags)
    post.series = _series(post.author, writing.series)
    return rendered


def beginning(plain: str) -> str:
    """Return the first paragraphs of a text, so many that they say something; what follows may be a table or code."""
    taken = ""
    for paragraph in plain.splitlines():
        taken = f"{taken} {paragraph}".strip()
        if len(taken) >= ENOUGH:
            break
    return taken


def _series(author: Member, title: str) -> Series | None:
    """Return the member's series of this title, made if there is none."""
    if not title:
        return None
    return Series.objects.get_or_create(author=author, slug=slug_of(title), defaults={"title": title})[0]


@transaction.atomic
def publish(post: Post, *, now: datetime | None = None) -> bool:
    """Publish a post; return False, having done nothing, if it is published already."""
    now = now or timezone.now()
    if not Post.objects.filter(pk=post.pk).exclude(state=State.PUBLISHED).update(state=State.PUBLISHED, due=None):
        return False
    first = post.published is None
    rendered, mentioned = texts.render(post.source)
    held = None
    if first:
        held = trust.reason_to_wait(
            post.author,
            title=post.title,
            source=post.source,
            plain=rendered.plain,
            links=rendered.links,
            mentions=len(mentioned),
            what="post",
        )
    post.state, post.due, post.published, post.touched = State.PUBLISHED, None, post.published or now, now
    post.hidden = post.hidden or bool(held)
    post.save(update_fields=["published", "touched", "hidden"])
    if first:
        trust.count(post.author, now=now)
        following.follow_once(post.author_id, kinds.BLOG_POST, post.pk)
    if held:
        moderation.hold(kinds.BLOG_POST, post.pk, author=post.author_id, why=held)
    if post.shown:
        _show(post, rendered)
    return True


@transaction.atomic
def schedule(post: Post, due: datetime) -> None:
    """Let a worker publish an unpublished post at a time. Raises ValueError if it is published."""
    if not Post.objects.filter(pk=post.pk).exclude(state=State.PUBLISHED).update(state=State.SCHEDULED, due=due):
        raise ValueError(f"post {post.pk} is published already")
    post.state, post.due = State.SCHEDULED, due
    from jeos.server.blog import tasks  # tasks import what writes

    tasks.publish.using(run_after=due).enqueue(post.pk)


@transaction.atomic
def publish_due(number: int, *, now: datetime) -> bool:
    """Publish a scheduled post if its time has come; return whether that was done now.

    Who may not write at that moment has the post among the drafts again.
    """
    due = Post.objects.select_for_update(of=("self",)).select_related("author")
    post = due.filter(pk=number, state=State.SCHEDULED, due__lte=now).first()
    if post is None:
        return False
    if not trust.may_write(post.author, now=now):
        withdraw(post)
        return False
    return publish(post, now=now)


@transaction.atomic
def withdraw(post: Post) -> None:
    """Let a post be a draft again."""
    Post.objects.filter(pk=post.pk).update(state=State.DRAFT, due=None)
    post.state, post.due = State.DRAFT, None
    _unshow(post)


@transaction.atomic
def delete(post: Post) -> None:
    """Delete a post that was never published. Raises ValueError for one that was: others may have answered it."""
    if post.published is not None:
        raise ValueError(f"post {post.pk} has been published")
    attachments.release(kinds.BLOG_POST, post.pk)
    post.delete()


@transaction.atomic
def set_hidden(number: int, hidden: bool) -> None:
    """Hide a post or show it again: in lists, tags, search and the counters of its blog."""
    post = Post.objects.select_related("author").get(pk=number)
    Post.objects.filter(pk=number).update(hidden=hidden)
    post.hidden = hidden
    if post.shown:
        _show(post, texts.render(post.source)[0])
    else:
        _unshow(post)


def _show(post: Post, rendered: Rendered) -> None:
    """Let everybody find a post: by its tags, in search, in its blog; who is concerned is told, once."""
    assert post.published is not None
    chosen = tags.set_tags(kinds.BLOG_POST, post.pk, post.tag_names, date=post.published)
    names = " ".join(tag.name for tag in chosen)
    if names != post.tags:  # a synonym became the tag that is meant
        post.tags = names
        post.save(update_fields=["tags"])
    entry = search.Entry(
        kind=kinds.BLOG_POST,
        number=post.pk,
        head=True,
        date=post.published,
        author=post.author_id,
        title=post.title,
        body=rendered.plain,
        tags=tuple(post.tag_names),
    )
    search.index().put([entry])
    recount(post.author_id)
    if not post.told:
        from jeos.server.blog import tasks  # tasks import what writes

        tasks.announce.enqueue(post.pk)


def _unshow(post: Post) -> None:
    """Let nobody come upon a post."""
    tags.clear(kinds.BLOG_POST, post.pk)
    search.index().remove([(kinds.BLOG_POST, post.pk)])
    recount(post.author_id)


def recount(author: int) -> None:
    """Set what the row of a blog says about its posts to what is true."""
    shown = Post.objects.filter(author=author, state=State.PUBLISHED, hidden=False)
    counted = shown.aggregate(posts=Count("pk"), last_at=Max("published"))
    Blog.objects.update_or_create(member_id=author, defaults=counted)


@transaction.atomic
def describe(member: Member, *, title: str, about: str) -> None:
    """Give a blog its title and say what it is about."""
    Blog.objects.update_or_create(member=member, defaults={"title": title, "about": about})
