"""What is kept for a member across all sections: for taking it along, and for forgetting it."""

from __future__ import annotations

from collections.abc import Iterator

from jeos.server.accounts import export, leaving
from jeos.server.accounts.export import Json
from jeos.server.accounts.models import Member
from jeos.server.content.models import Bookmark, Draft, Following, Notification


def register() -> None:
    """Register both."""
    export.register("drafts", drafts)
    export.register("bookmarks", bookmarks)
    export.register("notifications", notifications)
    leaving.register(forget)


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
    for model in (Draft, Bookmark, Following, Notification):
        model.objects.filter(member=member).delete()
