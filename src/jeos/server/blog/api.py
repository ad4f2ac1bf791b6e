"""The blogs' part of the API: published posts, writing one, taking it back, reactions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from ninja.responses import Status
from pydantic import BaseModel, Field

from jeos.server.accounts.models import HANDLE_LENGTH
from jeos.server.api import access, answers, following, lists, shapes
from jeos.server.api.following import FollowingIn, FollowingOut
from jeos.server.blog import posting, queries, reacting, rights
from jeos.server.blog.forms import DRAFT, PUBLISH, PostForm
from jeos.server.blog.models import Post, State, post_url
from jeos.server.blog.views.access import find_author, find_post
from jeos.server.content import limits, reactions, texts, trust
from jeos.server.content.following import BLOG

router = Router(tags=["Blogs"])

Handle = Annotated[str, Query(max_length=HANDLE_LENGTH, pattern=r"^[a-z0-9_-]*$", description="whose posts")]
Sign = Annotated[Literal["thanks", "works", "agree", "funny"], Path(examples=["thanks"])]
SIGNS = {name: number for number, name in reactions.NAMES.items()}


class PostLine(BaseModel):
    """A post in a list."""

    number: int = Field(examples=[12])
    title: str = Field(examples=["What we learned from a thousand updates"])
    excerpt: str
    tags: list[str]
    series: str | None
    author: shapes.Author
    published: datetime | None = Field(description="null in a draft")
    comments: int
    url: str


class BlogPost(PostLine, shapes.Text):
    """A post with its text."""

    state: str = Field(examples=["published"])
    edited: datetime | None
    version: int
    reactions: dict[str, int] = Field(examples=[{"thanks": 2}])
    hidden: bool = Field(description="only its author and moderators see it")


class BlogPostIn(shapes.Body):
    """A new post: published at once, or a draft."""

    title: Annotated[str, Field(min_length=1, max_length=150, examples=["What we learned"])]
    source: shapes.Source
    tags: shapes.Tags = Field(default_factory=list)
    series: Annotated[str, Field(max_length=100)] = ""
    publish: bool = False


class BlogPostChange(shapes.Body):
    """A change of a post."""

    title: Annotated[str, Field(min_length=1, max_length=150, examples=["What we learned"])]
    source: shapes.Source
    tags: shapes.Tags = Field(default_factory=list)
    series: Annotated[str, Field(max_length=100)] = ""
    reason: shapes.Reason = ""


def _line(row: Post) -> dict[str, object]:
    return {
        "number": row.pk,
        "title": row.title,
        "excerpt": row.excerpt,
        "tags": row.tag_names,
        "series": row.series.title if row.series else None,
        "author": shapes.author(row.author),
        "published": row.published,
        "comments": row.comments,
        "url": shapes.address(post_url(row.author.handle, row.pk, row.slug)),
    }


def _lines(rows: Sequence[Post]) -> list[PostLine]:
    return [PostLine.model_validate(_line(row)) for row in rows]


def _whole(row: Post) -> BlogPost:
    text = {"source": row.source, "html": row.html, "edited": row.edited, "version": row.version}
    signs = {reactions.NAMES[int(sign)]: count for sign, count in row.reactions.items()}
    how = {"state": State(row.state).name.lower(), "hidden": row.hidden, "reactions": signs}
    return BlogPost.model_validate(_line(row) | text | how)


@router.get(
    "/blog/posts", auth=access.READS, response=answers.of(lists.Listed[PostLine]), summary="Blog posts, newest first"
)
def list_blog_posts(
    request: HttpRequest, response: HttpResponse, author: Handle = "", after: shapes.Cursor = ""
) -> lists.Listed[PostLine]:
    """Return the published posts of all members, or of one."""
    rows = queries.shown()
    if author:
        rows = rows.filter(author=find_author(author))
    return lists.page(request, response, rows, _lines, keys=queries.NEWEST, after=after)


@router.get("/blog/posts/{number}", auth=access.READS, response=answers.of(BlogPost), summary="A blog post")
def blog_post(request: HttpRequest, number: shapes.Number) -> BlogPost:
    """Return a post; a draft to its author only."""
    return _whole(find_post(number, access.reader(request)))


@router.post("/blog/posts", auth=access.WRITES, response=answers.written(BlogPost), summary="Write a blog post")
def write_blog_post(request: HttpRequest, value: BlogPostIn) -> Status[BlogPost]:
    """Write a post into one's own blog."""
    member = access.member(request)
    trust.check_may_write(member, now=timezone.now())
    said = {"title": value.title, "source": value.source, "tags": ",".join(value.tags), "series": value.series}
    form = shapes.checked(PostForm(said, action=PUBLISH if value.publish else DRAFT))
    limits.use("blogpost", member=member)
    with transaction.atomic():
        made = posting.begin(member, form.writing())
        if value.publish:
            posting.publish(made)
    return answers.made(_whole(made))


