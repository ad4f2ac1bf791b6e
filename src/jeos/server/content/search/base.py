"""What a search index does: takes entries, forgets them, finds them.

Hits come in three tiers: all words in title or tags; all words somewhere in what has a title; replies. Within a tier
the newest comes first. This order needs no score over all hits, which is what makes common words slow elsewhere
(1.6 s on PostgreSQL, 6.4 s on SQLite for 645,000 hits), and everybody can foresee it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from jeos.server.content.search.query import Query

Key = tuple[int, int]  # kind and number


@dataclass(frozen=True)
class Entry:
    """One piece of content as search sees it: plain text, no markup."""

    kind: int
    number: int
    head: bool  # has a title of its own, as against a reply
    date: datetime
    area: int = 0  # whose members may read it; 0 is everybody
    author: int | None = None
    title: str = ""
    body: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hit:
    """Something found: its key, and the part of its text around the words."""

    kind: int
    number: int
    tier: int  # 0 title, 1 text of what has a title, 2 reply
    excerpt: str


class Index(Protocol):
    """A search index. All calls take part in the transaction that is going on."""

    def put(self, entries: Sequence[Entry], *, new: bool = False) -> None:
        """Add entries, or replace those with the same key; `new` promises that there are none."""

    def remove(self, keys: Collection[Key]) -> None:
        """Forget entries; those that are not there do not matter."""

    def find(self, query: Query, *, limit: int, hidden_areas: Collection[int] = ()) -> list[Hit]:
        """Return at most `limit` hits, best first, none from `hidden_areas`."""


def excerpt(body: str, words: Sequence[str], *, length: int = 220) -> str:
    """Return about `length` characters of a text around the first of the words that occurs."""
    low = body.lower()
    places = [place for place in (low.find(word.lower()) for word in words) if place >= 0]
    begin = max(0, min(places, default=0) - length // 3)
    if begin:
        begin = body.find(" ", begin) + 1 or begin
    end = begin + length
    if end < len(body):
        end = body.rfind(" ", begin, end) if " " in body[begin:end] else end
    return ("… " if begin else "") + body[begin:end].strip() + (" …" if end < len(body) else "")
