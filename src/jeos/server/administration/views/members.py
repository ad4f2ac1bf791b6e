"""Members: the list, one of them, and what is done about one."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.forms import LeaveForm
from jeos.server.accounts.models import Member, Role, Trust
from jeos.server.accounts.visitor import for_administrators
from jeos.server.administration import members as deeds
from jeos.server.administration.forms import SILENCES, SilenceForm, StandingForm, SuspendForm
from jeos.server.content import paging
from jeos.server.content.models import AuditEntry

LIST = 50
LOG = 20


@require_GET
@for_administrators
def members(request: HttpRequest, member: Member) -> HttpResponse:
    """List members, newest first; those that are looked for, or of one sort."""
    text = request.GET.get("name", "").strip()[:100]
    shown = request.GET.get("show", "")
    rows = deeds.find(text, shown, now=timezone.now())
    page = paging.newest(rows, keys={"id": int}, after=request.GET.get("after"), size=LIST)
    context = {"rows": page.rows, "after": page.after, "name": text, "show": shown, "at": "members"}
    return render(request, "administration/members.html", {**context, "now": timezone.now()})


@require_GET
@for_administrators
def member(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Show what the site knows of a member, what was done about the member, and what can be."""
    found = get_object_or_404(Member, pk=number, left_at=None)
    return _show(request, member, found)


def _show(request: HttpRequest, actor: Member, found: Member, *, leave: LeaveForm | None = None) -> HttpResponse:
    log = AuditEntry.objects.filter(subject=found).select_related("actor").order_by("-date", "-id")[:LOG]
    context = {
        "found": found,
        "own": found.pk == actor.pk,
        "silenced": found.silenced(now=timezone.now()),
        "roles": Role.choices,
        "trusts": Trust.choices,
        "silences": SILENCES,
        "leave": leave or LeaveForm(member=found),
        "log": list(log),
        "at": "members",
    }
    return render(request, "administration/member.html", context)


def _do(request: HttpRequest, number: int, act: Callable[[Member], None], *, form: Form) -> HttpResponse:
    """Do something about a member that a form tells, say how it went, and lead back to the member's page."""
    found = get_object_or_404(Member, pk=number, left_at=None)
    try:
        if not form.is_valid():
            raise ValueError(_("Something is missing for that."))
        act(found)
    except ValueError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("Done, and written into the log."))
    return redirect("administration:member", number)


@require_POST
@for_administrators
def standing(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Give a member a role and a trust."""
    form = StandingForm(request.POST)

    def act(found: Member) -> None:
        wanted = form.cleaned_data
        deeds.set_standing(found, role=wanted["role"], trust=wanted["trust"], actor=member)

    return _do(request, number, act, form=form)


@require_POST
@for_administrators
def silence(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Let a member not write for a while, or write again."""
    form = SilenceForm(request.POST)

    def act(found: Member) -> None:
        deeds.silence(found, days=form.cleaned_data["days"], actor=member, now=timezone.now())

    return _do(request, number, act, form=form)


@require_POST
@for_administrators
def suspend(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Shut a member out, or let the member in again."""
    form = SuspendForm(request.POST)

    def act(found: Member) -> None:
        deeds.suspend(found, form.cleaned_data["on"], actor=member, note=form.cleaned_data["note"])

    return _do(request, number, act, form=form)


@require_POST
@for_administrators
def remove(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Remove a member for good; the handle, written once more, says that it is meant."""
    found = get_object_or_404(Member, pk=number, left_at=None)
    form = LeaveForm(request.POST, member=found)
    if not form.is_valid():
        return _show(request, member, found, leave=form)
    try:
        deeds.remove(found, actor=member)
    except ValueError as error:
        messages.warning(request, str(error))
        return redirect("administration:member", number)
    messages.success(request, _("Removed."))
    return redirect("administration:members")
