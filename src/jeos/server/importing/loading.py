"""Making content of the records that wait: some at a time, in one transaction that also deletes them.

So a worker that dies leaves nothing half-made: its part is as if it had not begun, and whoever comes next does it. Two
workers at the same import take turns, since each holds the row of the import. Nothing here tells anybody of anything:
these texts are old.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import OperationalError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.text import slugify

from jeos.server.accounts import registration
from jeos.server.accounts.models import HANDLE_LENGTH, Member, Trust
from jeos.server.content import attachments, kinds, markdown, search, tags, texts
from jeos.server.forum import categories, posting
from jeos.server.forum.models import TITLE_LENGTH, Category, Post, Thread, slug_of
from jeos.server.importing import gathering, placing, reporting, responses
from jeos.server.importing.models import Import, Kind, Old, Staged

BATCH = 100  # records of one transaction: a fraction of a second, for which others wait
MANY = 1_000  # of those that are made many at a time
HANDLE_TRIES = 1_000
NOBODY = "imported"  # the handle of who wrote what has no author any more


class Unloadable(Exception):  # noqa: N818 - named for what happened
    """A record of which no content could be made; its cause says why."""

    def __init__(self, row: Staged) -> None:
        super().__init__(f"{Kind(row.kind).name.lower()} {row.number}")
        self.row = row.pk


@transaction.atomic
def advance(number: int) -> bool:
    """Make content of the next records of an import; return whether there are more. Raises Unloadable."""
    run = Import.objects.select_for_update().filter(pk=number, finished=None).exclude(read=None).first()
    if run is None:
        return False
    rows = _next(run)
    if not rows:
        gathering.clear(run.source)
        Import.objects.filter(pk=number).update(finished=timezone.now())
        return False
    came, left = _load_all(run.source, rows)
    passed_over = sum(left.values())
    Import.objects.filter(pk=number).update(passed_over=F("passed_over") + passed_over, done=F("done") + len(rows))
    reporting.add(number, "came", came)
    reporting.add(number, "left", left)
    Staged.objects.filter(pk__in=[row.pk for row in rows]).delete()
    categories.forget()
    return True


def _next(run: Import) -> list[Staged]:
    """Return the next records that become content: more where they are made many at a time."""
    rows = Staged.objects.filter(run=run).order_by("kind", "topic", "place", "number")
    first = rows.first()
    if first is not None and first.kind in responses.BULK:
        return list(rows.filter(kind=first.kind)[:MANY])
    return list(rows[:BATCH])


def _load_all(source: str, rows: Sequence[Staged]) -> tuple[Counter[str], Counter[str]]:
    """Make content of records; return how many of each kind came, and how many could not. Raises Unloadable."""
    came: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for kind, group in groupby(rows, key=lambda row: Kind(row.kind)):
        part = list(group)
        done = _load_many(source, part) if kind in responses.BULK else sum(_load(source, row) for row in part)
        came[reporting.name_of(kind)] += done
        left[reporting.name_of(kind)] += len(part) - done
    return came, left


def _load_many(source: str, rows: Sequence[Staged]) -> int:
    """Make content of records of one kind together; if that fails, one by one, so that it is known with which."""
    try:
        with transaction.atomic():
            return responses.BULK[Kind(rows[0].kind)](source, [row.data for row in rows])
    except OperationalError:
        raise
    except Exception as error:
        if len(rows) == 1:
            raise Unloadable(rows[0]) from error
        return sum(_load_many(source, [row]) for row in rows)


def _load(source: str, row: Staged) -> bool:
    """Make content of a record; return whether that could be. Raises Unloadable, after which nothing may be written."""
    try:
        return LOADERS[Kind(row.kind)](source, row.data)
    except OperationalError:  # the database is the cause, not the record
        raise
    except Exception as error:
        raise Unloadable(row) from error


def new_number(source: str, kind: Kind, number: int) -> int | None:
    """Return what an old number has become, if it has."""
    return Old.objects.filter(source=source, kind=kind, number=number).values_list("new", flat=True).first()


def _remember(source: str, kind: Kind, number: int, new: int, **more: Any) -> None:
    Old.objects.create(source=source, kind=kind, number=number, new=new, **more)


def person(source: str, data: dict[str, Any]) -> bool:
    """Make a member of a person; one with the same address is the same. Return whether that could be."""
    email = _email(str(data["email"]))
    found = Member.objects.filter(email__iexact=email).first() if email else None
    if found is None:
        found = Member(
            handle=free_handle(str(data["handle"])),
            email=email,
            name=str(data["name"]).strip()[:60],
            joined=datetime.fromisoformat(data["joined"]),
            trust=Trust(data["trust"]),
            about=str(data.get("about", "")).strip()[:2_000],
        )
        if data["password"]:
            found.password = str(data["password"])
        else:
            found.set_unusable_password()
        found.save()
        if email:
            registration.confirm(found)
    _remember(source, Kind.PERSON, data["number"], found.pk, name=str(data["handle"]).lower()[:100])
    return True


def _email(text: str) -> str | None:
    """Return an address of mail, or None for what is none."""
    try:
        validate_email(text)
    except ValidationError:
        return None
    return Member.objects.normalize_email(text)[:254]


def free_handle(name: str) -> str:
    """Return the handle for somebody who was called like this there, that nobody has here."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-_")[: HANDLE_LENGTH - 5].strip("-_") or "member"
    base = base if len(base) > 1 else f"{base}-1"
    taken = set(Member.objects.filter(handle__startswith=base).values_list("handle", flat=True))
    return next(handle for handle in (base, *(f"{base}-{n}" for n in range(2, HANDLE_TRIES))) if handle not in taken)


