"""What a member's page shows of each section: registered by the sections, which this one does not know.

register("forum", lambda member, reader: [Piece(...), ...])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from jeos.server.accounts.models import Member


@dataclass(frozen=True)
class Piece:
    """One thing that a member did."""

    title: str
    url: str
    excerpt: str
    date: datetime
    note: str


_registered: dict[str, Callable[[Member, Member | None], Sequence[Piece]]] = {}


def register(name: str, pieces: Callable[[Member, Member | None], Sequence[Piece]]) -> None:
    """Add what a section shows of a member to a reader."""
    _registered[name] = pieces


def of(member: Member, reader: Member | None) -> list[Piece]:
    """Return what a member did, newest first, as far as the reader may see it."""
    pieces = [piece for shown in _registered.values() for piece in shown(member, reader)]
    return sorted(pieces, key=lambda piece: piece.date, reverse=True)
