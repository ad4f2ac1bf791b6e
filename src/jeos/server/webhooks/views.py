"""A member's webhooks: the list, one with what was sent to it, and what can be done with it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members
from jeos.server.content import limits, notifications, paging
from jeos.server.content.happenings import TYPES
from jeos.server.webhooks import sending
from jeos.server.webhooks.forms import HookForm
from jeos.server.webhooks.models import Delivery, Hook, new_secret

HOOKS = 10  # of one member
LIST = 30  # messages on a page of the log


def find(number: int, member: Member) -> Hook:
    """Return a webhook of a member. Raises Http404 for another's."""
    return get_object_or_404(Hook.objects.select_related("owner"), pk=number, owner=member)


@require_GET
@for_members
def hooks(request: HttpRequest, member: Member) -> HttpResponse:
    """List the member's webhooks."""
    found = list(Hook.objects.filter(owner=member).order_by("pk"))
    return render(request, "webhooks/list.html", {"hooks": found, "at": "webhooks"})


@for_members
def new(request: HttpRequest, member: Member) -> HttpResponse:
    """Make a webhook."""
    form = HookForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if Hook.objects.filter(owner=member).count() >= HOOKS:
            form.add_error(None, _("You have {n} webhooks already; remove some first.").format(n=HOOKS))
        else:
            limits.use("webhook", member=member)
            wanted = form.cleaned_data
            made = Hook.objects.create(owner=member, address=wanted["address"], types=wanted["types"])
            return redirect("webhooks:hook", made.pk)
    context = {"form": form, "types": TYPES.items(), "at": "webhooks", "hook": None}
    return render(request, "webhooks/edit.html", context)


@require_GET
@for_members
def hook(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Show a webhook, its secret, and what was sent."""
    found = find(number, member)
    notifications.see(member, about=(0, found.pk))
    rows = Delivery.objects.filter(hook=found)
    page = paging.newest(rows, keys={"id": int}, after=request.GET.get("after"), size=LIST)
    named = [(name, TYPES.get(name, name)) for name in found.types]
    context = {"hook": found, "rows": page.rows, "after": page.after, "named": named, "at": "webhooks"}
    response = render(request, "webhooks/hook.html", context)
    response["Cache-Control"] = "no-store"  # it shows a secret
    return response


@for_members
def edit(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Change where a webhook leads, or what is sent."""
    found = find(number, member)
    form = HookForm(request.POST or None, initial={"address": found.address, "types": found.types})
    if request.method == "POST" and form.is_valid():
        found.address, found.types = form.cleaned_data["address"], form.cleaned_data["types"]
        found.save(update_fields=["address", "types"])
        return redirect("webhooks:hook", found.pk)
    context = {"form": form, "types": TYPES.items(), "at": "webhooks", "hook": found}
    return render(request, "webhooks/edit.html", context)


@require_POST
@for_members
def test(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Send a message that says nothing."""
    found = find(number, member)
    limits.use("webhook", member=member)
    sending.test(found)
    messages.success(request, _("A test is on its way; look again in a moment."))
    return redirect("webhooks:hook", found.pk)


@require_POST
@for_members
def secret(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Give a webhook another secret; what is sent from now on is signed with it."""
    found = find(number, member)
    Hook.objects.filter(pk=found.pk).update(secret=new_secret())
    messages.success(request, _("It has a new secret. Give it to the receiver."))
    return redirect("webhooks:hook", found.pk)


@require_POST
@for_members
def switch(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Switch a webhook on or off."""
    found = find(number, member)
    on = request.POST.get("on") == "1"
    Hook.objects.filter(pk=found.pk).update(active=on, failures=0, stopped=None if on else timezone.now())
    return redirect("webhooks:hook", found.pk)


@require_POST
@for_members
def remove(request: HttpRequest, member: Member, number: int) -> HttpResponse:
    """Delete a webhook and the log of what was sent."""
    find(number, member).delete()
    messages.success(request, _("Removed."))
    return redirect("webhooks:list")


@require_POST
@for_members
def again(request: HttpRequest, member: Member, number: int, delivery: int) -> HttpResponse:
    """Send a message once more."""
    found = find(number, member)
    limits.use("webhook", member=member)
    sending.again(get_object_or_404(Delivery, pk=delivery, hook=found))
    messages.success(request, _("It is sent once more."))
    return redirect("webhooks:hook", found.pk)
