"""What the site keeps out: lists of domains, networks and words, and each change taken back."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from jeos.server.accounts import blocking, site
from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_administrators
from jeos.server.administration.forms import BlockForm
from jeos.server.content import audit
from jeos.server.content.models import AuditEntry

CHANGES = 20  # that the page shows
ACTION = "block.change"


@for_administrators
def blocked(request: HttpRequest, member: Member) -> HttpResponse:
    """Show what is kept out, and change it."""
    now = site.current()
    form = BlockForm(request.POST or None, initial={name: getattr(now, name) for name in blocking.LISTS})
    if request.method == "POST" and form.is_valid():
        for name in blocking.LISTS:
            wanted, present = form.cleaned_data[name], getattr(now, name).splitlines()
            _change(member, name, added=wanted, removed=sorted(set(present) - set(wanted)))
        messages.success(request, _("Saved."))
        return redirect("administration:blocked")
    rows = AuditEntry.objects.filter(action=ACTION).select_related("actor").order_by("-date", "-id")
    titles = {"blocked": _("Mail domains"), "networks": _("Networks"), "words": _("Words")}
    context = {"form": form, "changes": list(rows[:CHANGES]), "titles": titles, "at": "blocked"}
    return render(request, "administration/blocked.html", context)


def _change(member: Member, name: str, *, added: Sequence[str], removed: Sequence[str], undoes: int = 0) -> bool:
    """Change a list and write it down; return whether anything is different now."""
    new, gone = blocking.change(name, added=added, removed=removed)
    if not new and not gone:
        return False
    details: dict[str, audit.Json] = {"list": name, "added": list(new), "removed": list(gone)}
    audit.record(member, ACTION, details=details | ({"undoes": undoes} if undoes else {}))
    return True


@require_POST
@for_administrators
def undo(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Take a change of a list back: what it added goes, what it removed comes again."""
    entry = get_object_or_404(AuditEntry, pk=number, action=ACTION)
    details = entry.details
    if _change(member, details["list"], added=details["removed"], removed=details["added"], undoes=entry.pk):
        messages.success(request, _("Taken back."))
    else:
        messages.warning(request, _("There is nothing to take back."))
    return redirect("administration:blocked")
