"""What the wiki knows of a member: for the member's page, and for taking it along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jeos.server.accounts import activity, export
from jeos.server.accounts.activity import Piece
from jeos.server.accounts.export import Json
from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from jeos.server.content.models import Revision
from jeos.server.wiki.models import Change

RECENT = 20


def register() -> None:
    """Register both."""
    activity.register("wiki", pieces)
    export.register("wiki", changes)


def pieces(member: Member, reader: Member | None) -> Sequence[Piece]:
    """Return the pages that a member changed last, each once."""
    rows = Change.objects.filter(editor=member, page__hidden=False).select_related("page")
    newest: dict[int, Change] = {}
    for change in rows.order_by("-made", "-pk")[: RECENT * 2]:
        newest.setdefault(change.page_id, change)
    return [
        Piece(
            title=change.page.title,
            url=change.page.get_absolute_url(),
            excerpt=change.reason,
            date=change.made,
            note=change.get_what_display(),
        )
        for change in list(newest.values())[:RECENT]
    ]


def changes(member: Member) -> Iterator[dict[str, Json]]:
    """Return all changes of a member, with the texts that they made."""
    rows = Change.objects.filter(editor=member).select_related("page").order_by("pk")
    for change in rows.iterator(chunk_size=200):
        revision = Revision.objects.filter(kind=kinds.WIKI_PAGE, number=change.page_id, version=change.version).first()
        current = change.page.source if change.version == change.page.version else ""
        yield {
            "page": change.page.title,
            "address": change.page.get_absolute_url(),
            "what": change.what,
            "version": change.version,
            "made": change.made.isoformat(),
            "reason": change.reason,
            "source": (revision.source if revision else current) if change.has_text else "",
        }
