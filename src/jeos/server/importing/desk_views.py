"""The administrators' page of imports: how each stands, why it failed, and on with it."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.core.errors import UsageError
from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_administrators
from jeos.server.content import audit
from jeos.server.importing import reporting, standing
from jeos.server.importing.models import Import, State


@require_GET
@for_administrators
def imports(request: HttpRequest, member: Member) -> HttpResponse:
    """Show the imports."""
    runs = [
        (run, run.state, State(run.state).label, reporting.lines(run), reporting.unplaced(run))
        for run in Import.objects.order_by("-made")
    ]
    return render(request, "importing/imports.html", {"runs": runs, "at": "imports"})


@require_POST
@for_administrators
def resume(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Go on with an import from where it stood, or without the record at which it failed."""
    action = request.POST.get("action")
    if action not in ("again", "without"):
        raise BadRequest("no such action")
    run = get_object_or_404(Import, pk=number)
    try:
        standing.resume(run.source, without=action == "without")
    except UsageError:
        messages.warning(request, _("There is nothing to go on with."))
    else:
        audit.record(member, f"import.{action}", details={"source": run.source})
        messages.success(request, _("The import goes on from where it stopped."))
    return redirect("importing:imports")
