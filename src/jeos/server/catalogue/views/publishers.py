"""Publishers: their pages, and what their owners and the team change about them."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_administrators, for_members, for_moderators, visitor
from jeos.server.catalogue import publishers, reviewing, rights
from jeos.server.catalogue.forms import NewPublisherForm, PublisherForm, SeatForm
from jeos.server.catalogue.models import Appliance, Power, Publisher, Seat, Verified
from jeos.server.catalogue.views.access import find_owned, find_publisher
from jeos.server.catalogue.views.appliances import site_address
from jeos.server.catalogue.views.lists import PAGE
from jeos.server.content import limits, paging, trust


@require_GET
def publisher(request: HttpRequest, name: str) -> HttpResponse:
    """Show a publisher, those who publish for it, and its appliances."""
    member, now = visitor(request), timezone.now()
    found = find_publisher(name, member)
    rows = Appliance.objects.filter(publisher=found).select_related("publisher").defer("html", "source", "root")
    if not (member and (member.moderates or rights.power(found, member))):
        rows = rows.filter(hidden=False)
    page = paging.newest(rows, keys={"updated": datetime, "id": int}, after=request.GET.get("after"), size=PAGE)
    context = {
        "member": member,
        "publisher": found,
        "appliances": page.rows,
        "after": page.after,
        "own": reviewing.starred(member, [row.pk for row in page.rows]),
        "seats": list(Seat.objects.filter(publisher=found).select_related("member").order_by("-power", "pk")),
        "may_own": rights.may_own(found, member, now=now),
        "may_publish": rights.may_publish(found, member, now=now),
        "site": site_address(),
    }
    return render(request, "catalogue/publisher.html", context)


@for_members
def new(request: HttpRequest, member: Member) -> HttpResponse:
    """Make a publisher's page, and say how one publishes."""
    form = NewPublisherForm(request.POST or None)
    if request.method == "POST":
        trust.check_may_write(member, now=timezone.now())
        if form.is_valid():
            limits.use("publisher", member=member)
            wanted = form.cleaned_data
            try:
                made = publishers.make(
                    wanted["name"],
                    title=wanted["title"],
                    about=wanted["about"],
                    home_page=wanted["home_page"],
                    owner=member,
                )
            except ValueError:
                form.add_error("name", _("The name is taken, or you own too many pages already."))
            else:
                return redirect(made)
    context = {"form": form, "publishes": publishers.of(member), "site": site_address()}
    return render(request, "catalogue/publish.html", context)


@for_members
def manage(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Change what a publisher's page says; show who has a seat and how it is verified."""
    found = find_owned(name, member)
    initial = {"title": found.title, "about": found.about, "home_page": found.home_page}
    form = PublisherForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        Publisher.objects.filter(pk=found.pk).update(**form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect(found)
    return _managed(request, member, found, form=form)


def _managed(
    request: HttpRequest,
    member: Member,
    found: Publisher,
    *,
    form: PublisherForm | None = None,
    seat_form: SeatForm | None = None,
) -> HttpResponse:
    """Return the page on which a publisher is managed."""
    initial = {"title": found.title, "about": found.about, "home_page": found.home_page}
    context = {
        "member": member,
        "publisher": found,
        "form": form or PublisherForm(initial=initial),
        "seat_form": seat_form or SeatForm(),
        "powers": Power.choices,
        "proof_file": publishers.PROOF_FILE,
        "proof_line": publishers.proof_line(found),
        "seats": list(Seat.objects.filter(publisher=found).select_related("member").order_by("-power", "pk")),
    }
    return render(request, "catalogue/manage.html", context)


@require_POST
@for_members
def seat(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Give somebody a seat, another power, or take the seat away."""
    found = find_owned(name, member)
    form = SeatForm(request.POST)
    if form.is_valid():
        try:
            publishers.seat(found, form.cleaned_data["handle"], power=form.cleaned_data["power"])
        except ValueError:
            form.add_error("handle", _("Somebody must own the page."))
        else:
            messages.success(request, _("Saved."))
            return redirect("catalogue:manage", found.name)
    return _managed(request, member, found, seat_form=form)


@require_POST
@for_members
def give_up(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Let a member give up the own seat."""
    found = find_publisher(name, member)
    try:
        publishers.seat(found, member, power=0)
    except ValueError:
        messages.warning(request, _("Somebody must own the page."))
    return redirect(found)


@require_POST
@for_administrators
def vouch(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Let a publisher be verified by the team, or no longer."""
    found = find_publisher(name, member)
    how = Verified.TEAM if request.POST.get("verified") == "1" else Verified.NO
    publishers.vouch(found, how, actor=member, note=request.POST.get("note", "")[:200])
    return redirect(found)


@require_POST
@for_moderators
def hide(request: HttpRequest, member: Member, name: str) -> HttpResponse:
    """Hide a publisher with all its appliances, or show them again."""
    found = find_publisher(name, member)
    publishers.set_hidden(found, request.POST.get("hidden") == "1", actor=member)
    return redirect(found)
