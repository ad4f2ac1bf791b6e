"""The rows that both indexes stand on: which there are, and how filters become SQL."""

from collections.abc import Collection, Iterable, Sequence

from django.db import connection

from jeos.server import rows
from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from jeos.server.content.models import Document, Tag
from jeos.server.content.search import languages
from jeos.server.content.search.base import Entry, Key
from jeos.server.content.search.query import Query

Value = str | int

BODY = 40_000  # characters of a text that are searched


def as_document(entry: Entry) -> Document:
    """Return the row of an entry."""
    return Document(
        kind=entry.kind,
        number=entry.number,
        head=entry.head,
        area=entry.area,
        author=entry.author,
        date=entry.date,
        title=entry.title[:200],
        body=entry.body[:BODY],
        tags=" ".join(entry.tags)[:300],
        language=languages.of(f"{entry.title}\n{entry.body}"),
    )


def add(entries: Sequence[Entry], *, numbered: bool = True) -> list[Document]:
    """Add rows for entries of which there are none yet, and return them, with their numbers if they are `numbered`."""
    made = [as_document(entry) for entry in entries]
    if len(made) == 1 and not numbered:
        rows.write(made[0])
    elif len(made) == 1:
        rows.insert(made[0])
    else:
        Document.objects.bulk_create(made)
    return made


def existing(keys: Iterable[Key]) -> list[Document]:
    """Return the rows that there are for some keys."""
    numbers: dict[int, list[int]] = {}
    for kind, number in keys:
        numbers.setdefault(kind, []).append(number)
    found: list[Document] = []
    for kind, of_kind in numbers.items():
        found += Document.objects.filter(kind=kind, number__in=of_kind)
    return found


def filters(query: Query, hidden_areas: Collection[int]) -> tuple[str, list[Value]]:
    """Return conditions on the rows `d` as SQL that begins with AND, and their parameters."""
    parts: list[str] = []
    values: list[Value] = []
    if hidden_areas:
        parts.append(f"d.area NOT IN ({_marks(list(hidden_areas))})")
        values += sorted(hidden_areas)
    if query.authors:
        numbers = list(Member.objects.filter(handle__in=query.authors).values_list("pk", flat=True)) or [-1]
        parts.append(f"d.author IN ({_marks(numbers)})")
        values += numbers
    if query.kinds:
        codes = [kind.code for name in query.kinds if (kind := kinds.named(name))] or [-1]
        parts.append(f"d.kind IN ({_marks(codes)})")
        values += codes
    for sign, moment in ((">=", query.after), ("<", query.before)):
        if moment is not None:
            parts.append(f"d.date {sign} %s")
            values.append(connection.ops.adapt_datetimefield_value(moment) or "")
    current = _synonyms(query.tags) if query.tags else {}
    for tag in query.tags:
        parts.append("' ' || d.tags || ' ' LIKE %s ESCAPE '!'")
        values.append(f"% {like(current.get(tag, tag))} %")
    return "".join(f" AND {part}" for part in parts), values


def _synonyms(names: Sequence[str]) -> dict[str, str]:
    """Return what tags are called now that have other names, by the names that were asked for."""
    found = Tag.objects.filter(name__in=names, synonym_of__isnull=False)
    return dict(found.values_list("name", "synonym_of__name"))


def like(text: str) -> str:
    """Return a text that LIKE takes as it is, with ! as its escape."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _marks(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))
