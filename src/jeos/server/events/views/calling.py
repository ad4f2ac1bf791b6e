"""The call for sessions: what is wanted, submitting, changing, confirming, withdrawing, agreeing to speak."""

from __future__ import annotations

from dataclasses import replace

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.content import kinds, limits, notifications, texts, trust
from jeos.server.events import rights, submitting
from jeos.server.events.forms import SessionForm
from jeos.server.events.models import Session, Speaker
from jeos.server.events.views.access import find_event, find_session, find_spoken, frame

OWN = 50  # sessions of one member at one event that are listed


@require_GET
def call(request: HttpRequest, slug: str) -> HttpResponse:
    """Show what sessions are wanted, and what the member has submitted."""
    event, who = find_event(slug, visitor(request))
    now = timezone.now()
    mine: list[Session] = []
    if who.member is not None:
        named = Speaker.objects.filter(member=who.member, session__event=event).values("session")
        rows = Session.objects.filter(pk__in=named).select_related("event", "track")
        mine = list(rows.order_by("-pk")[:OWN])
    context = {
        **frame(event, who, "call"),
        "open": event.calls(now=now),
        "may_submit": event.calls(now=now) and trust.may_write(who.member, now=now),
        "mine": mine,
    }
    return render(request, "events/call.html", context)


@for_members
def submit(request: HttpRequest, member: Member, slug: str) -> HttpResponse:
    """Submit a session."""
    event, who = find_event(slug, member)
    now = timezone.now()
    if not event.calls(now=now):
        raise PermissionDenied(_("The call for sessions is not open."))
    trust.check_may_write(member, now=now)
    form = SessionForm(request.POST or None, event=event, called=True)
    context: dict[str, object] = {**frame(event, who, "call"), "form": form, "session": None, "called": True}
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    elif request.method == "POST" and form.is_valid():
        limits.use("session", member=member)
        made = submitting.submit(event, form.wanted(), author=member)
        messages.success(
            request, _("Submitted. You hear of the organisers' decision; until the call closes you can edit it.")
        )
        return redirect(made)
    return render(request, "events/write.html", context)


@for_members
def edit(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Change a session."""
    session, who, speaks = find_session(slug, number, member)
    if not rights.may_edit(session, who, speaks=speaks, now=timezone.now()):
        raise PermissionDenied(_("You cannot edit this session."))
    called = not session.invited
    initial = SessionForm.initial_of(session)
    fixed = rights.is_fixed(session, who)
    form = SessionForm(request.POST or None, event=session.event, called=called, fixed=fixed, initial=initial)
    context: dict[str, object] = {
        **frame(session.event, who, "sessions"),
        "form": form,
        "session": session,
        "called": called,
    }
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    elif request.method == "POST" and form.is_valid():
        limits.use("edit", member=member)
        wanted = form.wanted()
        if fixed:
            wanted = replace(wanted, track=session.track, type=session.type)
        submitting.edit(session, wanted, editor=member, reason=form.cleaned_data["reason"])
        return redirect(session)
    return render(request, "events/write.html", context)


@require_POST
@for_members
def withdraw(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Take a session back."""
    session = find_spoken(slug, number, member)
    try:
        submitting.withdraw(session)
    except ValueError as error:
        raise PermissionDenied(_("There is nothing to withdraw.")) from error
    messages.success(request, _("It is withdrawn."))
    return redirect(session)


@require_POST
@for_members
def confirm(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Promise to come."""
    session = find_spoken(slug, number, member)
    try:
        submitting.confirm(session)
    except ValueError as error:
        raise PermissionDenied(_("Only an accepted session can be confirmed.")) from error
    notifications.see(member, about=(kinds.SESSION, session.pk))
    messages.success(request, _("Thank you; see you there."))
    return redirect(session)


@require_POST
@for_members
def invitation(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Agree to be named as a speaker, or not."""
    session, who, _speaks = find_session(slug, number, member)
    agrees = request.POST.get("agree") == "1"
    try:
        submitting.answer_invitation(session, member, agrees=agrees)
    except Speaker.DoesNotExist as error:
        raise Http404 from error
    notifications.see(member, about=(kinds.SESSION, session.pk))
    still = rights.may_see(session, who, speaks=rights.speaks(session, member))
    return redirect(session) if still else redirect("events:event", slug)
