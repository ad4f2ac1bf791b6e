"""The browsers that show a member's notifications: the list, adding this one, a test, removing one."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members
from jeos.server.content import limits
from jeos.server.push import identity, sending
from jeos.server.push.forms import SubscriptionForm
from jeos.server.push.models import Subscription

WORKER = Path(__file__).parent / "static/push/worker.js"


@cache
def _worker() -> bytes:
    return WORKER.read_bytes()


@require_GET
def worker(request: HttpRequest) -> HttpResponse:
    """Answer with the worker that shows notifications; its address bounds the pages that it could touch."""
    response = HttpResponse(_worker(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"  # a new worker is seen with the next visit
    return response


def _switched_on() -> None:
    if not settings.PUSH:
        raise Http404


@require_GET
@for_members
def browsers(request: HttpRequest, member: Member) -> HttpResponse:
    """List the member's browsers."""
    _switched_on()
    rows = list(Subscription.objects.filter(member=member).order_by("pk"))
    context = {"rows": rows, "key": identity.public(settings.DATA), "at": "push", "full": len(rows) >= sending.BROWSERS}
    return render(request, "push/list.html", context)


@require_POST
@for_members
def add(request: HttpRequest, member: Member) -> HttpResponse:
    """Add the browser that asks; one that another member used before is this member's from now on."""
    _switched_on()
    form = SubscriptionForm(request.POST)
    if not form.is_valid():
        messages.warning(request, _("This browser's push service cannot be used."))
        return redirect("push:list")
    limits.use("webhook", member=member)
    wanted = form.cleaned_data
    digest = hashlib.sha256(wanted["endpoint"].encode()).hexdigest()
    others = Subscription.objects.filter(member=member).exclude(digest=digest)
    if others.count() >= sending.BROWSERS:
        messages.warning(request, _("There are too many browsers already; remove one first."))
        return redirect("push:list")
    values = {
        "member": member,
        "endpoint": wanted["endpoint"],
        "public_key": wanted["p256dh"],
        "secret": wanted["auth"],
        "name": wanted["name"],
        "news": wanted["news"],
        "failures": 0,
    }
    made, _new = Subscription.objects.update_or_create(digest=digest, defaults=values)
    sending.test(made)
    messages.success(request, _("This browser shows notifications from now on; a first one is on its way."))
    return redirect("push:list")


@require_POST
@for_members
def test(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Send a message that says nothing."""
    _switched_on()
    limits.use("webhook", member=member)
    sending.test(get_object_or_404(Subscription, pk=number, member=member))
    messages.success(request, _("A test is on its way."))
    return redirect("push:list")


@require_POST
@for_members
def remove(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Forget a browser."""
    get_object_or_404(Subscription, pk=number, member=member).delete()
    messages.success(request, _("Removed."))
    return redirect("push:list")
