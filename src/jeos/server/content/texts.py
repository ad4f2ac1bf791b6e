"""Writing texts: rendered with the members that they mention, revised with their history kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from django.db.models import Max
from django.utils import timezone

from jeos.server.accounts import blocking
from jeos.server.accounts.models import Member
from jeos.server.content import attachments, markdown, moderation, reasons
from jeos.server.content.markdown import Rendered
from jeos.server.content.models import Draft, Revision, Text
from jeos.server.content.models.attachments import keys_in
from jeos.server.content.reasons import Why
from jeos.server.content.shortest import steps

MENTIONS = 10  # members that one text may tell; more is a way to pester
VERSIONS = 50  # of one text that its history shows


@dataclass(frozen=True)
class Version:
    """One version of a text, before it is a row."""

    source: str
    title: str = ""
    editor: int | None = None
    made: datetime | None = None


def render(source: str) -> tuple[Rendered, list[Member]]:
    """Render a text, and return the members that it mentions."""
    candidates = markdown.find_mentions(source)
    members = list(Member.objects.filter(handle__in=candidates, is_active=True)[:MENTIONS]) if candidates else []
    files = attachments.found(keys_in(source[: markdown.LENGTH]))
    rendered = markdown.render(source, handles={member.handle for member in members}, files=files)
    return rendered, [member for member in members if member.handle in rendered.mentions]


def fill(text: Text, source: str) -> tuple[Rendered, list[Member]]:
    """Set source and HTML of a text that is going to be saved; return what `render` does."""
    rendered, mentioned = render(source)
    text.source, text.html, text.renderer = source, rendered.html, markdown.RENDERER
    return rendered, mentioned


def revise(kind: int, number: int, *, old: Version, new: Version, editor: Member, reason: str = "") -> int:
    """Keep what a text was and what it becomes, and return the number of the new version."""
    last: int | None = Revision.objects.filter(kind=kind, number=number).aggregate(last=Max("version"))["last"]
    if last is None:
        last = 1
        Revision.objects.create(
            kind=kind,
            number=number,
            version=1,
            title=old.title,
            source=old.source,
            editor_id=old.editor,
            made=old.made or timezone.now(),
        )
    Revision.objects.create(
        kind=kind, number=number, version=last + 1, title=new.title, source=new.source, editor=editor, reason=reason
    )
    _look_at(kind, number, old=old, new=new, editor=editor)
    return last + 1


def _look_at(kind: int, number: int, *, old: Version, new: Version, editor: Member) -> None:
    """Let moderators look at a change that brought in a blocked word; what others have read stays shown meanwhile."""
    if editor.moderates or not blocking.has_words():
        return
    word = blocking.word_in(new.title, new.source, markdown.render(new.source).plain)
    if word and not blocking.word_in(old.title, old.source):
        why = Why(reasons.CHANGED, word)
        moderation.hold(kind, number, author=old.editor or editor.pk, why=why)


@dataclass(frozen=True)
class Change:
    """A run of words in a difference: kept (=), added (+) or removed (-)."""

    sign: str
    text: str


def difference(old: str, new: str) -> list[Change]:
    """Return what changed between two texts, word by word."""
    before, after = _words(old), _words(new)
    changes: list[Change] = []
    for step in steps(before, after):
        removed = "".join(before[step.old_begin : step.old_end])
        added = "".join(after[step.new_begin : step.new_end])
        if step.sign == "=":
            changes.append(Change("=", removed))
            continue
        changes += [Change(sign, text) for sign, text in (("-", removed), ("+", added)) if text]
    return changes


@dataclass(frozen=True)
class History:
    """The versions of a text: what changed with each, newest first, and the first as it was; None if there is one."""

    changes: list[tuple[Revision, list[Change]]]
    first: Revision | None


def history(kind: int, number: int) -> History:
    """Return the last versions of a text, as `content/changes.html` shows them."""
    rows = Revision.objects.filter(kind=kind, number=number).select_related("editor").order_by("-version")
    versions = list(rows[:VERSIONS])[::-1]
    changes = [(new, difference(old.source, new.source)) for old, new in pairwise(versions)]
    return History(changes=changes[::-1], first=versions[0] if versions else None)


def _words(text: str) -> list[str]:
    words: list[str] = []
    for line in text.splitlines(keepends=True):
        parts = line.split(" ")
        words += [part + " " for part in parts[:-1]] + [parts[-1]]
    return words


def save_draft(member: Member, place: str, *, source: str, title: str = "") -> None:
    """Keep what a member has begun to write; nothing at all deletes the draft."""
    if not source.strip() and not title.strip():
        Draft.objects.filter(member=member, place=place).delete()
        return
    Draft.objects.update_or_create(
        member=member, place=place, defaults={"source": source, "title": title, "saved": timezone.now()}
    )


def draft(member: Member, place: str) -> Draft | None:
    """Return what a member has begun to write there."""
    return Draft.objects.filter(member=member, place=place).first()
