"""The catalogue's part of the API: find appliances, read what is in their versions, star and review them.

A new version comes by `jeos publish --to`, through the door that `views/publishing.py` keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from pydantic import Field

from jeos.server.api import access, answers, lists, problems, shapes
from jeos.server.catalogue import described, publishing, reviewing, rights
from jeos.server.catalogue.described import (
    ApplianceLine,
    ApplianceOut,
    PackageOut,
    PublisherOut,
    ReviewOut,
    VersionLine,
    VersionOut,
    VulnerabilityOut,
)
from jeos.server.catalogue.forms import ReviewForm
from jeos.server.catalogue.models import (
    LINE_LENGTH,
    NAME_LENGTH,
    VERSION_LENGTH,
    Finding,
    Package,
    Review,
    Verdict,
    Version,
)
from jeos.server.catalogue.views.access import find_appliance, find_publisher, find_version
from jeos.server.catalogue.views.lists import KEYS, found_by, narrow, shown
from jeos.server.content import limits

router = Router(tags=["Catalogue"])
WHERE = "/appliances/{publisher}/{name}"
SLUG = r"^[a-z](?:[a-z0-9-]*[a-z0-9])?$"

PublisherName = Annotated[str, Path(pattern=SLUG, max_length=NAME_LENGTH, examples=["acme"])]
ApplianceName = Annotated[str, Path(pattern=SLUG, max_length=NAME_LENGTH, examples=["web"])]
VersionName = Annotated[str, Path(min_length=1, max_length=VERSION_LENGTH, pattern=r"^[^/\x00]+$", examples=["1.0"])]
Order = Annotated[Literal["new", "starred"], Query(description="newest version first, or most stars")]
Words = Annotated[
    str,
    Query(
        max_length=300,
        pattern=r"^[^\x00]*$",
        description="what appliances must have, as in search: best first then, on one page",
        examples=["proxy"],
    ),
]
Licence = Annotated[str, Query(max_length=LINE_LENGTH, pattern=r"^[^\x00]*$", examples=["MIT"])]
OnlyVerified = Annotated[bool, Query(description="only those of verified publishers")]


class ReviewIn(shapes.Body):
    """A review of one's own."""

    runs: Annotated[str, Field(max_length=VERSION_LENGTH, description="the version that you run", examples=["1.0"])]
    verdict: described.Words
    source: shapes.Source


class VersionChange(shapes.Body):
    """What may change about a version that is out."""

    withdrawn: bool


@router.get(
    "/appliances",
    auth=access.READS,
    response=answers.of(lists.Listed[ApplianceLine]),
    summary="Appliances, or a search",
)
def list_appliances(
    request: HttpRequest,
    response: HttpResponse,
    order: Order = "new",
    q: Words = "",
    tag: shapes.WordInQuery = "",
    architecture: shapes.WordInQuery = "",
    licence: Licence = "",
    publisher: shapes.WordInQuery = "",
    verified: OnlyVerified = False,
    after: shapes.Cursor = "",
) -> lists.Listed[ApplianceLine]:
    """Return appliances, all or those that the filters leave."""
    member = access.reader(request)
    wanted = {"tag": tag, "architecture": architecture, "licence": licence, "publisher": publisher}
    said: Mapping[str, str] = {name: value for name, value in wanted.items() if value}
    said = {**said, "verified": "1"} if verified else said
    if q.strip():
        limits.use("search", member=member, address=request.META.get("REMOTE_ADDR", ""))
        return lists.listed(request, response, described.lines(found_by(q.strip(), said), member), after="")
    rows = narrow(shown(), said)
    return lists.page(
        request, response, rows, lambda found: described.lines(found, member), keys=KEYS[order], after=after
    )


@router.get("/publishers/{publisher}", auth=access.READS, response=answers.of(PublisherOut), summary="A publisher")
def publisher(request: HttpRequest, publisher: PublisherName) -> PublisherOut:
    """Return a publisher, and who publishes for it."""
    return described.publisher(find_publisher(publisher, access.reader(request)))


@router.get(WHERE, auth=access.READS, response=answers.of(ApplianceOut), summary="An appliance")
def appliance(request: HttpRequest, publisher: PublisherName, name: ApplianceName) -> ApplianceOut:
    """Return an appliance as its newest version says."""
    member = access.reader(request)
    return described.appliance(find_appliance(publisher, name, member), member)


