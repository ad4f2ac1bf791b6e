"""Feeds of the planet, of the list of blogs, of a blog, of a series, and of the comments on a post."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts import site
from jeos.server.blog import queries
from jeos.server.blog.models import Post, blog_url, post_url, series_url
from jeos.server.blog.views.access import find_author, find_post, find_series
from jeos.server.blog.views.posts import place_of
from jeos.server.content import feeds, kinds, markdown
from jeos.server.content.feeds import Feed, Item
from jeos.server.content.models import Comment
from jeos.server.marks import COLON


@require_GET
def planet(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with all members' posts."""
    newest = _newest(queries.shown())
    feed = Feed(title=f"{site.name()}{COLON} {_('Blogs')}", url="/blog/", about=_("All members' posts"), items=newest)
    return feeds.answer(request, form, feed)


@require_GET
def blogs(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the blogs that have posts, those in which something was written last first."""
    items = [
        Item(
            name=f"blog/{row.pk}",
            title=row.title or row.member.shown_name,
            url=blog_url(row.member.handle),
            author=row.member.handle,
            made=row.member.joined,
            changed=row.last_at,
            html=markdown.as_html(row.about),
        )
        for row in queries.blogs(after=None, size=feeds.SIZE).rows
    ]
    feed = Feed(title=f"{site.name()}{COLON} {_('All blogs')}", url="/blog/all/", about="", items=items)
    return feeds.answer(request, form, feed)


@require_GET
def blog(request: HttpRequest, handle: str, form: str) -> HttpResponse:
    """Answer with the posts of a blog."""
    author = find_author(handle)
    found = queries.blog_of(author)
    items = _newest(queries.shown().filter(author=author))
    feed = Feed(title=found.title or author.shown_name, url=blog_url(author.handle), about=found.about, items=items)
    return feeds.answer(request, form, feed)


@require_GET
def series(request: HttpRequest, handle: str, slug: str, form: str) -> HttpResponse:
    """Answer with the newest posts of a series."""
    found = find_series(handle, slug)
    items = _newest(queries.shown().filter(series=found))
    url = series_url(found.author.handle, found.slug)
    return feeds.answer(request, form, Feed(title=found.title, url=url, about="", items=items))


@require_GET
def comments(request: HttpRequest, number: int, form: str) -> HttpResponse:
    """Answer with the newest comments on a post."""
    post = find_post(number, None)
    rows = Comment.objects.filter(kind=kinds.BLOG_POST, number=post.pk, hidden=False).select_related("author")
    items = [
        Item(
            name=f"comment/{row.pk}",
            title=f"{row.author.handle}: {post.title}",
            url=row.get_absolute_url(),
            author=row.author.handle,
            made=row.made,
            changed=row.edited,
            html=row.html,
        )
        for row in rows.order_by("-pk")[: feeds.SIZE]
    ]
    feed = Feed(title=_("Comments on “{title}”").format(title=post.title), url=place_of(post), about="", items=items)
    return feeds.answer(request, form, feed)


def _newest(posts: QuerySet[Post]) -> list[Item]:
    """Return the newest of some posts, with their whole texts."""
    rows = posts.defer(None).defer("source").order_by("-published", "-pk")
    return [
        Item(
            name=f"blogpost/{post.pk}",
            title=post.title,
            url=post_url(post.author.handle, post.pk, post.slug),
            author=post.author.handle,
            made=post.published or post.made,
            changed=post.edited,
            html=post.html,
            tags=tuple(post.tag_names),
        )
        for post in rows[: feeds.SIZE]
    ]
