"""A session: its page, choosing it, rating it, its history."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, for_moderators, visitor
from jeos.server.content import comments, following, kinds, limits, notifications, paging, texts
from jeos.server.content.views import back
from jeos.server.events import attending, clashes, queries, rights
from jeos.server.events.forms import RatingForm
from jeos.server.events.models import Rating, Session, Speaker
from jeos.server.events.models.sessions import OPEN
from jeos.server.events.views.access import find_session, frame
from jeos.server.events.views.offline import kept

RATINGS = 20  # on a page
VIEWS = "tl"  # the table and the list of a schedule, in each of which a session has a star


@require_GET
@kept
def session(request: HttpRequest, slug: str, number: int, words: str = "") -> HttpResponse:
    """Show a session with its speakers, ratings and comments."""
    member = visitor(request)
    found, who, speaks = find_session(slug, number, member)
    if words != found.slug:
        return redirect(found, permanent=True)
    return render(request, "events/session.html", _page(request, found, who, speaks=speaks))


def _page(
    request: HttpRequest, found: Session, who: rights.Standing, *, speaks: bool, form: RatingForm | None = None
) -> dict[str, object]:
    """Return what the page of a session shows."""
    member, now = who.member, timezone.now()
    own = attending.starred(member, found.event)
    named = Speaker.objects.filter(session=found, member=member).first() if member else None
    ratings = Rating.objects.filter(session=found).select_related("member")
    if member is None or not member.moderates:
        ratings = ratings.filter(hidden=False)
    mine = Rating.objects.filter(session=found, member=member).first() if member else None
    may_rate = rights.may_rate(found, member, speaks=speaks, now=now)
    shown = found.shown and not found.hidden
    return {
        **frame(found.event, who, "sessions"),
        "session": found,
        "speakers": list(Speaker.objects.filter(session=found, agreed=True).select_related("member").order_by("pk")),
        "asked": list(Speaker.objects.filter(session=found, agreed=False).select_related("member")) if speaks else [],
        "invitation": named is not None and not named.agreed,
        "speaks": speaks,
        "open": found.state in OPEN,
        "own": own,
        "others": _at_the_same_time(found, own) if found.pk in own else [],
        "may_edit": rights.may_edit(found, who, speaks=speaks, now=now),
        "may_rate": may_rate,
        "ratings": paging.newest(ratings, keys={"id": int}, after=request.GET.get("ratings"), size=RATINGS),
        "form": form or RatingForm(initial={"stars": mine.stars, "words": mine.words} if mine else None),
        "rated": mine is not None,
        "level": following.level(member, kinds.SESSION, found.pk) if member else 0,
        "talk": comments.talk(kinds.SESSION, found.pk, member, after=request.GET.get("comments"), now=now)
        if shown
        else None,
        "talk_url": found.get_absolute_url(),
    }


def _at_the_same_time(found: Session, own: set[int]) -> list[Session]:
    """Return what else of a member's choice is at the time of a session."""
    chosen = {one.pk: one for one in queries.schedule(found.event).filter(pk__in=own)}
    pairs = clashes.overlapping(queries.public_placed(chosen.values()))
    beside = {b.number if a.number == found.pk else a.number for a, b in pairs if found.pk in (a.number, b.number)}
    return [chosen[number] for number in sorted(beside)]


@require_POST
@for_members
def star(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Choose a session, or no longer; without scripts, come back to the button on the page where that was."""
    found, _who, _speaks = find_session(slug, number, member)
    if not rights.may_star(found, member):
        raise PermissionDenied(_("This session is on no schedule yet."))
    limits.use("star", member=member)
    wanted = request.POST.get("want") == "1"
    attending.star(found, member, wanted=wanted)
    if request.headers.get("HX-Request"):
        views = [view for view in VIEWS if view in request.POST.get("views", "")]
        context = {"session": found, "own": {found.pk} if wanted else set(), "member": member, "views": views}
        return render(request, "events/starred.html", context)
    came = back(request, found.get_absolute_url())
    view = request.GET.get("at", "")
    if len(view) == 1 and view in VIEWS:
        came["Location"] += f"#{view}{found.pk}"
    return came


@require_POST
@for_members
def rate(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Rate a session that has begun."""
    found, who, speaks = find_session(slug, number, member)
    if not rights.may_rate(found, member, speaks=speaks, now=timezone.now()):
        raise PermissionDenied(_("A session can be rated once it has begun, by those who do not speak in it."))
    form = RatingForm(request.POST)
    if not form.is_valid():
        return render(request, "events/session.html", _page(request, found, who, speaks=speaks, form=form))
    limits.use("vote", member=member)
    attending.rate(found, member, stars=form.cleaned_data["stars"], words=form.cleaned_data["words"])
    notifications.see(member, about=(kinds.SESSION, found.pk))
    return redirect(f"{found.get_absolute_url()}#ratings")


@require_POST
@for_moderators
def hide_rating(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Hide a rating, or show it again."""
    rows = Rating.objects.select_related("session__event", "member")
    rating = get_object_or_404(rows, pk=number, session__event__slug=slug)
    attending.set_rating_hidden(rating, not rating.hidden, actor=member)
    return redirect(f"{rating.session.get_absolute_url()}#ratings")


@require_GET
def history(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Show the versions of a session's text and what changed with each."""
    found, who, _speaks = find_session(slug, number, visitor(request))
    context = {
        **frame(found.event, who, "sessions"),
        "session": found,
        "history": texts.history(kinds.SESSION, found.pk),
    }
    return render(request, "events/history.html", context)
