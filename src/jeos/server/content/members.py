"""What is kept for a member across all sections: for taking it along, and for forgetting it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from jeos.server.accounts import activity, export, leaving
from jeos.server.accounts.activity import Piece
from jeos.server.accounts.export import Json
from jeos.server.accounts.models import Member
from jeos.server.content import kinds
from jeos.server.content.models import Attachment, Bookmark, Comment, Digest, Draft, Following, Incoming, Notification

RECENT = 20


def register() -> None:
    """Register all three."""
    activity.register("comments", pieces)
    export.register("comments", comments)
    export.register("files", files)
    export.register("drafts", drafts)
    export.register("bookmarks", bookmarks)
    export.register("notifications", notifications)
    leaving.register(forget)


def pieces(member: Member, reader: Member | None) -> Sequence[Piece]:
    """Return a member's last comments, as far as the reader may read them."""
    newest = Comment.objects.filter(author=member, hidden=False).order_by("-pk").values_list("pk", flat=True)[:RECENT]
    cards = kinds.cards([(kinds.COMMENT, number) for number in newest], member=reader)
    return [Piece(card.title, card.url, card.excerpt, card.date, _("comment")) for card in cards]


def comments(member: Member) -> Iterator[dict[str, Json]]:
    """Return all comments of a member."""
    for comment in Comment.objects.filter(author=member).order_by("pk").iterator(chunk_size=500):
        yield {"address": comment.get_absolute_url(), "made": comment.made.isoformat(), "source": comment.source}


def files(member: Member) -> Iterator[dict[str, Json]]:
    """Return what is known of a member's files; each is to be had at its address."""
    if member.picture:
        yield {"address": f"/faces/{member.picture}.webp", "name": "picture of the member"}
    for file in Attachment.objects.filter(owner=member).order_by("pk").iterator(chunk_size=500):
        yield {
            "address": file.url,
            "name": file.name,
            "bytes": file.size,
            "type": file.media,
            "sha256": file.digest,
            "made": file.made.isoformat(),
        }


def drafts(member: Member) -> Iterator[dict[str, Json]]:
    """Return what a member has begun to write."""
    for draft in Draft.objects.filter(member=member):
        yield {"place": draft.place, "title": draft.title, "source": draft.source, "saved": draft.saved.isoformat()}


def bookmarks(member: Member) -> Iterator[dict[str, Json]]:
    """Return what a member keeps."""
    for mark in Bookmark.objects.filter(member=member):
        yield {"kind": mark.kind, "number": mark.number, "note": mark.note, "date": mark.date.isoformat()}


def notifications(member: Member) -> Iterator[dict[str, Json]]:
    """Return what a member was told."""
    for row in Notification.objects.filter(member=member).order_by("pk").iterator(chunk_size=500):
        yield {"title": row.title, "address": row.url, "date": row.date.isoformat()}


def forget(member: Member) -> None:
    """Delete what was kept for a member alone."""
    Attachment.objects.filter(owner=member, references=None).delete()
    member.picture = ""
    for model in (Draft, Bookmark, Following, Notification, Digest, Incoming):
        model.objects.filter(member=member).delete()
