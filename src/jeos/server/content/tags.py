"""Tags on content: written, read, renamed and merged."""

from __future__ import annotations

import math
import re
import time
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q

from jeos.server import rows, statements
from jeos.server.accounts.models import Member
from jeos.server.content import audit, paging
from jeos.server.content.models import Tag, Tagged
from jeos.server.content.models.tags import TAG_LENGTH

PER_THING = 5  # tags on one piece of content
SUGGESTIONS = 8
POPULAR = 12
POPULAR_SECONDS = 30.0  # how long a tag may have become popular without being shown


def normal(name: str) -> str:
    """Return a tag's name as it is kept: small letters and digits of any script, hyphens between."""
    low = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).lower())
    return re.sub(r"(?:[^\w.+#]|_)+", "-", low).strip("-.")[:TAG_LENGTH].rstrip("-.")


def split(text: str) -> list[str]:
    """Return the names in what somebody typed, without repetitions, at most so many as one thing may have."""
    names = (normal(part) for part in re.split(r"[,;\s]+", text))
    return list(dict.fromkeys(name for name in names if name))[:PER_THING]


def resolve(names: Iterable[str], *, create: bool) -> list[Tag]:
    """Return the tags that names mean, synonyms followed; those that do not exist are made or left out."""
    wanted = list(names)
    known = {tag.name: tag for tag in Tag.objects.filter(name__in=wanted).select_related("synonym_of")}
    if create:
        Tag.objects.bulk_create([Tag(name=name) for name in wanted if name not in known], ignore_conflicts=True)
        missing = [name for name in wanted if name not in known]
        known.update({tag.name: tag for tag in Tag.objects.filter(name__in=missing).select_related("synonym_of")})
    meant = (known[name].synonym_of or known[name] for name in wanted if name in known)
    return list({tag.pk: tag for tag in meant}.values())


@transaction.atomic
def set_tags(kind: int, number: int, names: Sequence[str], *, date: datetime) -> list[Tag]:
    """Let a piece of content have these tags and no others; return them."""
    tags = resolve(names, create=True)
    old = set(Tagged.objects.filter(kind=kind, number=number).values_list("tag_id", flat=True))
    new = {tag.pk for tag in tags}
    if gone := old - new:
        Tagged.objects.filter(kind=kind, number=number, tag__in=gone).delete()
        Tag.objects.filter(pk__in=gone, uses__gt=0).update(uses=F("uses") - 1)
    if came := new - old:
        Tagged.objects.bulk_create([Tagged(tag_id=tag, kind=kind, number=number, date=date) for tag in sorted(came)])
        Tag.objects.filter(pk__in=came).update(uses=F("uses") + 1)
    return tags


def clear(kind: int, number: int) -> None:
    """Take all tags off a piece of content that is hidden, so that no list comes upon it."""
    old = list(Tagged.objects.filter(kind=kind, number=number).values_list("tag_id", flat=True))
    Tagged.objects.filter(kind=kind, number=number).delete()
    Tag.objects.filter(pk__in=old, uses__gt=0).update(uses=F("uses") - 1)


def of(kind: int, number: int) -> list[Tag]:
    """Return the tags of a piece of content, by name."""
    return list(Tag.objects.filter(rows__kind=kind, rows__number=number).order_by("name"))


# By hand, since the ORM takes several times as long to make this statement as the database to answer it.
_PAGE = (
    "SELECT {columns} FROM content_tagged t WHERE t.tag_id = %s{of_kind}{beyond} "
    "ORDER BY t.date DESC, t.id DESC LIMIT {limit}"
)


