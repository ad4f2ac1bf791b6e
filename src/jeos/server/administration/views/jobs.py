"""Background work: how it stands, what failed and why, once more or away with it."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_administrators
from jeos.server.content import audit, paging
from jeos.server.jobs import queues

Deed = TypeVar("Deed")
LIST = 20
MAIL = 50


@require_GET
@for_administrators
def jobs(request: HttpRequest, member: Member) -> HttpResponse:
    """Show how background work stands, and what failed."""
    keys = {"finished_at": datetime, "key": str}
    page = paging.newest(queues.failed(), keys=keys, after=request.GET.get("after"), size=LIST)
    context = {
        "standing": queues.standing(now=timezone.now()),
        "failed": [(task, last_line(task.traceback)) for task in page.rows],
        "after": page.after,
        "mail": queues.given_up(limit=MAIL),
        "at": "jobs",
    }
    return render(request, "administration/jobs.html", context)


def last_line(traceback: str) -> str:
    """Return the line of a traceback that says what went wrong."""
    lines = [line for line in traceback.strip().splitlines() if line and not line.startswith(" ")]
    return lines[-1] if lines else ""


@require_POST
@for_administrators
def act_on_task(request: HttpRequest, member: Member, task: UUID) -> HttpResponse:
    """Try a failed task again, or forget it."""
    deed = _deed(request, {"again": queues.again, "forget": queues.forget})
    try:
        path = deed(task)
    except LookupError:
        messages.warning(request, _("It is not among what failed any more."))
    else:
        audit.record(member, f"task.{request.POST['action']}", details={"task": path})
        messages.success(request, _("Done, and written into the log."))
    return redirect("administration:jobs")


@require_POST
@for_administrators
def act_on_mail(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Send mail that was given up once more, or delete it."""
    deed = _deed(request, {"again": queues.send_again, "forget": queues.drop_mail})
    try:
        deed(number)
    except LookupError:
        messages.warning(request, _("It is not among what failed any more."))
    else:
        audit.record(member, f"mail.{request.POST['action']}", details={"mail": number})
        messages.success(request, _("Done, and written into the log."))
    return redirect("administration:jobs")


def _deed(request: HttpRequest, deeds: dict[str, Deed]) -> Deed:
    """Return what a button asks for. Raises BadRequest."""
    wanted = deeds.get(request.POST.get("action", ""))
    if wanted is None:
        raise BadRequest("no such action")
    return wanted
