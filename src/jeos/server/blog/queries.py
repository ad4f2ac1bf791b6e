"""What the blogs' pages show, read with a fixed number of queries however many rows there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from jeos.server.accounts.models import Member
from jeos.server.blog.models import Blog, Post, Series, State
from jeos.server.content import following, kinds, paging, reactions
from jeos.server.content.models import Bookmark, Following, Level

LIST = 20  # posts on a page of a list
BLOGS = 30  # blogs on a page of their list
BESIDE = 8  # blogs beside the planet
PARTS = 100  # posts of a series that its box names
NEWEST = {"published": datetime, "id": int}


def shown() -> QuerySet[Post]:
    """Return the posts that everybody may read, as lists need them: without their texts."""
    rows = Post.objects.filter(state=State.PUBLISHED, hidden=False)
    return rows.select_related("author", "series").defer("source", "html")


def page(posts: QuerySet[Post], *, after: str | None) -> paging.Page[Post]:
    """Return a page of some posts, newest first."""
    return paging.newest(posts, keys=NEWEST, after=after, size=LIST)


def followed(member: Member) -> QuerySet[Post]:
    """Return the posts of the blogs that a member follows."""
    mine = Following.objects.filter(member=member, kind=following.BLOG, level=Level.FOLLOWED)
    return shown().filter(author__in=mine.values("number"))


def own(member: Member, *, after: str | None) -> paging.Page[Post]:
    """Return a page of a member's own published posts, hidden ones too, last touched first."""
    rows = Post.objects.filter(author=member, state=State.PUBLISHED).select_related("series").defer("source", "html")
    return paging.newest(rows, keys={"touched": datetime, "id": int}, after=after, size=LIST)


def unpublished(member: Member) -> tuple[list[Post], list[Post]]:
    """Return a member's scheduled posts, the next first, and drafts, last touched first."""
    rows = Post.objects.filter(author=member).select_related("series").defer("source", "html")
    scheduled = list(rows.filter(state=State.SCHEDULED).order_by("due", "pk")[:PARTS])
    return scheduled, list(rows.filter(state=State.DRAFT).order_by("-touched", "-pk")[:PARTS])


def blogs(*, after: str | None, size: int = BLOGS) -> paging.Page[Blog]:
    """Return a page of the blogs that have posts, those in which something was written last first."""
    rows = Blog.objects.filter(posts__gt=0).select_related("member")
    return paging.newest(rows, keys={"last_at": datetime, "member_id": int}, after=after, size=size)


def blog_of(member: Member) -> Blog:
    """Return a member's blog; one without a row is empty, and has no title of its own."""
    found = Blog.objects.filter(member=member).first() or Blog(member=member)
    found.member = member
    return found


def series_of(member: Member) -> list[Series]:
    """Return a member's series, by title."""
    return list(Series.objects.filter(author=member).order_by("title"))


def parts(series: Series) -> list[Post]:
    """Return the posts of a series that everybody may read, in their order."""
    return list(shown().filter(series=series).order_by("published", "pk")[:PARTS])


@dataclass(frozen=True)
class Line:
    """A series around one of its posts: all of them, and which of them it is, from 1."""

    posts: list[Post]
    place: int


def line_of(post: Post) -> Line | None:
    """Return the series that a post is shown in, if it is in one."""
    if post.series is None:
        return None
    posts = parts(post.series)
    place = next((place for place, part in enumerate(posts, start=1) if part.pk == post.pk), 0)
    return Line(posts=posts, place=place) if place else None


@dataclass(frozen=True)
class Beside:
    """The posts before and after one in its blog."""

    older: Post | None
    newer: Post | None


def beside(post: Post) -> Beside:
    """Return a published post's neighbours."""
    if post.published is None:
        return Beside(older=None, newer=None)
    rows = Post.objects.filter(author=post.author_id, state=State.PUBLISHED, hidden=False).defer("source", "html")
    older = rows.filter(published__lt=post.published).order_by("-published", "-pk").first()
    newer = rows.filter(published__gt=post.published).order_by("published", "pk").first()
    return Beside(older=older, newer=newer)


@dataclass(frozen=True)
class Own:
    """How a post stands for a member."""

    signs: frozenset[int] = frozenset()
    kept: bool = False
    level: int = 0  # how much the member wants to hear of the blog


def own_of(post: Post, member: Member | None) -> Own:
    """Return how a post stands for somebody."""
    if member is None:
        return Own()
    signs = reactions.own(member, kinds.BLOG_POST, [post.pk]).get(post.pk, set())
    return Own(
        signs=frozenset(signs),
        kept=Bookmark.objects.filter(member=member, kind=kinds.BLOG_POST, number=post.pk).exists(),
        level=following.level(member, following.BLOG, post.author_id),
    )
