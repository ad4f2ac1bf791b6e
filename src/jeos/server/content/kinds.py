"""Kinds of content: what a section registers so that tags, search, following, flags and notifications work for it.

Rows that belong to any content (a tag on it, a flag about it) name it by the code of its kind and its number. The
section that owns the kind says how to show such content and how to hide it; nobody else needs to know the section.

    register(Kind(code=1, name="thread", label=_("thread"), cards=..., hide=...))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.functional import Promise

if TYPE_CHECKING:
    from django.db.models import Model

    from jeos.server.accounts.models import Member

# Codes stand in rows: they are given out once, here, and never again.
THREAD, POST, WIKI_PAGE, BLOG_POST, PRACTICE, IDEA, SESSION, APPLIANCE, COMMENT = 1, 2, 3, 4, 5, 6, 7, 8, 9
REVIEW = 20  # of an appliance
EVENT, TOPIC = 30, 31


@dataclass(frozen=True)
class Card:
    """How one piece of content looks in a list of many kinds."""

    kind: int
    number: int
    title: str
    url: str
    author: str  # a handle; empty where there is none
    date: datetime
    excerpt: str = ""
    note: str = ""  # where it is or how it stands, as "Storage · 12 replies"


@dataclass(frozen=True)
class Body:
    """One piece of content as moderators need it."""

    author_id: int | None
    title: str
    url: str
    source: str
    hidden: bool


Cards = Callable[[Sequence[int], "Member | None"], Mapping[int, Card]]


@dataclass(frozen=True)
class Kind:
    """One kind of content; `cards` leaves out what the member may not read.

    `texts` returns the HTML of contents by number, for feeds; it is asked only for what `cards` gave to a visitor.
    """

    code: int
    name: str
    label: str | Promise
    cards: Cards
    body: Callable[[int], Body | None]
    set_hidden: Callable[[int, bool], None]
    texts: Callable[[Sequence[int]], Mapping[int, str]] | None = None
    count_comments: Callable[[int, int], None] | None = None  # adds to the number on its row; None takes no comments
    answer: Callable[[int, Member, str], str] | None = None  # writes one and returns its address; see `answers.py`
    tagged: type[Model] | None = None  # whose rows have a text with the names of their tags
    sees: Callable[[int, Member], bool] | None = None  # tells who sees what `cards` leaves out; see `attachments.py`


_kinds: dict[int, Kind] = {}


def register(kind: Kind) -> None:
    """Add a kind. A code that is taken is a fault of who wrote the section."""
    known = _kinds.get(kind.code)
    if known is not None and known.name != kind.name:
        raise ValueError(f"the code {kind.code} of {kind.name} is that of {known.name} already")
    _kinds[kind.code] = kind


def find(code: int) -> Kind | None:
    """Return the kind with this code, if its section is installed."""
    return _kinds.get(code)


def named(name: str) -> Kind | None:
    """Return the kind with this name, if its section is installed."""
    return next((kind for kind in _kinds.values() if kind.name == name), None)


def all_kinds() -> list[Kind]:
    """Return all kinds, by code."""
    return [_kinds[code] for code in sorted(_kinds)]


def cards(keys: Iterable[tuple[int, int]], *, member: Member | None) -> list[Card]:
    """Return the cards of (kind, number) pairs in their order, with one query for each kind that occurs."""
    wanted = list(keys)
    numbers: dict[int, list[int]] = {}
    for code, number in wanted:
        numbers.setdefault(code, []).append(number)
    found: dict[tuple[int, int], Card] = {}
    for code, of_kind in numbers.items():
        kind = _kinds.get(code)
        if kind is not None:
            found.update({(code, number): card for number, card in kind.cards(of_kind, member).items()})
    return [found[key] for key in wanted if key in found]
