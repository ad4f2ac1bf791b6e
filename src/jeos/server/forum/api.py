"""The forum's part of the API: categories, threads and posts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query, Router
from ninja.responses import Status
from pydantic import BaseModel, Field

from jeos.server.accounts.models import Member
from jeos.server.api import access, answers, lists, shapes
from jeos.server.content import limits
from jeos.server.content.limits import TooOften
from jeos.server.forum import categories, posting, queries, rights
from jeos.server.forum.forms import EditForm, ReplyForm, ThreadForm
from jeos.server.forum.models import Category, Post, Thread, thread_url
from jeos.server.forum.views.access import find_category, find_post, find_thread

router = Router(tags=["Forum"])

Slug = Annotated[str, Field(max_length=60, pattern=r"^[A-Za-z0-9_-]+$", examples=["building"])]


class CategoryOut(BaseModel):
    """A part of the forum."""

    slug: str = Field(examples=["building"])
    name: str = Field(examples=["Building"])
    description: str
    staff: bool = Field(description="for moderators only")
    solvable: bool = Field(description="threads are questions, and have answers")
    threads: int
    posts: int
    url: str


class ThreadOut(BaseModel):
    """A thread; its texts are its posts."""

    number: int = Field(examples=[12])
    category: str = Field(examples=["building"])
    title: str = Field(examples=["No network after the update"])
    tags: list[str]
    author: shapes.Author
    made: datetime
    last_at: datetime = Field(description="of the newest post")
    posts: int
    solved_by: int | None = Field(description="the place of the post that solved it")
    pinned: bool
    closed: bool
    hidden: bool = Field(description="only its author and moderators see it")
    url: str


class PostOut(shapes.Text):
    """A post. The first of a thread is the thread's own text."""

    number: int = Field(description="by which the post is found", examples=[345])
    thread: int = Field(examples=[12])
    place: int = Field(description="in its thread, from 1 on", examples=[2])
    reply_to: int | None = Field(description="the place of the post that is answered")
    author: shapes.Author
    made: datetime
    edited: datetime | None
    version: int
    hidden: bool = Field(description="only its author and moderators see it")
    url: str


class ThreadIn(shapes.Body):
    """A new thread with its first post."""

    category: Slug
    title: shapes.Title
    source: shapes.Source
    tags: shapes.Tags = Field(default_factory=list)


class PostIn(shapes.Body):
    """A reply."""

    source: shapes.Source
    reply_to: Annotated[int, Field(ge=1, le=1 << 30, description="the place of the post that is answered")] | None = (
        None
    )


class PostChange(shapes.Body):
    """A change of a post; title and tags are the thread's, and only its first post has them."""

    source: shapes.Source
    reason: shapes.Reason = ""
    title: shapes.Title | None = None
    tags: shapes.Tags | None = None


def _category(found: Category) -> CategoryOut:
    return CategoryOut(
        slug=found.slug,
        name=found.name,
        description=found.description,
        staff=found.staff,
        solvable=found.solvable,
        threads=found.threads,
        posts=found.posts,
        url=shapes.address(found.get_absolute_url()),
    )


def _threads(rows: Sequence[Thread]) -> list[ThreadOut]:
    return [_thread(row, categories.by_number(row.category_id)) for row in rows]


def _thread(found: Thread, category: Category) -> ThreadOut:
    return ThreadOut(
        number=found.pk,
        category=category.slug,
        title=found.title,
        tags=found.tags.split(),
        author=shapes.author(found.author),
        made=found.made,
        last_at=found.last_at,
        posts=found.posts,
        solved_by=found.solved_number,
        pinned=found.pinned,
        closed=found.closed,
        hidden=found.hidden,
        url=shapes.address(found.get_absolute_url()),
    )


def _post(found: Post, thread: Thread) -> PostOut:
    return PostOut(
        number=found.pk,
        thread=thread.pk,
        place=found.number,
        reply_to=found.reply_to,
        author=shapes.author(found.author),
        source=found.source,
        html=found.html,
        made=found.made,
        edited=found.edited,
        version=found.version,
        hidden=found.hidden,
        url=shapes.address(thread_url(thread.pk, thread.slug, number=found.number)),
    )


def _find(number: int, member: Member | None) -> tuple[Thread, Category]:
    """Return a thread that somebody may read; for a merged one, the thread that it became part of. Raises Http404."""
    found, category = find_thread(number, member)
    return find_thread(found.moved_to_id, member) if found.moved_to_id is not None else (found, category)


class Categories(BaseModel):
    """All categories, in their order."""

    items: list[CategoryOut]


@router.get("/categories", auth=access.READS, response=answers.of(Categories), summary="Categories of the forum")
def list_categories(request: HttpRequest) -> Categories:
    """Return the categories that the caller may read."""
    return Categories(items=[_category(one) for one in categories.readable(access.reader(request))])


