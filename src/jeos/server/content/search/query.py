"""What somebody typed into the search box, taken apart.

parse('disk "boot order" -windows tag:uefi by:ada kind:thread after:2026-03')
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

TERMS = 12  # more words than this narrow nothing and cost much
LENGTH = 300  # characters of a query that are looked at
_PART = re.compile(r'(-?)(?:(tag|by|kind|after|before):(\S+)|"([^"]*)"|([^\s"]+))', re.IGNORECASE)
_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")
_WORD = re.compile(r"[^\W_]+(?:['\u2019._-][^\W_]+)*")


@dataclass(frozen=True)
class Query:
    """Words and phrases that must occur, those that must not, and filters."""

    terms: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    after: datetime | None = None  # from this instant on
    before: datetime | None = None  # earlier than this

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to search for."""
        return not self.terms and not self.tags and not self.authors


def parse(text: str) -> Query:
    """Take a query apart. Everything is legal; what makes no sense is a word."""
    found: dict[str, list[str]] = {"terms": [], "excluded": [], "tag": [], "by": [], "kind": []}
    dates: dict[str, datetime] = {}
    for minus, name, value, phrase, word in _PART.findall(text[:LENGTH].replace("\0", " ")):  # PostgreSQL takes none
        if name.lower() in ("after", "before"):
            moment = beginning(value)
            if moment is not None:
                dates[name.lower()] = moment
                continue
            word = value
        elif name:
            found[name.lower()].append(value.lower().lstrip("@"))
            continue
        term = clean(phrase or word)
        if term:
            found["excluded" if minus else "terms"].append(term)
    return Query(
        terms=tuple(found["terms"][:TERMS]),
        excluded=tuple(found["excluded"][:TERMS]),
        tags=tuple(found["tag"][:TERMS]),
        authors=tuple(found["by"][:TERMS]),
        kinds=tuple(found["kind"][:TERMS]),
        after=dates.get("after"),
        before=dates.get("before"),
    )


def beginning(text: str) -> datetime | None:
    """Return the first instant of a year, month or day in UTC, as 2026, 2026-03 or 2026-03-01; None for none."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text + "-01-01"[len(text) - 4 :]).replace(tzinfo=UTC)
    except ValueError:
        return None


def clean(term: str) -> str:
    """Return the words of a term, apart by single spaces: nothing that an index could take for its own syntax."""
    return " ".join(_WORD.findall(term))