def face(source: str, data: dict[str, Any]) -> bool:
    """Give a member a picture that was prepared; who has one here keeps it. Return whether that could be."""
    member = new_number(source, Kind.PERSON, data["number"])
    picture = placing.face_of(source, data)
    if member is None or picture is None:
        return False
    digest = attachments.place().put(picture)
    return Member.objects.filter(pk=member, picture="", is_active=True).update(picture=digest) == 1


def room(source: str, data: dict[str, Any]) -> bool:
    """Make a category of a part of the old forum. What was closed there is for moderators here."""
    name = str(data["name"]).strip()[:60] or f"Category {data['number']}"
    slug = slugify(name)[:50] or f"category-{data['number']}"
    if Category.objects.filter(slug=slug).exists():
        slug = f"{slug}-{source}-{data['number']}"[:60]
    made = Category.objects.create(
        slug=slug,
        name=name,
        description=" ".join(str(data["description"]).split())[:300],
        staff=bool(data["closed"]),
        position=1_000 + Category.objects.count(),
        hue=data["number"] % 12,
    )
    _remember(source, Kind.ROOM, data["number"], made.pk)
    return True


def topic(source: str, data: dict[str, Any]) -> bool:
    """Make a thread, still without posts and hidden. Return False if its category did not come."""
    category = new_number(source, Kind.ROOM, data["room"])
    if category is None:
        return False
    title = " ".join(str(data["title"]).split())[:TITLE_LENGTH] or f"Thread {data['number']}"
    author, made = _author(source, data["author"]), datetime.fromisoformat(data["made"])
    thread = Thread.objects.create(
        category_id=category,
        title=title,
        slug=slug_of(title),
        author_id=author,
        made=made,
        last_at=made,
        last_by_id=author,
        closed=bool(data["closed"]),
        pinned=bool(data["pinned"]),
        hidden=True,
    )
    names = list(dict.fromkeys(filter(None, map(tags.normal, data["tags"]))))[: tags.PER_THING]
    if names:
        chosen = tags.set_tags(kinds.THREAD, thread.pk, names, date=made)
        Thread.objects.filter(pk=thread.pk).update(tags=" ".join(tag.name for tag in chosen))
    _remember(source, Kind.TOPIC, data["number"], thread.pk)
    return True


def message(source: str, data: dict[str, Any]) -> bool:
    """Make a post; with its first, a thread is shown. Return False where its thread did not come, or it is empty."""
    number = new_number(source, Kind.TOPIC, data["topic"])
    if number is None or not str(data["source"]).strip():
        return False
    source_text = placing.placed(source, data, author=lambda old: _author(source, old))
    text = source_text[: markdown.LENGTH].strip()
    thread = Thread.objects.select_related("category").get(pk=number)
    author, made = _author(source, data["author"]), datetime.fromisoformat(data["made"])
    reply_to = _reply_to(source, data)
    post = Post(thread=thread, number=thread.last_number + 1, author_id=author, made=made, told=True, reply_to=reply_to)
    rendered, _mentioned = texts.fill(post, text)
    post.save(force_insert=True)
    thread.last_number, thread.posts, thread.hidden = post.number, thread.posts + 1, False
    thread.last_at, thread.last_by_id = max(made, thread.last_at), author
    thread.save(update_fields=["last_number", "posts", "hidden", "last_at", "last_by"])
    first = int(post.number == 1)  # PostgreSQL adds no truth to a number
    Category.objects.filter(pk=thread.category_id).update(posts=F("posts") + 1, threads=F("threads") + first)
    Member.objects.filter(pk=author).update(posts=F("posts") + 1, threads=F("threads") + first)
    entry = posting.thread_entry if first else None
    made_entry = (
        entry(thread, thread.category, rendered)
        if entry
        else posting.post_entry(post, thread, thread.category, rendered)
    )
    search.index().put([made_entry], new=True)
    more = {"topic": data["topic"], "place": data["place"]}
    _remember(source, Kind.MESSAGE, data["number"], post.pk, **more)
    return True


def _reply_to(source: str, data: dict[str, Any]) -> int | None:
    """Return the number here of the post that is answered."""
    if not data["reply_to"]:
        return None
    old = Old.objects.filter(source=source, topic=data["topic"], place=data["reply_to"], kind=Kind.MESSAGE)
    return Post.objects.filter(pk__in=old.values("new")).values_list("number", flat=True).first()


def _author(source: str, number: int) -> int:
    """Return who a person there is here; who did not come along is one member that nobody can sign in as."""
    found = new_number(source, Kind.PERSON, number)
    if found is not None:
        return found
    nobody, new = Member.objects.get_or_create(
        handle=NOBODY, defaults={"is_active": False, "left_at": timezone.now(), "email": None}
    )
    if new:
        nobody.set_unusable_password()
        nobody.save(update_fields=["password"])
    return nobody.pk


LOADERS: dict[Kind, Callable[[str, dict[str, Any]], bool]] = {
    Kind.PERSON: person,
    Kind.ROOM: room,
    Kind.TOPIC: topic,
    Kind.MESSAGE: message,
    Kind.FILE: lambda _source, _data: True,  # the posts that refer to it have it
    Kind.FACE: face,
    Kind.POLL: responses.poll,
}
