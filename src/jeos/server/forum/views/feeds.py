"""The forum's lists as feeds: the newest threads, those of a category, the unanswered ones, the posts of a thread."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.content import feeds
from jeos.server.content.feeds import Feed, Item
from jeos.server.forum import kinds, queries
from jeos.server.forum.models import Post, Thread, thread_url
from jeos.server.forum.views.access import find_category, find_thread


@require_GET
def latest(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the threads in which something was written last."""
    items = _threads(queries.threads_for(None))
    return feeds.answer(request, form, Feed(title=_("Forum"), url="/forum/", about=_("Latest"), items=items))


@require_GET
def unanswered(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the threads without a reply."""
    items = _threads(queries.threads_for(None).filter(posts=1))
    feed = Feed(title=_("Unanswered"), url="/forum/unanswered/", about=_("Threads without a reply"), items=items)
    return feeds.answer(request, form, feed)


@require_GET
def category(request: HttpRequest, slug: str, form: str) -> HttpResponse:
    """Answer with the threads of a category."""
    found = find_category(slug, None)
    items = _threads(queries.threads_for(None, category=found))
    feed = Feed(title=found.name, url=found.get_absolute_url(), about=found.description, items=items)
    return feeds.answer(request, form, feed)


@require_GET
def thread(request: HttpRequest, number: int, form: str) -> HttpResponse:
    """Answer with the newest posts of a thread."""
    found, _category = find_thread(number, None)
    posts = Post.objects.filter(thread=found, hidden=False).select_related("author").order_by("-number")
    items = [
        Item(
            name=f"post/{post.pk}",
            title=f"{found.title} #{post.number}",
            url=thread_url(found.pk, found.slug, number=post.number),
            author=post.author.handle,
            made=post.made,
            changed=post.edited,
            html=post.html,
        )
        for post in posts[: feeds.SIZE]
    ]
    return feeds.answer(request, form, Feed(title=found.title, url=found.get_absolute_url(), about="", items=items))


def _threads(threads: QuerySet[Thread]) -> list[Item]:
    """Return the newest of some threads, in the order of the lists, with what they began with."""
    newest = list(threads.select_related("author").order_by("-last_at", "-pk")[: feeds.SIZE])
    texts = kinds.thread_texts([one.pk for one in newest])
    return [
        Item(
            name=f"thread/{one.pk}",
            title=one.title,
            url=one.get_absolute_url(),
            author=one.author.handle,
            made=one.made,
            changed=one.last_at,
            html=texts.get(one.pk, ""),
            tags=tuple(one.tags.split()),
        )
        for one in newest
    ]
