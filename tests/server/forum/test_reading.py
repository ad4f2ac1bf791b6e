"""What is new to a member: numbers, watermarks, the cut-off."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from jeos.server.accounts.models import Member
from jeos.server.forum import posting, queries, reading
from jeos.server.forum.models import Category, ReadThread, Thread
from jeos.server.forum.reading import READ, Mark

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(bob: Member) -> Member:
    Member.objects.filter(pk=bob.pk).update(joined=timezone.now() - timedelta(days=400))
    bob.refresh_from_db()
    return bob


def start(ada: Member, category: Category, *, ago: timedelta, replies: int = 0) -> Thread:
    when = timezone.now() - ago
    thread = posting.start(category, author=ada, title="Some words", source="x", now=when)
    for _ in range(replies):
        posting.reply(thread, category, author=ada, source="y", now=when)
    return Thread.objects.select_related("author", "last_by").get(pk=thread.pk)


def marks(member: Member, *threads: Thread) -> list[Mark]:
    found = reading.marks(member, [Thread.objects.get(pk=thread.pk) for thread in threads], now=timezone.now())
    return [found.get(thread.pk, READ) for thread in threads]


def unread(member: Member) -> list[int]:
    now = timezone.now()
    return sorted(reading.unread(member, queries.threads_for(member), now=now).values_list("pk", flat=True))


def test_thread_is_new_then_partly_then_wholly_read(ada: Member, reader: Member, category: Category) -> None:
    thread = start(ada, category, ago=timedelta(hours=1), replies=4)
    assert (marks(reader, thread), unread(reader)) == ([Mark(new=True, unread=5, number=1)], [thread.pk])
    reading.mark(reader.pk, thread.pk, 3)
    assert (marks(reader, thread), unread(reader)) == ([Mark(new=False, unread=2, number=4)], [thread.pk])
    reading.mark(reader.pk, thread.pk, 5)
    reading.mark(reader.pk, thread.pk, 2)  # going back to read again does not make it unread
    assert (marks(reader, thread), unread(reader)) == ([READ], [])


def test_what_is_older_than_the_cut_off_or_the_member_counts_as_read(
    ada: Member, reader: Member, category: Category
) -> None:
    old, new = start(ada, category, ago=timedelta(days=46)), start(ada, category, ago=timedelta(days=44))
    assert marks(reader, old, new) == [READ, Mark(new=True, unread=1, number=1)]
    assert unread(reader) == [new.pk]
    newcomer = Member.objects.create_user("new", "new@mail.example")
    assert (marks(newcomer, new), unread(newcomer)) == ([READ], [])


def test_marking_a_category_needs_one_row_and_frees_the_others(ada: Member, reader: Member, category: Category) -> None:
    threads = [start(ada, category, ago=timedelta(hours=2)) for _ in range(3)]
    reading.mark(reader.pk, threads[0].pk, 1)
    reading.mark_all(reader, [category])
    assert ReadThread.objects.filter(member=reader).count() == 0
    assert (marks(reader, *threads), unread(reader)) == ([READ] * 3, [])
    posting.reply(threads[0], category, author=ada, source="more")
    assert marks(reader, threads[0]) == [Mark(new=True, unread=2, number=1)]
    assert unread(reader) == [threads[0].pk]


def test_rows_of_old_threads_are_forgotten(ada: Member, reader: Member, category: Category) -> None:
    old = start(ada, category, ago=timedelta(days=60))
    reading.mark(reader.pk, old.pk, 1)
    assert reading.forget_old(now=timezone.now()) == 2  # and that of the author
    assert ReadThread.objects.count() == 0


@given(
    last=st.integers(1, 50),
    read=st.none() | st.integers(0, 50),
    age=st.integers(0, 90),
    until=st.none() | st.integers(0, 90),
)
def test_mark_never_promises_a_post_that_is_not_there(last: int, read: int | None, age: int, until: int | None) -> None:
    now = datetime(2026, 6, 1).astimezone()
    thread = Thread(last_number=last, last_at=now - timedelta(days=age))
    mark = reading.mark_of(thread, read=read, until=None if until is None else now - timedelta(days=until))
    assert mark == READ or 1 <= mark.number <= last
    assert mark.unread == (0 if mark == READ else last - mark.number + 1)
