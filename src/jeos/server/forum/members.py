"""What the forum knows of a member: for the member's page, for taking it along, for forgetting it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jeos.server.accounts import activity, export, leaving
from jeos.server.accounts.activity import Piece
from jeos.server.accounts.export import Json
from jeos.server.accounts.models import Member
from jeos.server.content import markdown
from jeos.server.forum import categories
from jeos.server.forum.models import Post, ReadCategory, ReadThread, thread_url

RECENT = 20


def register() -> None:
    """Register all three."""
    activity.register("forum", pieces)
    export.register("posts", posts)
    leaving.register(forget)


def pieces(member: Member, reader: Member | None) -> Sequence[Piece]:
    """Return a member's last posts, as far as the reader may read them."""
    closed = set(categories.closed_areas(reader))
    rows = Post.objects.filter(author=member).select_related("thread").order_by("-pk")[: RECENT * 2]
    return [
        Piece(
            title=post.thread.title,
            url=thread_url(post.thread_id, post.thread.slug, number=post.number),
            excerpt=markdown.opening(post.source),
            date=post.made,
            note=categories.by_number(post.thread.category_id).name,
        )
        for post in rows
        if not post.hidden and not post.thread.hidden and post.thread.category_id not in closed
    ][:RECENT]


def posts(member: Member) -> Iterator[dict[str, Json]]:
    """Return all posts of a member."""
    for post in Post.objects.filter(author=member).select_related("thread").order_by("pk").iterator(chunk_size=500):
        yield {
            "thread": post.thread.title,
            "address": post.get_absolute_url(),
            "made": post.made.isoformat(),
            "source": post.source,
        }


def forget(member: Member) -> None:
    """Delete what was kept about a member's reading."""
    ReadThread.objects.filter(member=member).delete()
    ReadCategory.objects.filter(member=member).delete()
