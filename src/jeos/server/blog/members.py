"""What blogs know of a member: for the member's page, for taking it along, for forgetting it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from jeos.server.accounts import activity, export, leaving
from jeos.server.accounts.activity import Piece
from jeos.server.accounts.export import Json
from jeos.server.accounts.models import Member
from jeos.server.blog.models import Blog, Post, State, post_url

RECENT = 20


def register() -> None:
    """Register all three."""
    activity.register("blog", pieces)
    export.register("blog_posts", posts)
    leaving.register(forget)


def pieces(member: Member, reader: Member | None) -> Sequence[Piece]:
    """Return a member's last posts that everybody may read."""
    rows = Post.objects.filter(author=member, state=State.PUBLISHED, hidden=False).defer("source", "html")
    return [
        Piece(
            title=post.title,
            url=post_url(member.handle, post.pk, post.slug),
            excerpt=post.excerpt,
            date=post.published or post.made,
            note=_("blog post"),
        )
        for post in rows.order_by("-published", "-pk")[:RECENT]
    ]


def posts(member: Member) -> Iterator[dict[str, Json]]:
    """Return all posts of a member, drafts included."""
    rows = Post.objects.filter(author=member).select_related("series").order_by("pk")
    for post in rows.iterator(chunk_size=500):
        yield {
            "title": post.title,
            "address": post.get_absolute_url(),
            "state": State(post.state).name.lower(),
            "made": post.made.isoformat(),
            "published": post.published.isoformat() if post.published else None,
            "due": post.due.isoformat() if post.due else None,
            "series": post.series.title if post.series else "",
            "tags": list(post.tag_names),
            "source": post.source,
        }


def forget(member: Member) -> None:
    """Delete what nobody else has read, and what the blog said of the member."""
    Post.objects.filter(author=member).exclude(state=State.PUBLISHED).delete()
    Blog.objects.filter(member=member).update(title="", about="")
