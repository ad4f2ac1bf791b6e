"""An appliance: its page, its versions, what is in one and what changed, its feed, its stars."""

from __future__ import annotations

import zlib
from datetime import datetime

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.catalogue import differences, publishing, related, reviewing, rights, running
from jeos.server.catalogue.models import Appliance, Bill, Finding, Package, Review, Verdict, Version
from jeos.server.catalogue.templating import finding_names, version_page
from jeos.server.catalogue.views.access import find_appliance, find_version
from jeos.server.catalogue.views.lists import items
from jeos.server.content import feeds, following, kinds, limits, notifications, paging, trust
from jeos.server.content.feeds import Feed

LATEST = 5  # versions on the page of an appliance
REVIEWS = 10
VERSIONS = 30  # on a page of their own
PACKAGES = 200
FINDINGS = 50


@require_GET
def appliance(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """Show an appliance as its newest version is."""
    member, now = visitor(request), timezone.now()
    found = find_appliance(publisher, name, member)
    newest = Version.objects.filter(appliance=found, version=found.newest).first()
    may_review, may_write = rights.may_review(found, member, now=now), trust.may_write(member, now=now)
    reviews = paging.newest(
        Review.objects.filter(appliance=found).select_related("author"),
        keys={"made": datetime, "id": int},
        after=request.GET.get("reviews"),
        size=REVIEWS,
    )
    context = {
        **beside(found, member),
        "version": newest,
        "run": running.line(found, newest) if newest else "",
        "run_with": running.best(newest.downloads) if newest else None,
        "latest": list(Version.objects.filter(appliance=found).order_by("-date", "-id")[:LATEST]),
        "reviews": [row for row in reviews.rows if rights.may_see_review(row, member)],
        "reviews_after": reviews.after,
        "may_review": may_review,
        "own_review": Review.objects.filter(appliance=found, author=member).exists() if may_review else False,
        "related": related.cards(found, member),
        "may_write": may_write,
        "talk_tag": related.tag_of(found) if may_write and not found.hidden else "",
    }
    return render(request, "catalogue/appliance.html", context)


def beside(found: Appliance, member: Member | None) -> dict[str, object]:
    """Return what every page of an appliance has."""
    return {
        "member": member,
        "appliance": found,
        "own": reviewing.starred(member, [found.pk]),
        "level": following.level(member, kinds.APPLIANCE, found.pk) if member else 0,
        "may_publish": rights.may_publish(found.publisher, member, now=timezone.now()),
        "required": running.required(found),
        "may_own": rights.may_own(found.publisher, member, now=timezone.now()),
    }


@require_GET
def versions(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """Show all versions, the newest first."""
    member = visitor(request)
    found = find_appliance(publisher, name, member)
    rows = Version.objects.filter(appliance=found)
    page = paging.newest(rows, keys={"date": datetime, "id": int}, after=request.GET.get("after"), size=VERSIONS)
    context = {**beside(found, member), "versions": page.rows, "after": page.after}
    return render(request, "catalogue/versions.html", context)


@require_GET
def version(request: HttpRequest, publisher: str, name: str, version: str) -> HttpResponse:
    """Show one version: what changed, its packages, its digests, where it can be had."""
    member = visitor(request)
    found = find_appliance(publisher, name, member)
    one = find_version(found, version)
    before = differences.predecessor(one)
    page = paging.by_name(
        Package.objects.filter(version=one),
        keys={"name": str, "id": int},
        after=request.GET.get("after"),
        size=PACKAGES,
    )
    findings = paging.newest(
        Finding.objects.filter(version=one),
        keys={"urgency": int, "id": int},
        after=request.GET.get("findings"),
        size=FINDINGS,
    )
    context = {
        **beside(found, member),
        "version": one,
        "findings": findings.rows,
        "findings_after": findings.after,
        "urgency_words": finding_names(),
        "before": before,
        "difference": differences.between(before, one) if before and before.packages and one.packages else None,
        "packages": page.rows,
        "after": page.after,
        "later": bool(request.GET.get("after")),
        "run": running.line(found, one),
        "run_with": running.best(one.downloads),
    }
    return render(request, "catalogue/version.html", context)


@require_GET
def bill(request: HttpRequest, publisher: str, name: str, version: str) -> HttpResponse:
    """Answer with a version's bill of materials as it was sent."""
    found = find_appliance(publisher, name, visitor(request))
    one = find_version(found, version)
    kept = Bill.objects.filter(version=one).first()
    if kept is None:
        raise Http404
    response = HttpResponse(zlib.decompress(bytes(kept.data)), content_type="application/vnd.cyclonedx+json")
    response["Content-Disposition"] = f'attachment; filename="{found.name}_{one.version}.cdx.json"'
    return response


@require_GET
def feed(request: HttpRequest, publisher: str, name: str, form: str) -> HttpResponse:
    """Answer with the versions of an appliance as a feed."""
    found = find_appliance(publisher, name, None)
    rows = Version.objects.filter(appliance=found, withdrawn=False).order_by("-came", "-id")
    url = found.get_absolute_url()
    return feeds.answer(request, form, Feed(title=found.title, url=url, about=found.summary, items=items(rows)))


@require_POST
@for_members
def star(request: HttpRequest, member: Member, publisher: str, name: str) -> HttpResponse:
    """Give an appliance a star, or take it back; what was told about it counts as seen."""
    found = find_appliance(publisher, name, member)
    if not rights.may_star(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot give it a star at present."))
    limits.use("vote", member=member)
    reviewing.star(found, member, wanted=request.POST.get("want") == "1")
    notifications.see(member, about=(kinds.APPLIANCE, found.pk))
    if request.headers.get("HX-Request"):
        own = reviewing.starred(member, [found.pk])
        return render(request, "catalogue/starred.html", {"appliance": found, "own": own, "member": member})
    return redirect(found)


@require_POST
@for_members
def take_down(request: HttpRequest, member: Member, publisher: str, name: str) -> HttpResponse:
    """Take an appliance down, or show it again: for owners of its publisher's page."""
    found = find_appliance(publisher, name, member)
    if not rights.may_own(found.publisher, member, now=timezone.now()):
        raise PermissionDenied(_("Only owners of this publisher's page may do that."))
    publishing.take_down(found.pk, request.POST.get("down") == "1")
    return redirect(found)


@require_POST
@for_members
def withdraw(request: HttpRequest, member: Member, publisher: str, name: str, version: str) -> HttpResponse:
    """Withdraw a version that no channel lists, or offer it again."""
    found = find_appliance(publisher, name, member)
    one = find_version(found, version)
    if one.signed or not rights.may_publish(found.publisher, member, now=timezone.now()):
        raise PermissionDenied(_("Only those who publish there may do that."))
    publishing.withdraw(one, request.POST.get("withdrawn") == "1")
    return redirect(version_page(found, one.version))


def verdicts() -> list[tuple[int, str]]:
    """Return what a review can say."""
    return [(int(value), str(label)) for value, label in Verdict.choices]


def site_address() -> str:
    """Return the address of this site, as the command line takes it."""
    return str(settings.ENVIRONMENT.url)