@router.get(
    "/threads", auth=access.READS, response=answers.of(lists.Listed[ThreadOut]), summary="Threads, newest post first"
)
def list_threads(
    request: HttpRequest,
    response: HttpResponse,
    category: Annotated[str, Query(max_length=60, pattern=r"^[A-Za-z0-9_-]*$", description="its slug")] = "",
    after: shapes.Cursor = "",
) -> lists.Listed[ThreadOut]:
    """Return the threads of all categories that the caller may read, or of one."""
    member = access.reader(request)
    within = find_category(category, member) if category else None
    rows = queries.threads_for(member, category=within).select_related("author")
    return lists.page(request, response, rows, _threads, keys=queries.LATEST, after=after)


@router.post("/threads", auth=access.WRITES, response=answers.written(ThreadOut), summary="Start a thread")
def start_thread(request: HttpRequest, value: ThreadIn) -> Status[ThreadOut]:
    """Start a thread. A new member's thread with many links waits for a moderator, and is `hidden` meanwhile."""
    member, now = access.member(request), timezone.now()
    said = {"category": value.category, "title": value.title, "source": value.source, "tags": ",".join(value.tags)}
    form = shapes.checked(ThreadForm(said, member=member, now=now))
    wanted = form.cleaned_data
    limits.use("thread", member=member)
    made = posting.start(
        wanted["category"], author=member, title=wanted["title"], source=wanted["source"], tag_names=wanted["tags"]
    )
    return answers.made(_thread(made, wanted["category"]))


@router.get("/threads/{number}", auth=access.READS, response=answers.of(ThreadOut), summary="A thread")
def thread(request: HttpRequest, number: shapes.Number) -> ThreadOut:
    """Return a thread without its posts."""
    return _thread(*_find(number, access.reader(request)))


@router.get(
    "/threads/{number}/posts",
    auth=access.READS,
    response=answers.of(lists.Listed[PostOut]),
    summary="Posts of a thread, oldest first",
)
def list_posts(
    request: HttpRequest, response: HttpResponse, number: shapes.Number, after: shapes.Cursor = ""
) -> lists.Listed[PostOut]:
    """Return the posts of a thread."""
    member = access.reader(request)
    found, _category = _find(number, member)
    rows = Post.objects.filter(thread=found).select_related("author")
    if member is None:
        rows = rows.filter(hidden=False)
    elif not member.moderates:
        rows = rows.filter(hidden=False) | rows.filter(author=member)

    def shape(posts: Sequence[Post]) -> list[PostOut]:
        return [_post(post, found) for post in posts]

    return lists.page(request, response, rows, shape, keys={"number": int}, after=after, rising=True)


@router.post("/threads/{number}/posts", auth=access.WRITES, response=answers.written(PostOut), summary="Reply")
def reply(request: HttpRequest, number: shapes.Number, value: PostIn) -> Status[PostOut]:
    """Add a post to the end of a thread."""
    member, now = access.member(request), timezone.now()
    found, category = _find(number, member)
    if not rights.may_reply(found, category, member, now=now):
        raise PermissionDenied(_("This thread takes no replies from you at present."))
    form = shapes.checked(ReplyForm({"source": value.source, "reply_to": value.reply_to}))
    last = queries.last_own_post(found, member)
    wait = rights.seconds_to_wait(found, category, member, last_post=last, now=now)
    if wait:
        raise TooOften("post", wait)
    limits.use("post", member=member)
    wanted = form.cleaned_data
    made = posting.reply(found, category, author=member, source=wanted["source"], reply_to=wanted["reply_to"])
    return answers.made(_post(made, found))


@router.get("/posts/{number}", auth=access.READS, response=answers.of(PostOut), summary="A post")
def post(request: HttpRequest, number: shapes.Number) -> PostOut:
    """Return a post, wherever it is now."""
    found, thread_, _category = find_post(number, access.reader(request))
    return _post(found, thread_)


@router.patch(
    "/posts/{number}", auth=access.WRITES, response=answers.written(PostOut, status=200), summary="Change a post"
)
def change_post(request: HttpRequest, number: shapes.Number, value: PostChange) -> PostOut:
    """Change a post of one's own; what it was stays in its history."""
    member, now = access.member(request), timezone.now()
    found, thread_, _category = find_post(number, member)
    if not rights.may_edit(found, thread_, member, now=now):
        raise PermissionDenied(_("You cannot edit this post."))
    first = found.number == 1
    tags = value.tags if first and value.tags is not None else thread_.tags.split()
    said = {"source": value.source, "reason": value.reason, "title": value.title or "", "tags": ",".join(tags)}
    wanted = shapes.checked(EditForm(said)).cleaned_data
    limits.use("edit", member=member)
    title = wanted["title"] if first else ""
    posting.edit(found, thread_, editor=member, source=wanted["source"], reason=wanted["reason"], title=title)
    if first and wanted["tags"] != thread_.tags.split() and rights.may_tag(thread_, member, now=now):
        posting.retag(thread_, wanted["tags"])
    return _post(found, thread_)