def _star(request: HttpRequest, publisher: str, name: str, *, wanted: bool) -> ApplianceOut:
    member = access.member(request)
    found = find_appliance(publisher, name, member)
    if not rights.may_star(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot give it a star at present."))
    limits.use("vote", member=member)
    reviewing.star(found, member, wanted=wanted)
    return described.appliance(found, member)


@router.put(
    WHERE + "/star",
    auth=access.WRITES,
    response=answers.written(ApplianceOut, status=200),
    summary="Give an appliance a star",
)
def star_appliance(request: HttpRequest, publisher: PublisherName, name: ApplianceName) -> ApplianceOut:
    """Give an appliance a star; a second one changes nothing."""
    return _star(request, publisher, name, wanted=True)


@router.delete(
    WHERE + "/star", auth=access.WRITES, response=answers.written(ApplianceOut, status=200), summary="Take a star back"
)
def unstar_appliance(request: HttpRequest, publisher: PublisherName, name: ApplianceName) -> ApplianceOut:
    """Take one's star back."""
    return _star(request, publisher, name, wanted=False)


@router.get(
    WHERE + "/versions",
    auth=access.READS,
    response=answers.of(lists.Listed[VersionLine]),
    summary="Versions of an appliance, newest first",
)
def list_versions(
    request: HttpRequest,
    response: HttpResponse,
    publisher: PublisherName,
    name: ApplianceName,
    after: shapes.Cursor = "",
) -> lists.Listed[VersionLine]:
    """Return the versions of an appliance, also those that were withdrawn."""
    found = find_appliance(publisher, name, access.reader(request))

    def shape(rows: Sequence[Version]) -> list[VersionLine]:
        return described.versions(rows, of=found)

    rows = Version.objects.filter(appliance=found)
    return lists.page(request, response, rows, shape, keys={"date": datetime, "id": int}, after=after)


@router.get(
    WHERE + "/versions/{version}",
    auth=access.READS,
    response=answers.of(VersionOut),
    summary="A version of an appliance",
)
def version(request: HttpRequest, publisher: PublisherName, name: ApplianceName, version: VersionName) -> VersionOut:
    """Return a version: what is new, its digests, where it can be had, how it is run."""
    found = find_appliance(publisher, name, access.reader(request))
    return described.version(find_version(found, version), of=found)


@router.patch(
    WHERE + "/versions/{version}",
    auth=access.WRITES,
    response=answers.written(VersionOut, status=200),
    summary="Withdraw a version",
)
def change_version(
    request: HttpRequest, publisher: PublisherName, name: ApplianceName, version: VersionName, value: VersionChange
) -> VersionOut:
    """Withdraw a version that no channel lists, or offer it again; for those who publish it."""
    member = access.member(request)
    found = find_appliance(publisher, name, member)
    one = find_version(found, version)
    if not rights.may_publish(found.publisher, member, now=timezone.now()):
        raise PermissionDenied(_("Only those who publish there may do that."))
    limits.use("publish", member=member)
    try:
        publishing.withdraw(one, value.withdrawn)
    except ValueError as error:
        raise problems.Conflict(_("A channel lists this version: withdraw it there.")) from error
    one.refresh_from_db()
    return described.version(one, of=found)


@router.get(
    WHERE + "/versions/{version}/packages",
    auth=access.READS,
    response=answers.of(lists.Listed[PackageOut]),
    summary="Packages of a version, by name",
)
def list_packages(
    request: HttpRequest,
    response: HttpResponse,
    publisher: PublisherName,
    name: ApplianceName,
    version: VersionName,
    after: shapes.Cursor = "",
) -> lists.Listed[PackageOut]:
    """Return the packages in a version."""
    one = find_version(find_appliance(publisher, name, access.reader(request)), version)
    rows = Package.objects.filter(version=one)
    keys = {"name": str, "id": int}
    return lists.page(request, response, rows, described.packages, keys=keys, after=after, rising=True)


@router.get(
    WHERE + "/versions/{version}/vulnerabilities",
    auth=access.READS,
    response=answers.of(lists.Listed[VulnerabilityOut]),
    summary="Known vulnerabilities of a version, most urgent first",
)
def list_vulnerabilities(
    request: HttpRequest,
    response: HttpResponse,
    publisher: PublisherName,
    name: ApplianceName,
    version: VersionName,
    after: shapes.Cursor = "",
) -> lists.Listed[VulnerabilityOut]:
    """Return the known vulnerabilities of a version, as the operator's advisories have them."""
    one = find_version(find_appliance(publisher, name, access.reader(request)), version)
    rows = Finding.objects.filter(version=one)
    return lists.page(request, response, rows, described.vulnerabilities, keys={"urgency": int, "id": int}, after=after)


@router.get(
    WHERE + "/reviews",
    auth=access.READS,
    response=answers.of(lists.Listed[ReviewOut]),
    summary="Reviews of an appliance, newest first",
)
def list_reviews(
    request: HttpRequest,
    response: HttpResponse,
    publisher: PublisherName,
    name: ApplianceName,
    after: shapes.Cursor = "",
) -> lists.Listed[ReviewOut]:
    """Return what members who run an appliance say of it."""
    member = access.reader(request)
    rows = Review.objects.filter(appliance=find_appliance(publisher, name, member)).select_related("author")

    def shape(found: Sequence[Review]) -> list[ReviewOut]:
        return described.reviews([row for row in found if rights.may_see_review(row, member)])

    return lists.page(request, response, rows, shape, keys={"made": datetime, "id": int}, after=after)


@router.put(
    WHERE + "/review",
    auth=access.WRITES,
    response=answers.written(ReviewOut, status=200),
    summary="Review an appliance that I run",
)
def review(request: HttpRequest, publisher: PublisherName, name: ApplianceName, value: ReviewIn) -> ReviewOut:
    """Write one's review, or change it; not for those who publish the appliance."""
    member = access.member(request)
    found = find_appliance(publisher, name, member)
    if not rights.may_review(found, member, now=timezone.now()):
        raise PermissionDenied(_("You cannot review this appliance."))
    verdict = Verdict[value.verdict.upper()]
    wanted = shapes.checked(ReviewForm({"runs": value.runs, "verdict": verdict, "source": value.source})).cleaned_data
    limits.use("review", member=member)
    try:
        made = reviewing.review(found, author=member, runs=wanted["runs"], verdict=verdict, source=wanted["source"])
    except ValueError as error:
        raise problems.Invalid([problems.Fault(where="runs", message=_("There is no such version."))]) from error
    return described.reviews([made])[0]