@router.put(
    "/blog/posts/{number}",
    auth=access.WRITES,
    response=answers.written(BlogPost, status=200),
    summary="Change a blog post",
)
def change_blog_post(request: HttpRequest, number: shapes.Number, value: BlogPostChange) -> BlogPost:
    """Change a post of one's own; what others have read stays in its history."""
    member = access.member(request)
    found = find_post(number, member)
    if not rights.may_edit(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this post."))
    said = {"title": value.title, "source": value.source, "tags": ",".join(value.tags), "series": value.series}
    action = PUBLISH if found.state == State.PUBLISHED else DRAFT
    form = shapes.checked(PostForm(said | {"reason": value.reason}, action=action))
    limits.use("edit", member=member)
    posting.change(found, form.writing(), editor=member, reason=form.cleaned_data["reason"])
    return _whole(found)


@router.post(
    "/blog/posts/{number}/publish",
    auth=access.WRITES,
    response=answers.written(BlogPost, status=200),
    summary="Publish a draft",
)
def publish_blog_post(request: HttpRequest, number: shapes.Number) -> BlogPost:
    """Publish a draft of one's own; one that is published stays as it is."""
    member = access.member(request)
    found = find_post(number, member)
    if found.author_id != member.pk or not rights.may_edit(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this post."))
    said = {"title": found.title, "source": found.source, "tags": found.tags}
    shapes.checked(PostForm(said, action=PUBLISH))
    posting.publish(found)
    return _whole(found)


@router.post(
    "/blog/posts/{number}/withdraw",
    auth=access.WRITES,
    response=answers.written(BlogPost, status=200),
    summary="Take a blog post back",
)
def withdraw_blog_post(request: HttpRequest, number: shapes.Number) -> BlogPost:
    """Let a post of one's own be a draft again."""
    member = access.member(request)
    found = find_post(number, member)
    if not rights.may_withdraw(found, member):
        raise PermissionDenied(_("You cannot take this post back."))
    posting.withdraw(found)
    return _whole(found)


@router.delete(
    "/blog/posts/{number}",
    auth=access.WRITES,
    response=answers.written(None, status=204),
    summary="Delete a draft of a blog post",
)
def delete_blog_post(request: HttpRequest, number: shapes.Number) -> Status[None]:
    """Delete a post of one's own that was never published."""
    member = access.member(request)
    found = find_post(number, member)
    if not rights.may_delete(found, member):
        raise PermissionDenied(_("What others have read is not deleted; take it back instead."))
    posting.delete(found)
    texts.save_draft(member, f"blog.edit.{number}", source="")
    return answers.done()


def _react(request: HttpRequest, number: int, sign: str, *, wanted: bool) -> BlogPost:
    member = access.member(request)
    found = find_post(number, member)
    if not rights.may_react(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot react to this post."))
    limits.use("reaction", member=member)
    reacting.react(found, member, SIGNS[sign], wanted=wanted)
    return _whole(found)


@router.put(
    "/blog/posts/{number}/reactions/{sign}",
    auth=access.WRITES,
    response=answers.written(BlogPost, status=200),
    summary="React to a blog post",
)
def react_to_blog_post(request: HttpRequest, number: shapes.Number, sign: Sign) -> BlogPost:
    """Add a reaction; a second one with the same sign changes nothing."""
    return _react(request, number, sign, wanted=True)


@router.delete(
    "/blog/posts/{number}/reactions/{sign}",
    auth=access.WRITES,
    response=answers.written(BlogPost, status=200),
    summary="Take a reaction to a blog post back",
)
def take_reaction_to_blog_post_back(request: HttpRequest, number: shapes.Number, sign: Sign) -> BlogPost:
    """Take a reaction of one's own back."""
    return _react(request, number, sign, wanted=False)


@router.put(
    "/blog/authors/{handle}/following",
    auth=access.WRITES,
    response=answers.written(FollowingOut, status=200),
    summary="Follow or mute a member's blog",
)
def follow_blog(request: HttpRequest, handle: shapes.HandleInPath, value: FollowingIn) -> FollowingOut:
    """Hear of new posts in a blog, or of none."""
    return following.follow(access.member(request), BLOG, find_author(handle).pk, value)
