"""Lists of appliances: newest, most starred, found by words; each can be narrowed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jeos.server.accounts.models import Member
from jeos.server.accounts.visitor import for_members, visitor
from jeos.server.catalogue import publishers, reviewing
from jeos.server.catalogue.models import Appliance, Star, Version
from jeos.server.catalogue.templating import version_page
from jeos.server.content import feeds, kinds, limits, paging, search
from jeos.server.content.feeds import Feed, Item
from jeos.server.content.models import Tagged
from jeos.server.content.search.query import Query

PAGE = 30  # appliances on a page
FOUND = 60  # that a search shows
CHOICES = 12  # of a filter
FILTERS = ("tag", "architecture", "licence", "publisher", "verified")
KEYS: dict[str, dict[str, type]] = {
    "new": {"updated": datetime, "id": int},
    "starred": {"stars": int, "id": int},
}


def filters(request: HttpRequest) -> dict[str, str]:
    """Return the filters in an address."""
    return {name: request.GET[name][:200].replace("\x00", "") for name in FILTERS if request.GET.get(name)}


def narrow(rows: QuerySet[Appliance], said: Mapping[str, str]) -> QuerySet[Appliance]:
    """Return the appliances that filters leave."""
    if "tag" in said:
        tagged = Tagged.objects.filter(tag__name=said["tag"], kind=kinds.APPLIANCE)
        rows = rows.filter(pk__in=tagged.values("number"))
    if "architecture" in said:
        rows = rows.filter(architecture=said["architecture"])
    if "licence" in said:
        rows = rows.filter(licence=said["licence"])
    if "publisher" in said:
        rows = rows.filter(publisher__name=said["publisher"])
    if "verified" in said:
        rows = rows.filter(verified=True)
    return rows


def shown() -> QuerySet[Appliance]:
    """Return the appliances that everybody sees."""
    return Appliance.objects.filter(hidden=False).select_related("publisher").defer("html", "source", "root")


def _listing(request: HttpRequest, show: str, *, order: str) -> HttpResponse:
    """Return a page with a list of appliances."""
    member = visitor(request)
    said = filters(request)
    rows = narrow(shown(), said)
    page = paging.newest(rows, keys=KEYS[order], after=request.GET.get("after"), size=PAGE)
    return _page(request, member, show, page.rows, said=said, after=page.after)


def _page(
    request: HttpRequest,
    member: Member | None,
    show: str,
    rows: list[Appliance],
    *,
    said: dict[str, str],
    after: str = "",
    words: str = "",
) -> HttpResponse:
    """Return a page with a list of appliances, and beside it how it can be narrowed."""
    context = {
        "member": member,
        "show": show,
        "appliances": rows,
        "own": reviewing.starred(member, [row.pk for row in rows]),
        "words": words,
        "said": said,
        "next": f"?{urlencode({**said, 'after': after})}" if after else "",
        "filters": [(name, label, _choices(name, said)) for name, label in _labels()],
        "verified_link": _link(said, "verified", "" if "verified" in said else "1"),
        "publishes": publishers.of(member),
    }
    return render(request, "catalogue/list.html", context)


def _labels() -> list[tuple[str, str]]:
    return [("architecture", _("Architecture")), ("licence", _("Licence")), ("tag", _("Tag"))]


def _choices(name: str, said: dict[str, str]) -> list[tuple[str, str, bool]]:
    """Return the most frequent values of a filter: value, address, and whether it is chosen."""
    if name == "tag":
        tagged = Tagged.objects.filter(kind=kinds.APPLIANCE).values("tag__name").annotate(rows=Count("pk"))
        values = [str(row["tag__name"]) for row in tagged.order_by("-rows", "tag__name")[:CHOICES]]
    else:
        said_so = Appliance.objects.filter(hidden=False).exclude(**{name: ""}).values(name).annotate(rows=Count("pk"))
        values = [str(row[name]) for row in said_so.order_by("-rows", name)[:CHOICES]]
    chosen = said.get(name, "")
    if chosen and chosen not in values:
        values.insert(0, chosen)
    return [(value, _link(said, name, "" if value == chosen else value), value == chosen) for value in values]


def _link(said: dict[str, str], name: str, value: str) -> str:
    """Return the address of the same list with a filter changed; "" takes it off."""
    wanted = {key: held for key, held in {**said, name: value}.items() if held}
    return f"?{urlencode(wanted)}" if wanted else "?"


@require_GET
def new(request: HttpRequest) -> HttpResponse:
    """Show the appliances with the newest versions, or those that words find."""
    words = request.GET.get("q", "").strip()[:300].replace("\x00", "")
    if not words:
        return _listing(request, "new", order="new")
    member = visitor(request)
    limits.use("search", member=member, address=request.META.get("REMOTE_ADDR", ""))
    said = filters(request)
    response = _page(request, member, "found", found_by(words, said), said=said, words=words)
    response["Cache-Control"] = "private"  # counted against a limit, and so not to be shared
    return response


def found_by(words: str, said: Mapping[str, str]) -> list[Appliance]:
    """Return the appliances that words find and filters leave, best first."""
    terms = search.parse(words).terms
    query = Query(terms=terms, kinds=("appliance",))
    numbers = [hit.number for hit in search.index().find(query, limit=FOUND)] if terms else []
    place = {number: position for position, number in enumerate(numbers)}
    return sorted(narrow(shown().filter(pk__in=numbers), said), key=lambda row: place[row.pk])


@require_GET
def starred(request: HttpRequest) -> HttpResponse:
    """Show the appliances with the most stars."""
    return _listing(request, "starred", order="starred")


@require_GET
@for_members
def mine(request: HttpRequest, member: Member) -> HttpResponse:
    """Show what the member gave a star, the newest first."""
    rows = Star.objects.filter(member=member, appliance__hidden=False).select_related("appliance__publisher")
    page = paging.newest(rows, keys={"date": datetime, "id": int}, after=request.GET.get("after"), size=PAGE)
    return _page(request, member, "mine", [row.appliance for row in page.rows], said={}, after=page.after)


@require_GET
def feed(request: HttpRequest, form: str) -> HttpResponse:
    """Answer with the newest versions of all appliances as a feed."""
    rows = Version.objects.filter(appliance__hidden=False, withdrawn=False).order_by("-came", "-id")
    return feeds.answer(
        request, form, Feed(title=_("Appliances"), url="/catalogue/", about=_("New versions"), items=items(rows))
    )


def items(rows: QuerySet[Version]) -> list[Item]:
    """Return versions as items of a feed."""
    return [
        Item(
            name=f"version/{row.pk}",
            title=f"{row.appliance.title} {row.version}",
            url=version_url(row),
            author=row.by.handle if row.by is not None and row.by.left_at is None else "",
            made=row.came,
            html=row.changes_html,
            tags=tuple(row.appliance.tags.split()),
        )
        for row in rows.select_related("appliance__publisher", "by")[: feeds.SIZE]
    ]


def version_url(version: Version) -> str:
    """Return the address of a version's page. Its appliance and publisher must be loaded."""
    return version_page(version.appliance, version.version)
