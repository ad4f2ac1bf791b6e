"""What is decided for the whole site while it runs: its name, who may join, review; invitations."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from jeos.server.accounts import invitations
from jeos.server.accounts import site as decisions
from jeos.server.accounts.models import Entry, Invitation, Member
from jeos.server.accounts.visitor import for_administrators
from jeos.server.administration.forms import InvitationForm, SiteForm
from jeos.server.content import audit

LIST = 50


@for_administrators
def site_page(request: HttpRequest, member: Member) -> HttpResponse:
    """Show what is decided, and change it."""
    form = SiteForm(request.POST or None, initial=_decided())
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data
        different = decisions.change(name=wanted["name"], entry=wanted["entry"], review=wanted["review"])
        if different:
            details: dict[str, audit.Json] = {name: _shown(wanted[name]) for name in different}
            audit.record(member, "site.change", details=details)
        messages.success(request, _("Saved."))
        return redirect("administration:site")
    return _show(request, form, InvitationForm(initial={"accounts": 1, "days": 14}))


def _decided() -> dict[str, object]:
    now = decisions.current()
    return {"name": now.name, "entry": now.entry, "review": now.review}


def _shown(value: object) -> audit.Json:
    """Return a decision as the log shows it."""
    if isinstance(value, Entry):
        return value.name
    return value if isinstance(value, bool) else str(value)[:500]


def _show(request: HttpRequest, form: SiteForm, invitation: InvitationForm) -> HttpResponse:
    rows = Invitation.objects.filter(left__gt=0, expires__gt=timezone.now()).select_related("made_by").order_by("-pk")
    context = {
        "form": form,
        "usual": settings.SITE_NAME,
        "entry": decisions.current().entry,
        "invitation": invitation,
        "invitations": [(row, settings.ENVIRONMENT.url + invitations.address(row)) for row in rows[:LIST]],
        "at": "site",
    }
    return render(request, "administration/site.html", context)


@require_POST
@for_administrators
def invite(request: HttpRequest, member: Member) -> HttpResponse:
    """Make an invitation."""
    form = InvitationForm(request.POST)
    if not form.is_valid():
        return _show(request, SiteForm(initial=_decided()), form)
    wanted = form.cleaned_data
    made = invitations.make(
        by=member, note=wanted["note"], accounts=wanted["accounts"], days=wanted["days"], now=timezone.now()
    )
    details: dict[str, audit.Json] = {"number": made.pk, "note": made.note, "accounts": made.left}
    audit.record(member, "invitation.make", details=details)
    return redirect("administration:site")


@require_POST
@for_administrators
def end_invitation(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Let an invitation hold no longer."""
    get_object_or_404(Invitation, pk=number).delete()
    audit.record(member, "invitation.end", details={"number": number})
    messages.success(request, _("Removed."))
    return redirect("administration:site")