def page(tag: Tag, *, after: str | None, size: int, kind: int | None = None) -> paging.Page[Tagged]:
    """Return a page of what has a tag, newest first."""
    keys = paging.decode(after, kinds=[datetime, int])
    values: list[Any] = [tag.pk] if kind is None else [tag.pk, kind]
    if keys is not None:
        date = connection.ops.adapt_datetimefield_value(keys[0])  # type: ignore[arg-type] # decoded as a moment
        values += [date, date, keys[1]]
    statement = _PAGE.format(
        columns=rows.columns(Tagged, "t"),
        of_kind="" if kind is None else " AND t.kind = %s",
        beyond="" if keys is None else " AND t.date <= %s AND (t.date < %s OR t.id < %s)",
        limit=size + 1,
    )
    with statements.cursor() as cursor:
        cursor.execute(statement, values)
        found = [rows.read(Tagged, row) for row in cursor.fetchall()]
    more = paging.encode([found[size - 1].date, found[size - 1].pk]) if len(found) > size else ""
    return paging.Page(rows=found[:size], after=more)


_popular: tuple[float, list[str]] = (-math.inf, [])


def popular() -> list[str]:
    """Return the names of the most used tags, which change slowly and are kept in each process for a while."""
    global _popular
    read, names = _popular
    now = time.monotonic()
    if now - read >= POPULAR_SECONDS:
        found = Tag.objects.filter(synonym_of=None, uses__gt=0).order_by("-uses", "name")
        names = list(found.values_list("name", flat=True)[:POPULAR])
        _popular = (now, names)
    return names


def forget_popular() -> None:
    """Read them anew when they are wanted next."""
    global _popular
    _popular = (-math.inf, [])


def suggest(beginning: str) -> list[Tag]:
    """Return the most used tags whose names, or those of their synonyms, begin like this."""
    name = normal(beginning)
    found = Tag.objects.filter(name__startswith=name).select_related("synonym_of").order_by("-uses", "name")
    meant = (tag.synonym_of or tag for tag in found[: SUGGESTIONS * 2])
    return list({tag.pk: tag for tag in meant}.values())[:SUGGESTIONS] if name else []


@transaction.atomic
def merge(source: Tag, target: Tag, *, actor: Member) -> None:
    """Let a tag become a synonym of another: what had it has the other from now on."""
    if source.pk == target.pk or target.synonym_of_id is not None:
        raise ValueError(f"{source} cannot become a synonym of {target}")
    have = Q(pk__in=_twice(source, target))
    Tagged.objects.filter(have).delete()
    Tagged.objects.filter(tag=source).update(tag=target)
    Tag.objects.filter(synonym_of=source).update(synonym_of=target)
    Tag.objects.filter(wider=source).update(wider=target)
    Tag.objects.filter(pk=source.pk).update(synonym_of=target, wider=None, uses=0)
    Tag.objects.filter(pk=target.pk).update(uses=Tagged.objects.filter(tag=target).count())
    audit.record(actor, "tag.merge", details={"from": source.name, "to": target.name})
    _spread(target)


def _twice(source: Tag, target: Tag) -> list[int]:
    """Return the rows of `source` on content that has `target` too."""
    both = Tagged.objects.filter(tag=target).values_list("kind", "number")
    rows = Tagged.objects.filter(tag=source).values_list("pk", "kind", "number")
    has = set(both)
    return [pk for pk, kind, number in rows if (kind, number) in has]


@transaction.atomic
def rename(tag: Tag, name: str, *, actor: Member) -> None:
    """Give a tag another name; the old one stays as a synonym, so that addresses go on working."""
    old, new = tag.name, normal(name)
    if not new or Tag.objects.filter(name=new).exists():
        raise ValueError(f"there is a tag {new} already, or it is no name")
    Tag.objects.filter(pk=tag.pk).update(name=new)
    Tag.objects.create(name=old, synonym_of=tag)
    audit.record(actor, "tag.rename", details={"from": old, "to": new})
    _spread(tag)


def _spread(tag: Tag) -> None:
    from jeos.server.content import tasks  # tasks import what writes

    tasks.spread_tag.enqueue(tag.pk)


def would_loop(tag: Tag, wider: Tag) -> bool:
    """Tell whether `wider` is `tag` itself or below it."""
    seen: set[int] = set()
    at: Tag | None = wider
    while at is not None and at.pk not in seen:
        if at.pk == tag.pk:
            return True
        seen.add(at.pk)
        at = at.wider
    return False
