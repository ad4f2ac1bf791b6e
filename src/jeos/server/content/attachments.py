"""Attaching files: what is taken, how much of it, who may have it, and what goes when nothing refers to it.

    made = attachments.keep(member, name="rack.jpg", data=data)
    made.markdown        # ![rack.webp](attachment:…), to be put into a text

A file belongs to its owner until a text refers to it; then it is for those who may read one of these texts. Keys are
not to be guessed, so that who refers to a file has seen it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from jeos.server import pictures, storage
from jeos.server.accounts.models import Member, Trust
from jeos.server.content import audit, file_kinds, kinds, limits, markdown
from jeos.server.content.file_kinds import BadFile
from jeos.server.content.models import Attachment, Draft, Reference

MIB = 1 << 20
DAY = 86_400  # seconds
KEPT_UNUSED = timedelta(days=2)  # for who is still writing
IDLE = 3_600.0  # seconds for which nobody has put a file that is removed
BATCH = 500
TEXTS = 50  # texts that are asked whether somebody may have a file


@dataclass(frozen=True)
class Allowed:
    """What a member may upload within a day."""

    files: int
    size: int  # bytes


ALLOWED = {
    Trust.NEW: Allowed(files=5, size=20 * MIB),
    Trust.BASIC: Allowed(files=30, size=60 * MIB),
    Trust.KNOWN: Allowed(files=100, size=200 * MIB),
    Trust.REGULAR: Allowed(files=200, size=500 * MIB),
    Trust.LEADER: Allowed(files=200, size=500 * MIB),
}


def place() -> storage.Storage:
    """Return where the files of this site are."""
    return storage.Folder(settings.FILES)


@dataclass(frozen=True)
class Prepared:
    """What is kept of a file: a picture made anew with a small one, anything else as it was."""

    name: str
    media: str
    data: bytes
    small: bytes = b""
    width: int = 0
    height: int = 0


def keep(member: Member, *, name: str, data: bytes, now: datetime | None = None) -> Attachment:
    """Keep a file that a member uploads.

    Raises BadFile for what is not taken, and TooOften for more than a member may upload.
    """
    now = now or timezone.now()
    _check_size(name, data)
    _allow(member, len(data), now=now)
    return store(member.pk, prepare(name, data), made=now)


def prepare(name: str, data: bytes) -> Prepared:
    """Return what is kept of a file, which takes a while for a picture. Raises BadFile for what is not taken."""
    name = file_kinds.clean_name(name)
    _check_size(name, data)
    if not pictures.looks_like_one(data):
        return Prepared(name, file_kinds.media_of(name, data, allowed=settings.FILE_KINDS), data)
    try:
        made = pictures.make(data)
    except pictures.BadPicture as bad:
        raise BadFile("pixels" if bad.why == "pixels" else "picture", name) from None
    stem = name.rpartition(".")[0] if file_kinds.ending_of(name) in file_kinds.PICTURES else name
    return Prepared(
        f"{stem or 'picture'}.webp", "image/webp", made.whole, small=made.small, width=made.width, height=made.height
    )


def store(owner: int, file: Prepared, *, made: datetime) -> Attachment:
    """Keep a prepared file for a member."""
    where = place()
    return Attachment.objects.create(
        owner_id=owner,
        name=file.name,
        media=file.media,
        size=len(file.data),
        digest=where.put(file.data),
        small=where.put(file.small) if file.small else "",
        width=file.width,
        height=file.height,
        made=made,
    )


def _check_size(name: str, data: bytes) -> None:
    """Raise BadFile for what is empty or too large."""
    if not data:
        raise BadFile("empty", file_kinds.clean_name(name))
    if len(data) > settings.FILE_BYTES:
        raise BadFile("large", file_kinds.clean_name(name))


def _allow(member: Member, size: int, *, now: datetime) -> None:
    """Let a member upload so many bytes more. Raises TooOften."""
    limits.use("upload", member=member)
    if member.moderates:
        return
    recent = Attachment.objects.filter(owner=member, made__gt=now - timedelta(seconds=DAY))
    used = recent.aggregate(files=Count("pk"), size=Sum("size"))
    allowed = ALLOWED[Trust(member.trust)]
    if used["files"] >= allowed.files or (used["size"] or 0) + size > allowed.size:
        raise limits.TooOften("upload", DAY)


def found(keys: Iterable[str]) -> dict[str, markdown.File]:
    """Return the files with some keys, as texts show them."""
    wanted = list(keys)
    rows = Attachment.objects.filter(key__in=wanted) if wanted else ()
    return {
        row.key: markdown.File(url=row.url, name=row.name, picture=row.picture, width=row.width, height=row.height)
        for row in rows
    }


def may_have(attachment: Attachment, member: Member | None) -> bool:
    """Tell whether somebody may have a file: its owner, and who may read a text that refers to it."""
    if member is not None and member.pk == attachment.owner_id:
        return True
    rows = Reference.objects.filter(attachment=attachment).order_by("pk")
    texts = list(rows.values_list("kind", "number")[:TEXTS])
    if kinds.cards(texts, member=member):
        return True
    return member is not None and any(_sees(kind, number, member) for kind, number in texts)


def _sees(kind: int, number: int, member: Member) -> bool:
    """Tell whether somebody sees a text that no list shows: what is hidden, its author and moderators."""
    known = kinds.find(kind)
    if known is None:
        return False
    if known.sees is not None:
        return known.sees(number, member)
    body = known.body(number)
    return body is not None and (body.author_id == member.pk or (body.hidden and member.moderates))


def used_in(attachment: Attachment, member: Member) -> list[kinds.Card]:
    """Return the texts that refer to a file, as far as somebody may read them."""
    texts = Reference.objects.filter(attachment=attachment).order_by("pk").values_list("kind", "number")[:TEXTS]
    return kinds.cards(list(texts), member=member)


@transaction.atomic
def remove(attachment: Attachment, *, actor: Member) -> None:
    """Remove a file: from now on nobody has it. What it was on the disk goes with the next sweep."""
    if actor.pk != attachment.owner_id:
        details: dict[str, audit.Json] = {"file": attachment.key, "name": attachment.name}
        audit.record(actor, "file.remove", subject=attachment.owner, details=details)
    attachment.delete()


def release(kind: int, number: int) -> None:
    """Let a text that is deleted refer to nothing."""
    Reference.objects.filter(kind=kind, number=number).delete()


def sweep(*, now: datetime) -> int:
    """Remove the files that nothing refers to, and return how many."""
    removed = 0
    unused = Attachment.objects.filter(references=None, made__lt=now - KEPT_UNUSED).order_by("pk")
    after = 0
    while rows := list(unused.filter(pk__gt=after)[:BATCH]):
        after = rows[-1].pk
        drafts = Draft.objects.filter(member__in={row.owner_id for row in rows}, source__contains="attachment:")
        wanted = "\n".join(drafts.values_list("source", flat=True))
        leaving = [row.pk for row in rows if row.key not in wanted]
        # A text may have been saved meanwhile that refers to one of them.
        removed += Attachment.objects.filter(pk__in=leaving, references=None).delete()[0]
    _sweep_files()
    return removed


def _sweep_files() -> None:
    """Remove from the disk what no row names."""
    where = place()
    digests = where.idle(IDLE)
    while batch := list(islice(digests, BATCH)):
        named = _named(batch)
        for digest in batch:
            if digest not in named:
                where.remove(digest, idle=IDLE)


def _named(digests: Sequence[str]) -> set[str]:
    """Return which of some files rows name."""
    rows = Attachment.objects.filter(Q(digest__in=digests) | Q(small__in=digests)).values_list("digest", "small")
    faces = Member.objects.filter(picture__in=digests).values_list("picture", flat=True)
    return {digest for pair in rows for digest in pair} | set(faces)
