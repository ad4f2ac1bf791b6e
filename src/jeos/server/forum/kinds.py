"""What threads and posts are for the rest of the site: how they look in lists, and how moderators hide them."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from jeos.server.accounts.models import Member
from jeos.server.content import areas, kinds, markdown
from jeos.server.content.kinds import Body, Card, Kind
from jeos.server.forum import answering, categories, moderating, rights
from jeos.server.forum.models import Post, Thread, thread_url


def register() -> None:
    """Register threads and posts, and which categories are closed to whom."""
    areas.register("forum", categories.closed_areas)
    kinds.register(
        Kind(
            code=kinds.THREAD,
            name="thread",
            label=_("thread"),
            cards=thread_cards,
            tagged=Thread,
            body=thread_body,
            set_hidden=moderating.set_thread_hidden,
            texts=thread_texts,
            answer=answering.answer,
        )
    )
    kinds.register(
        Kind(
            code=kinds.POST,
            name="post",
            label=_("post"),
            cards=post_cards,
            body=post_body,
            set_hidden=moderating.set_post_hidden,
            texts=post_texts,
            sees=sees_post,
        )
    )


def thread_cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of threads that somebody may read."""
    readable = {category.pk: category for category in categories.readable(member)}
    rows = Thread.objects.filter(pk__in=numbers, hidden=False, category__in=readable).select_related("author")
    return {
        thread.pk: Card(
            kind=kinds.THREAD,
            number=thread.pk,
            title=thread.title,
            url=thread.get_absolute_url(),
            author=thread.author.handle,
            date=thread.made,
            note=f"{readable[thread.category_id].name} · {_replies(thread.posts - 1)}",
        )
        for thread in rows
    }


def _replies(count: int) -> str:
    return ngettext("{n} reply", "{n} replies", count).format(n=count)


def post_cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of posts that somebody may read."""
    readable = {category.pk: category for category in categories.readable(member)}
    rows = Post.objects.filter(
        pk__in=numbers, hidden=False, thread__hidden=False, thread__category__in=readable
    ).select_related("author", "thread")
    return {
        post.pk: Card(
            kind=kinds.POST,
            number=post.pk,
            title=post.thread.title,
            url=thread_url(post.thread_id, post.thread.slug, number=post.number),
            author=post.author.handle,
            date=post.made,
            excerpt=markdown.opening(post.source),
            note=f"{readable[post.thread.category_id].name} · #{post.number}",
        )
        for post in rows
    }


def thread_texts(numbers: Sequence[int]) -> dict[int, str]:
    """Return what threads began with, as pages show it."""
    return dict(Post.objects.filter(thread__in=numbers, number=1).values_list("thread_id", "html"))


def post_texts(numbers: Sequence[int]) -> dict[int, str]:
    """Return posts as pages show them."""
    return dict(Post.objects.filter(pk__in=numbers).values_list("pk", "html"))


def sees_post(number: int, member: Member) -> bool:
    """Tell whether a member sees a post that may be hidden, or in a hidden thread."""
    post = Post.objects.select_related("thread").filter(pk=number).first()
    if post is None:
        return False
    own = post.author_id == member.pk or member.moderates
    category = categories.by_number(post.thread.category_id)
    return rights.may_see(post.thread, category, member) and (own or not post.hidden)


def thread_body(number: int) -> Body | None:
    """Return a thread as moderators need it."""
    thread = Thread.objects.filter(pk=number, moved_to=None).first()
    post = Post.objects.filter(thread=number, number=1).first()
    if thread is None or post is None:
        return None
    return Body(thread.author_id, thread.title, thread.get_absolute_url(), post.source, thread.hidden)


def post_body(number: int) -> Body | None:
    """Return a post as moderators need it; the first of a thread is hidden with its thread."""
    post = Post.objects.select_related("thread").filter(pk=number).first()
    if post is None:
        return None
    hidden = post.thread.hidden if post.number == 1 else post.hidden
    title = f"{post.thread.title} #{post.number}"
    return Body(post.author_id, title, post.get_absolute_url(), post.source, hidden)
