"""What organisers do with an event: make it, change it, its tracks, rooms and types, who works for it."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, for_moderators
from jeos.server.content import limits, texts, trust
from jeos.server.events import preparing, submitting
from jeos.server.events.forms import DutyForm, EventForm, PartForm, SessionForm
from jeos.server.events.models import Duty, Event, Role
from jeos.server.events.rights import Standing
from jeos.server.events.views.access import find_organised, frame


@for_moderators
def new(request: HttpRequest, member: Member) -> HttpResponse:
    """Make an event."""
    form = EventForm(request.POST or None, initial={"zone": member.time_zone})
    context: dict[str, object] = {"form": form, "member": member, "event": None}
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    elif request.method == "POST" and form.is_valid():
        made = preparing.make(form.wanted(), author=member)
        messages.success(request, _("The event is there; next come its tracks, rooms and types of sessions."))
        return redirect("events:parts", made.slug)
    return render(request, "events/edit.html", context)


@for_members
def edit(request: HttpRequest, member: Member, slug: str) -> HttpResponse:
    """Change an event."""
    event, who = find_organised(slug, member)
    form = EventForm(request.POST or None, initial=EventForm.initial_of(event), event=event)
    context: dict[str, object] = {**frame(event, who, "manage"), "form": form}
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    elif request.method == "POST" and form.is_valid():
        preparing.change(event, form.wanted(), actor=member)
        messages.success(request, _("Saved."))
        return redirect("events:edit", event.slug)
    return render(request, "events/edit.html", context)


@for_members
def parts(request: HttpRequest, member: Member, slug: str) -> HttpResponse:
    """Show the tracks, rooms and types of an event, each to be changed."""
    event, who = find_organised(slug, member)
    return _parts(request, event, who)


def _parts(request: HttpRequest, event: Event, who: Standing, wrong: PartForm | None = None) -> HttpResponse:
    kinds = [
        ("track", _("Tracks"), _("Colour"), _("New track"), list(event.tracks.order_by("position", "pk"))),
        (
            "room",
            _("Rooms"),
            _("How many people it holds"),
            _("New room"),
            list(event.rooms.order_by("position", "pk")),
        ),
        ("type", _("Types of sessions"), _("Minutes"), _("New type"), list(event.types.order_by("position", "pk"))),
    ]
    context = {**frame(event, who, "manage"), "kinds": kinds, "wrong": wrong}
    return render(request, "events/parts.html", context)


@require_POST
@for_members
def save_part(request: HttpRequest, member: Member, slug: str, kind: str, number: int) -> HttpResponse:
    """Save a track, room or type, a new one for the number 0; or remove it."""
    event, who = find_organised(slug, member)
    model = preparing.PARTS.get(kind)
    if model is None:
        raise Http404
    found = get_object_or_404(model, pk=number, event=event) if number else model(event=event)
    part = cast(preparing.Parts, found)
    if "remove" in request.POST and number:
        preparing.remove_part(part)
        return redirect("events:parts", event.slug)
    form = PartForm(request.POST, kind=kind)
    if not number and model.objects.filter(event=event).count() >= preparing.MOST_PARTS:
        form.add_error(None, _("There are {n} of them already.").format(n=preparing.MOST_PARTS))
    if not form.is_valid():
        return _parts(request, event, who, form)
    wanted = form.cleaned_data
    preparing.save_part(part, name=wanted["name"], position=wanted["position"], value=wanted["value"])
    return redirect("events:parts", event.slug)


@for_members
def people(request: HttpRequest, member: Member, slug: str) -> HttpResponse:
    """Show who works for an event, and appoint others."""
    event, who = find_organised(slug, member)
    form = DutyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        for named in form.cleaned_data["handle"]:
            preparing.appoint(event, named, Role(form.cleaned_data["role"]), actor=member)
        return redirect("events:people", event.slug)
    duties = Duty.objects.filter(event=event).select_related("member").order_by("role", "pk")
    context = {**frame(event, who, "manage"), "form": form, "duties": list(duties), "roles": Role.choices}
    return render(request, "events/people.html", context)


@require_POST
@for_members
def dismiss(request: HttpRequest, member: Member, slug: str, number: int) -> HttpResponse:
    """Let a member work for an event no longer."""
    event, _who = find_organised(slug, member)
    duty = get_object_or_404(Duty.objects.select_related("member", "event"), pk=number, event=event)
    try:
        preparing.dismiss(duty, actor=member)
    except ValueError:
        messages.warning(request, _("An event has one organiser at least."))
    return redirect("events:people", event.slug)


@for_members
def add_session(request: HttpRequest, member: Member, slug: str) -> HttpResponse:
    """Put a session on the programme without the call."""
    event, who = find_organised(slug, member)
    trust.check_may_write(member, now=timezone.now())
    form = SessionForm(request.POST or None, event=event, called=False)
    context: dict[str, object] = {**frame(event, who, "manage"), "form": form, "session": None, "called": False}
    if request.method == "POST" and "preview" in request.POST:
        context["preview"] = texts.render(request.POST.get("source", ""))[0].html
    elif request.method == "POST" and form.is_valid():
        limits.use("edit", member=member)
        submitting.invite(event, form.wanted(), actor=member)
        return redirect("events:placing", event.slug)
    return render(request, "events/write.html", context)
