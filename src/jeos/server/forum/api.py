"""The forum's part of the API: categories, threads, posts, and the small moves on them: reactions, answers, votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from ninja.responses import Status
from pydantic import BaseModel, Field

from jeos.server.accounts.models import Member
from jeos.server.api import access, answers, following, lists, problems, shapes
from jeos.server.api.following import FollowingIn, FollowingOut
from jeos.server.content import limits, reactions, trust
from jeos.server.content.following import CATEGORY
from jeos.server.content.limits import TooOften
from jeos.server.forum import categories, described, moderating, polls, posting, queries, reacting, rights
from jeos.server.forum.described import CategoryOut, PollOut, PostOut, ThreadOut
from jeos.server.forum.forms import EditForm, ReplyForm, ThreadForm
from jeos.server.forum.models import Category, Poll, Post, Thread
from jeos.server.forum.views.access import find_category, find_post, find_thread

router = Router(tags=["Forum"])

Slug = Annotated[str, Field(max_length=60, pattern=r"^[A-Za-z0-9_-]+$", examples=["building"])]


SlugInPath = Annotated[str, Path(max_length=60, pattern=r"^[A-Za-z0-9_-]+$", examples=["building"])]
Sign = Annotated[Literal["thanks", "works", "agree", "funny"], Path(examples=["thanks"])]
SIGNS = {name: number for number, name in reactions.NAMES.items()}
OptionNumber = Annotated[int, Field(ge=1, le=shapes.LARGEST, examples=[7])]


class AnswerIn(shapes.Body):
    """Which post solved it."""

    place: Annotated[int, Field(ge=2, le=1 << 30, description="in the thread", examples=[2])]


class ChoiceIn(shapes.Body):
    """What one chooses in a poll; nothing takes one's vote back."""

    options: Annotated[list[OptionNumber], Field(max_length=polls.OPTIONS, description="numbers of options")]


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
    return Categories(items=[described.category(one) for one in categories.readable(access.reader(request))])


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
    return lists.page(request, response, rows, described.threads, keys=queries.LATEST, after=after)


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
    return answers.made(described.thread(made, wanted["category"]))


@router.get("/threads/{number}", auth=access.READS, response=answers.of(ThreadOut), summary="A thread")
def thread(request: HttpRequest, number: shapes.Number) -> ThreadOut:
    """Return a thread without its posts."""
    return described.thread(*_find(number, access.reader(request)))


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
        return [described.post(post, found) for post in posts]

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
    return answers.made(described.post(made, found))


@router.get("/posts/{number}", auth=access.READS, response=answers.of(PostOut), summary="A post")
def post(request: HttpRequest, number: shapes.Number) -> PostOut:
    """Return a post, wherever it is now."""
    found, thread_, _category = find_post(number, access.reader(request))
    return described.post(found, thread_)


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
    return described.post(found, thread_)


def _react(request: HttpRequest, number: int, sign: str, *, wanted: bool) -> PostOut:
    member = access.member(request)
    found, thread_, _category = find_post(number, member)
    if not rights.may_react(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot react to this post."))
    limits.use("reaction", member=member)
    reacting.react(found, thread_, member, SIGNS[sign], wanted=wanted)
    return described.post(found, thread_)


@router.put(
    "/posts/{number}/reactions/{sign}",
    auth=access.WRITES,
    response=answers.written(PostOut, status=200),
    summary="React to a post",
)
def react_to_post(request: HttpRequest, number: shapes.Number, sign: Sign) -> PostOut:
    """Add a reaction; a second one with the same sign changes nothing."""
    return _react(request, number, sign, wanted=True)


@router.delete(
    "/posts/{number}/reactions/{sign}",
    auth=access.WRITES,
    response=answers.written(PostOut, status=200),
    summary="Take a reaction to a post back",
)
def take_reaction_to_post_back(request: HttpRequest, number: shapes.Number, sign: Sign) -> PostOut:
    """Take a reaction of one's own back."""
    return _react(request, number, sign, wanted=False)


def _solve(request: HttpRequest, number: int, place: int | None) -> ThreadOut:
    member = access.member(request)
    found, category = _find(number, member)
    if not rights.may_solve(found, category, member, now=timezone.now()):
        raise PermissionDenied(_("Who asked chooses the answer."))
    if place is None or place != found.solved_number:
        try:
            moderating.solve(found, place, actor=member)
        except ValueError as error:
            fault = problems.Fault(where="place", message=_("This thread has no such reply."))
            raise problems.Invalid([fault]) from error
    return described.thread(found, category)


@router.put(
    "/threads/{number}/answer",
    auth=access.WRITES,
    response=answers.written(ThreadOut, status=200),
    summary="Say which post solved a thread",
)
def choose_answer(request: HttpRequest, number: shapes.Number, value: AnswerIn) -> ThreadOut:
    """Choose the answer, as who asked or as a moderator, in a category whose threads are questions."""
    return _solve(request, number, value.place)


@router.delete(
    "/threads/{number}/answer",
    auth=access.WRITES,
    response=answers.written(ThreadOut, status=200),
    summary="Say that a thread is not solved",
)
def drop_answer(request: HttpRequest, number: shapes.Number) -> ThreadOut:
    """Let no post be the answer any more."""
    return _solve(request, number, None)


def _poll(found: Thread, member: Member | None) -> PollOut:
    shown = polls.of(found, member, now=timezone.now())
    if shown is None:
        raise Http404
    return described.poll(shown)


@router.get("/threads/{number}/poll", auth=access.READS, response=answers.of(PollOut), summary="The poll of a thread")
def poll(request: HttpRequest, number: shapes.Number) -> PollOut:
    """Return the question above a thread, with its options."""
    member = access.reader(request)
    found, _category = _find(number, member)
    return _poll(found, member)


@router.put(
    "/threads/{number}/poll/choice",
    auth=access.WRITES,
    response=answers.written(PollOut, status=200),
    summary="Vote in the poll of a thread",
)
def vote_in_poll(request: HttpRequest, number: shapes.Number, value: ChoiceIn) -> PollOut:
    """Set one's choice, which may be changed until the poll closes."""
    member, now = access.member(request), timezone.now()
    found, _category = _find(number, member)
    held = get_object_or_404(Poll, thread=found)
    trust.check_may_write(member, now=now)
    try:
        polls.vote(held, member, value.options, now=now)
    except ValueError as error:
        detail = _("The poll is closed, has no such option, or takes fewer.")
        raise problems.Invalid([problems.Fault(where="options", message=detail)]) from error
    return _poll(found, member)


@router.put(
    "/categories/{slug}/following",
    auth=access.WRITES,
    response=answers.written(FollowingOut, status=200),
    summary="Follow or mute a category",
)
def follow_category(request: HttpRequest, slug: SlugInPath, value: FollowingIn) -> FollowingOut:
    """Hear of new threads in a category, or of none."""
    member = access.member(request)
    return following.follow(member, CATEGORY, find_category(slug, member).pk, value)
