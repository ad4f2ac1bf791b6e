"""A thread, page by page, and the small moves on it: reading marks, reactions, the answer, votes."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import kinds, limits, notifications, reactions, texts, trust
from jeos.server.forum import moderating, polls, queries, reacting, reading, rights
from jeos.server.forum.models import Category, Poll, Thread, thread_url
from jeos.server.forum.views.access import category_of, find_post, find_thread


@require_GET
def thread(request: HttpRequest, number: int, slug: str = "", page: int = 1) -> HttpResponse:
    """Show a page of a thread."""
    member = visitor(request)
    known = queries.thread_for(number, member, place=reply_place(number))
    if known is None:
        raise Http404
    found, state = known
    category = category_of(found, member)
    if found.moved_to_id is not None:
        return redirect(found.moved_to, permanent=True)  # type: ignore[arg-type]
    last = queries.pages(found)
    if slug != found.slug:
        return redirect(f"{thread_url(found.pk, found.slug)}{f'{page}/' if page > 1 else ''}", permanent=True)
    if not 1 <= page <= last:
        raise Http404
    posts = queries.posts_of(found, page, member)
    return render(request, "forum/thread.html", _context(found, category, state, posts, page, last, member))


def _context(
    found: Thread,
    category: Category,
    state: queries.State,
    posts: list[queries.Shown],
    page: int,
    last: int,
    member: Member | None,
) -> dict[str, object]:
    now = timezone.now()
    may_reply = rights.may_reply(found, category, member, now=now)
    slow, wait = slow_mode(found, category, member, now=now) if member is not None and may_reply else (0, 0)
    return {
        "thread": found,
        "category": category,
        "posts": posts,
        "page": page,
        "last": last,
        "numbers": queries.page_numbers(page, last),
        "member": member,
        "read": state.read,
        "end": posts[-1].number if posts else 0,
        "level": state.level,
        "may": rights.May(
            reply=may_reply,
            solve=rights.may_solve(found, category, member, now=now),
            moderate=member is not None and member.moderates,
            write=rights.may_write(member, now=now),
            answer=found.solved_number,
            starter=found.author_id,
        ),
        "draft": texts.draft(member, reply_place(found.pk)) if member and may_reply and state.draft else None,
        "place": reply_place(found.pk),
        "slow": slow,
        "wait": wait,
        "poll": polls.of(found, member, now=now) if page == 1 and state.poll else None,
    }


def slow_mode(found: Thread, category: Category, member: Member, *, now: datetime) -> tuple[int, int]:
    """Return the seconds between two posts of a member in a thread, and how many of them are left."""
    slow = rights.pause(found, category, member)
    if not slow:
        return 0, 0
    last = queries.last_own_post(found, member)
    return slow, rights.seconds_to_wait(found, category, member, last_post=last, now=now)


def reply_place(number: int) -> str:
    """Return the name of the place where drafts of replies to a thread are kept."""
    return f"forum.reply.{number}"


@require_GET
def post(request: HttpRequest, number: int) -> HttpResponse:
    """Lead from a post's lasting address to where it is now."""
    found, thread_, _category = find_post(number, visitor(request))
    return redirect(thread_url(thread_.pk, thread_.slug, number=found.number))


@require_GET
@for_members
def first_unread(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Lead to the first post of a thread that the member has not read."""
    found, _category = find_thread(number, member)
    at = reading.jump(found, reading.position(member, found) + 1)
    return redirect(thread_url(found.pk, found.slug, number=at))


@require_POST
@for_members
def mark(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Note how far the member has read a thread; what was told about it counts as seen."""
    found, _category = find_thread(number, member)
    try:
        reached = int(request.POST.get("number", ""))
    except ValueError as error:
        raise BadRequest("number is a post's number") from error
    reading.mark(member.pk, found.pk, min(max(0, reached), found.last_number))
    notifications.see(member, about=(kinds.THREAD, found.pk))
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204)
    return redirect(thread_url(found.pk, found.slug, number=min(max(1, reached), found.last_number)))


@require_POST
@for_members
def react(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Add a reaction to a post, or take it back."""
    found, thread_, category = find_post(number, member)
    sign = request.POST.get("sign", "")
    if not sign.isdecimal() or int(sign) not in reactions.SIGNS:
        raise BadRequest("there is no such reaction")
    if not rights.may_react(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot react to this post."))
    limits.use("reaction", member=member)
    reacting.react(found, thread_, member, int(sign))
    shown = queries.one_post(found.pk, member)
    if request.headers.get("HX-Request"):
        context = {"post": shown, "category": category, "member": member}
        return render(request, "forum/reactions.html", context)
    return redirect(thread_url(thread_.pk, thread_.slug, number=found.number))


@require_POST
@for_members
def solve(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Choose a post as the answer that solved the thread, or take that back."""
    found, thread_, category = find_post(number, member)
    if not rights.may_solve(thread_, category, member, now=timezone.now()):
        raise PermissionDenied(_("Who asked chooses the answer."))
    if found.number == 1 or found.hidden:
        raise BadRequest("a question is not its own answer")
    moderating.solve(thread_, None if thread_.solved_number == found.number else found.number, actor=member)
    return redirect(thread_url(thread_.pk, thread_.slug, number=found.number))


@require_POST
@for_members
def vote(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Set the member's choice in a thread's poll."""
    found, _category = find_thread(number, member)
    poll = Poll.objects.filter(thread=found).first()
    chosen = request.POST.getlist("option")
    if poll is None or not all(option.isdecimal() and len(option) < 19 for option in chosen):
        raise BadRequest("there is no such poll or option")
    trust.check_may_write(member, now=timezone.now())
    try:
        polls.vote(poll, member, [int(option) for option in chosen], now=timezone.now())
    except ValueError as error:
        raise BadRequest(str(error)) from error
    if request.headers.get("HX-Request"):
        shown = polls.of(found, member, now=timezone.now())
        return render(request, "forum/poll.html", {"poll": shown, "thread": found, "member": member})
    return redirect(thread_url(found.pk, found.slug))
