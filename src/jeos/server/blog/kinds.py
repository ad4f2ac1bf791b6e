"""What blog posts are for the rest of the site: how they look in lists, and how moderators hide them."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from jeos.server.accounts.models import Member
from jeos.server.blog import posting
from jeos.server.blog.models import Post, State, post_url
from jeos.server.content import kinds
from jeos.server.content.kinds import Body, Card, Kind


def register() -> None:
    """Register blog posts."""
    kinds.register(
        Kind(
            code=kinds.BLOG_POST,
            name="blogpost",
            label=_("blog post"),
            cards=cards,
            tagged=Post,
            body=body,
            set_hidden=posting.set_hidden,
            texts=texts,
            count_comments=count_comments,
        )
    )


def cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of the posts that everybody may read: what is not for all is in no list of many kinds."""
    rows = Post.objects.filter(pk__in=numbers, state=State.PUBLISHED, hidden=False).select_related("author")
    return {
        post.pk: Card(
            kind=kinds.BLOG_POST,
            number=post.pk,
            title=post.title,
            url=post_url(post.author.handle, post.pk, post.slug),
            author=post.author.handle,
            date=post.published or post.made,
            excerpt=post.excerpt,
            note=str(_("blog post")),
        )
        for post in rows.defer("source", "html")
    }


def body(number: int) -> Body | None:
    """Return a post as moderators need it."""
    post = Post.objects.select_related("author").filter(pk=number).first()
    if post is None:
        return None
    url = post_url(post.author.handle, post.pk, post.slug)
    return Body(post.author_id, post.title, url, post.source, post.hidden)


def texts(numbers: Sequence[int]) -> dict[int, str]:
    """Return posts as pages show them."""
    return dict(Post.objects.filter(pk__in=numbers).values_list("pk", "html"))


def count_comments(number: int, change: int) -> None:
    """Add to the number of a post's comments."""
    Post.objects.filter(pk=number).update(comments=F("comments") + change)
