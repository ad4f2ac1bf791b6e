"""The overview: what is wrong and what to do, how much there is, how work stands, where space goes."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_administrators
from jeos.server.administration import desk, health
from jeos.server.content.models import AuditEntry, Case, Outcome
from jeos.server.jobs import queues

LOG = 5


@require_GET
@for_administrators
def overview(request: HttpRequest, member: Member) -> HttpResponse:
    """Show how the site does."""
    now = timezone.now()
    standing, disks = queues.standing(now=now), health.disks()
    problems = health.problems(standing, disks, mail_goes_out=bool(settings.ENVIRONMENT.mail), now=now)
    context = {
        "problems": problems + desk.problems(),
        "figures": desk.figures(),
        "cases": Case.objects.filter(outcome=Outcome.OPEN).count(),
        "standing": standing,
        "disks": disks,
        "database": health.database_bytes(),
        "versions": health.versions(),
        "log": list(AuditEntry.objects.select_related("actor", "subject").order_by("-date", "-id")[:LOG]),
        "at": "overview",
    }
    return render(request, "administration/overview.html", context)
