"""Reviewing what was submitted, and deciding on it."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Avg, Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members
from jeos.server.content import paging
from jeos.server.events import reviewing, rights, submitting
from jeos.server.events.forms import DecideForm, ReviewForm
from jeos.server.events.models import Event, Review, Session, Speaker, State
from jeos.server.events.rights import Standing
from jeos.server.events.views.access import find_event, find_session, frame

PAGE = 50  # sessions on a page


def _reviewed(slug: str, member: Member) -> tuple[Event, Standing]:
    """Return an event for which the member reviews. Raises Http404 and PermissionDenied."""
    event, who = find_event(slug, member)
    if not who.reviews:
        raise PermissionDenied(_("This page is for the reviewers of the event."))
    return event, who


@require_GET
@for_members
def submissions(request: HttpRequest, member: Member, slug: str) -> HttpResponse:
    """Show what was submitted, the newest first: what is undecided, or what stands in some way."""
    event, who = _reviewed(slug, member)
    state = next((one for one in State if one.name.lower() == request.GET.get("state")), State.SUBMITTED)
    rows: QuerySet[Session] = Session.objects.filter(event=event, state=state).select_related(
        "event", "track", "author"
    )
    if not who.organises:
        rows = rows.filter(hidden=False)
    page = paging.newest(rows, keys={"id": int}, after=request.GET.get("after"), size=PAGE)
    numbers = [one.pk for one in page.rows]
    counted = Review.objects.filter(session__in=numbers).values_list("session").annotate(Avg("score"), Count("pk"))
    mine = set(Review.objects.filter(session__in=numbers, reviewer=member).values_list("session_id", flat=True))
    speaks = set(Speaker.objects.filter(session__in=numbers, member=member).values_list("session_id", flat=True))
    context = {
        **frame(event, who, "review"),
        "sessions": page.rows,
        "after": page.after,
        "state": state,
        "states": [(one.name.lower(), one.label) for one in State],
        "scores": {session: (mean, count) for session, mean, count in counted if session not in speaks},
        "reviewed": mine,
        "own": speaks | {one.pk for one in page.rows if one.author_id == member.pk and not one.invited},
    }
    return render(request, "events/submissions.html", context)


@for_members
def review(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Score a session. Others' words are shown to a reviewer after the reviewer's own, to organisers always."""
    _reviewed(slug, member)
    session, who, speaks = find_session(slug, number, member)
    if speaks:
        raise PermissionDenied(_("Nobody reviews a session of one's own."))
    may_review = rights.may_review(session, who, speaks=speaks, now=timezone.now())
    mine = Review.objects.filter(session=session, reviewer=member).first()
    form = ReviewForm(request.POST or None, initial={"score": mine.score, "words": mine.words} if mine else None)
    if request.method == "POST":
        if not may_review:
            raise PermissionDenied(_("It is decided already."))
        if form.is_valid():
            cleaned = form.cleaned_data
            reviewing.review(session, reviewer=member, score=cleaned["score"], words=cleaned["words"])
            return redirect("events:review", slug)
    others = Review.objects.filter(session=session).select_related("reviewer").order_by("pk")
    context = {
        **frame(session.event, who, "review"),
        "session": session,
        "form": form,
        "may_review": may_review,
        "reviews": list(others) if mine or who.organises else [],
        "hides_others": not mine and not who.organises,
        "speakers": list(Speaker.objects.filter(session=session).select_related("member").order_by("pk")),
    }
    return render(request, "events/review.html", context)


@require_POST
@for_members
def decide(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Accept or reject a session, or open the question again."""
    session, who, _speaks = find_session(slug, number, member)
    if not who.organises:
        raise PermissionDenied(_("This page is for the organisers of the event."))
    form = DecideForm(request.POST)
    if form.is_valid():
        try:
            submitting.decide(session, form.cleaned_data["state"], actor=member)
        except ValueError as error:
            raise PermissionDenied(_("Its speakers withdrew it.")) from error
    return redirect("events:review-session", slug, number) if _to_review(session, member) else redirect(session)


@require_POST
@for_members
def decide_many(request: HttpRequest, member: Member, slug: str) -> HttpResponse:
    """Accept or reject several sessions; those that their speakers withdrew meanwhile stay as they are."""
    event, who = _reviewed(slug, member)
    if not who.organises:
        raise PermissionDenied(_("This page is for the organisers of the event."))
    form = DecideForm(request.POST)
    decided = 0
    if form.is_valid():
        chosen = Session.objects.filter(event=event, pk__in=form.cleaned_data["number"][:PAGE])
        for session in chosen.exclude(state=State.WITHDRAWN).select_related("event").order_by("pk"):
            submitting.decide(session, form.cleaned_data["state"], actor=member)
            decided += 1
    said = ngettext(
        "{n} session decided; its speakers are told.", "{n} sessions decided; their speakers are told.", decided
    )
    messages.success(request, said.format(n=decided))
    return redirect("events:review", slug)


def _to_review(session: Session, member: Member) -> bool:
    """Tell whether a member may look at the reviews of a session."""
    return not rights.speaks(session, member)
