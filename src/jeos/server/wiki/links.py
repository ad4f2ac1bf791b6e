"""Links between pages, kept with each save: what links where, what is linked from nowhere, what nobody has written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Count, IntegerField, Min, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from jeos.server.content import markdown
from jeos.server.wiki.models import TITLE_LENGTH, Link, Page, Redirect, Wanted


def store(page: Page, pages: Sequence[tuple[str, str]]) -> None:
    """Let a page link to these (name, title) pairs and to no others."""
    wanted = {name: title for name, title in pages if name != page.name}
    old = {link.name: link for link in Link.objects.filter(source=page)}
    gone = [link for name, link in old.items() if name not in wanted]
    came = [name for name in wanted if name not in old]
    there = resolve(came)
    Link.objects.filter(pk__in=[link.pk for link in gone]).delete()
    Link.objects.bulk_create(
        [Link(source=page, name=name, title=wanted[name][:TITLE_LENGTH], page_id=there.get(name)) for name in came]
    )
    count({link.page_id for link in gone if link.page_id} | set(there.values()))
    want({link.name for link in gone if not link.page_id} | (set(came) - set(there)))


def resolve(names: Iterable[str]) -> dict[str, int]:
    """Return the numbers of the pages that have these names, now or before."""
    wanted = list(names)
    found = dict(Redirect.objects.filter(name__in=wanted).values_list("name", "page_id"))
    found.update(Page.objects.filter(name__in=wanted).values_list("name", "pk"))
    return found


def arrive(page: Page, name: str) -> None:
    """Let the links to a name, which nobody had until now, lead to a page."""
    Link.objects.filter(name=name, page=None).update(page=page)
    Wanted.objects.filter(name=name).delete()
    count({page.pk})


def depart(page: Page, name: str) -> None:
    """Let the links to a name lead nowhere: the page is no longer found under it."""
    Link.objects.filter(name=name, page=page).update(page=None)
    count({page.pk})
    want({name})


def count(numbers: Iterable[int]) -> None:
    """Count anew how many pages link to some pages."""
    linking = Link.objects.filter(page=OuterRef("pk")).exclude(source=OuterRef("pk")).order_by().values("page")
    counted = Subquery(linking.annotate(n=Count("pk")).values("n"), output_field=IntegerField())
    Page.objects.filter(pk__in=list(numbers)).update(incoming=Coalesce(counted, 0))


def want(names: Iterable[str]) -> None:
    """Count anew how many links lead to names that no page has."""
    wanted = list(names)
    rows = Link.objects.filter(name__in=wanted, page=None).order_by().values("name")
    counted = {row["name"]: row for row in rows.annotate(uses=Count("pk"), said=Min("title"))}
    Wanted.objects.filter(name__in=[name for name in wanted if name not in counted]).delete()
    Wanted.objects.bulk_create(
        [Wanted(name=name, title=row["said"], uses=row["uses"]) for name, row in counted.items()],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["uses"],
    )


def missing(page: Page) -> list[str]:
    """Return the names that a page links to and that lead to nothing that a visitor may read."""
    nowhere = Link.objects.filter(Q(page=None) | Q(page__hidden=True), source=page)
    return list(nowhere.values_list("name", flat=True))


def mark_missing(html: str, names: Iterable[str]) -> str:
    """Return the HTML of a text with the links to these names told from others, as the style sheet shows them."""
    for name in names:
        link = f'<a href="{markdown.page_url(name)}" class="wiki'
        html = html.replace(f'{link}"', f'{link} missing"')
    return html
