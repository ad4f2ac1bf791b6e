"""How far members have read: a number for each thread, a watermark for each category, and a cut-off for all.

A thread is new to a member if it came after the watermark of its category and after the cut-off, and the member's
number in it is lower than its last. So a member who reads everything has few rows, and one who reads nothing has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from jeos.server import rows, statements
from jeos.server.accounts.models import Member
from jeos.server.forum.models import Category, ReadCategory, ReadThread, Thread

CUT_OFF = timedelta(days=45)  # what is older counts as read


class Listed(Protocol):
    """A thread, as far as marks ask."""

    @property
    def pk(self) -> int:
        """Return its number."""

    @property
    def category_id(self) -> int:
        """Return the number of its category."""

    @property
    def last_at(self) -> datetime:
        """Return when something was written in it last."""

    @property
    def last_number(self) -> int:
        """Return the number of its last post."""


class Mark(NamedTuple):
    """What a list shows of a thread for a member: never opened, or so many posts since."""

    new: bool
    unread: int
    number: int  # the first that is unread


READ = Mark(new=False, unread=0, number=0)


def cut_off(member: Member, *, now: datetime) -> datetime:
    """Return the moment before which everything counts as read."""
    return max(member.joined, now - CUT_OFF)


def marks(member: Member, threads: Iterable[Listed], *, now: datetime) -> dict[int, Mark]:
    """Return the marks of some threads, with two queries however many there are."""
    oldest = cut_off(member, now=now)
    recent = [thread for thread in threads if thread.last_at > oldest]
    if not recent:
        return {}
    with statements.cursor() as cursor:  # by hand: this is in every list, and the ORM takes longer than the database
        these, values = statements.among("thread_id", [thread.pk for thread in recent])
        cursor.execute(
            f"SELECT thread_id, number FROM forum_readthread WHERE member_id = %s AND {these}",  # noqa: S608
            [member.pk, *values],
        )
        numbers = dict(cursor.fetchall())
        cursor.execute("SELECT category_id, until FROM forum_readcategory WHERE member_id = %s", [member.pk])
        until = {category: rows.aware(when) for category, when in cursor.fetchall()}
    return {
        thread.pk: mark_of(thread, read=numbers.get(thread.pk), until=until.get(thread.category_id))
        for thread in recent
    }


def mark_of(thread: Listed, *, read: int | None, until: datetime | None) -> Mark:
    """Return the mark of a thread that is newer than the cut-off."""
    if read is not None:
        left = max(0, thread.last_number - read)
        return Mark(new=False, unread=left, number=read + 1) if left else READ
    if until is not None and thread.last_at <= until:
        return READ
    return Mark(new=True, unread=thread.last_number, number=1)


def mark(member: int, thread: int, number: int) -> None:
    """Note that a member has read a thread up to a number; never back."""
    statements.write(
        "INSERT INTO forum_readthread (member_id, thread_id, number) VALUES (%s, %s, %s) "
        "ON CONFLICT (member_id, thread_id) DO UPDATE SET number = excluded.number "
        "WHERE excluded.number > forum_readthread.number",
        [member, thread, number],
    )


def position(member: Member, thread: Thread) -> int:
    """Return the number up to which a member has read a thread."""
    found = ReadThread.objects.filter(member=member, thread=thread).values_list("number", flat=True).first()
    return found or 0


@transaction.atomic
def mark_all(member: Member, categories: Iterable[Category]) -> None:
    """Note that a member has read everything in some categories; the rows of their threads are not needed then."""
    numbers = [category.pk for category in categories]
    now = timezone.now()
    for number in numbers:
        ReadCategory.objects.update_or_create(member=member, category_id=number, defaults={"until": now})
    ReadThread.objects.filter(member=member, thread__category__in=numbers).delete()


def unread(member: Member, threads: QuerySet[Thread], *, now: datetime) -> QuerySet[Thread]:
    """Return those of some threads in which a member has not read everything."""
    read = ReadThread.objects.filter(member=member, thread=OuterRef("pk"))
    passed = ReadCategory.objects.filter(member=member, category=OuterRef("category"), until__gte=OuterRef("last_at"))
    return threads.filter(last_at__gt=cut_off(member, now=now)).filter(
        Exists(read.filter(number__lt=OuterRef("last_number"))) | Q(~Exists(read) & ~Exists(passed))
    )


def forget_old(*, now: datetime) -> int:
    """Delete the rows of threads that are older than the cut-off, and return how many."""
    return ReadThread.objects.filter(thread__last_at__lt=now - CUT_OFF).delete()[0]


def jump(thread: Thread, number: int) -> int:
    """Return the number to open a thread at: the first unread one, within what there is."""
    return min(max(1, number), max(1, thread.last_number))
