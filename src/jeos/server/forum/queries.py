"""What the forum's pages show, read with a fixed number of queries however many rows there are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection
from django.db.models import F, Max, QuerySet

from jeos.server.accounts.models import Member
from jeos.server.content import kinds, paging
from jeos.server.forum import categories, reading
from jeos.server.forum.models import PAGE, Category, Post, Thread
from jeos.server.forum.reading import Mark

LIST = 30  # threads on a page of a list
LATEST = {"last_at": datetime, "id": int}


@dataclass(frozen=True)
class Line:
    """A thread as a list shows it."""

    thread: Thread
    category: Category
    author: str
    picture: str
    last_by: str
    mark: Mark

    @property
    def tags(self) -> list[str]:
        """Return the names of the thread's tags."""
        return self.thread.tags.split()


@dataclass(frozen=True)
class Author:
    """Who wrote a post, as far as a page shows it."""

    number: int
    handle: str
    name: str
    role: int
    trust: int
    left: bool
    picture: str


@dataclass(frozen=True)
class Shown:
    """A post as a page shows it."""

    pk: int
    number: int
    html: str
    made: datetime
    edited: datetime | None
    version: int
    reply_to: int | None
    hidden: bool
    reactions: dict[str, int]
    author: Author
    own_signs: frozenset[int]
    bookmarked: bool


def threads_for(member: Member | None, *, category: Category | None = None) -> QuerySet[Thread]:
    """Return the threads that somebody may see in lists, of one category or of all."""
    threads = Thread.objects.filter(hidden=False)
    if category is not None:
        return threads.filter(category=category)
    closed = categories.closed_areas(member)
    return threads.exclude(category__in=closed) if closed else threads


def page_of_threads(
    threads: QuerySet[Thread], member: Member | None, *, after: str | None, now: datetime
) -> tuple[list[Line], str]:
    """Return a page of a list of threads, and the cursor of the next."""
    page = paging.newest(with_handles(threads), keys=LATEST, after=after, size=LIST)
    return lines(page.rows, member, now=now), page.after


def with_handles(threads: QuerySet[Thread]) -> QuerySet[Thread]:
    """Add the handles that a list shows; whole members would cost more than all else in it."""
    return threads.annotate(
        author_handle=F("author__handle"), author_picture=F("author__picture"), last_handle=F("last_by__handle")
    )


def lines(threads: Sequence[Thread], member: Member | None, *, now: datetime) -> list[Line]:
    """Return threads, read `with_handles`, as a list shows them."""
    marks = reading.marks(member, threads, now=now) if member is not None else {}
    return [
        Line(
            thread=thread,
            category=categories.by_number(thread.category_id),
            author=getattr(thread, "author_handle"),  # noqa: B009 - an annotation, which the type does not know
            picture=getattr(thread, "author_picture"),  # noqa: B009
            last_by=getattr(thread, "last_handle"),  # noqa: B009
            mark=marks.get(thread.pk, reading.READ),
        )
        for thread in threads
    ]


def pinned(category: Category, member: Member | None, *, now: datetime) -> list[Line]:
    """Return the pinned threads of a category."""
    found = Thread.objects.filter(category=category, hidden=False, pinned=True)
    return lines(list(with_handles(found)), member, now=now)


# By hand, since building this query with the ORM takes longer than running it, and it is in every page of a thread.
_POSTS = (
    "SELECT p.id, p.number, p.html, p.made, p.edited, p.version, p.reply_to, p.hidden, p.reactions, "
    "a.id, a.handle, a.name, a.role, a.trust, a.is_active, a.picture "
    "FROM forum_post p JOIN accounts_member a ON a.id = p.author_id WHERE "
)
_OWN = (
    "SELECT number, 0 FROM content_bookmark WHERE member_id = %s AND kind = %s AND number IN ({marks}) UNION ALL "
    "SELECT number, sign FROM content_reaction WHERE member_id = %s AND kind = %s AND number IN ({marks})"
)


def posts_of(thread: Thread, page: int, member: Member | None) -> list[Shown]:
    """Return the posts of one page of a thread: those whose numbers are the page's."""
    first = (page - 1) * PAGE + 1
    return _shown("p.thread_id = %s AND p.number BETWEEN %s AND %s", [thread.pk, first, first + PAGE - 1], member)


def one_post(post: int, member: Member | None) -> Shown:
    """Return one post as its page shows it."""
    return _shown("p.id = %s", [post], member)[0]


def _shown(where: str, values: list[int], member: Member | None) -> list[Shown]:
    """Return the posts that a condition finds, as a page shows them to somebody."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_POSTS}{where} ORDER BY p.number", values)
        rows = cursor.fetchall()
        signs: dict[int, set[int]] = {}
        if member is not None and rows:
            numbers = [row[0] for row in rows]
            own = [member.pk, kinds.POST, *numbers]
            cursor.execute(_OWN.format(marks=", ".join(["%s"] * len(numbers))), own + own)
            for number, sign in cursor.fetchall():
                signs.setdefault(number, set()).add(sign)
    return [
        Shown(
            pk=row[0],
            number=row[1],
            html=row[2],
            made=_aware(row[3]),
            edited=_aware(row[4]) if row[4] else None,
            version=row[5],
            reply_to=row[6],
            hidden=bool(row[7]),
            reactions={} if row[8] == "{}" else json.loads(row[8]),
            author=Author(row[9], row[10], row[11], row[12], row[13], not row[14], row[15]),
            own_signs=frozenset(signs.get(row[0], ())),
            bookmarked=0 in signs.get(row[0], ()),
        )
        for row in rows
    ]


def _aware(when: datetime) -> datetime:
    """Return a moment with its zone: SQLite keeps moments without one, in UTC."""
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


@dataclass(frozen=True)
class State:
    """How a thread stands for a member: how far read, followed or muted, a draft begun."""

    read: int = 0
    level: int = 0
    draft: bool = False


_STATE = (
    "SELECT (SELECT number FROM forum_readthread WHERE member_id = %s AND thread_id = %s), "
    "(SELECT level FROM content_following WHERE member_id = %s AND kind = %s AND number = %s), "
    "EXISTS (SELECT 1 FROM content_draft WHERE member_id = %s AND place = %s), "
    "EXISTS (SELECT 1 FROM forum_poll WHERE thread_id = %s)"
)


def state_of(thread: Thread, member: Member | None, *, place: str) -> tuple[State, bool]:
    """Return how a thread stands for somebody, and whether it has a poll, with one query."""
    who = member.pk if member is not None else 0
    values: list[int | str] = [who, thread.pk, who, kinds.THREAD, thread.pk, who, place, thread.pk]
    with connection.cursor() as cursor:
        cursor.execute(_STATE, values)
        read, level, draft, poll = cursor.fetchone()
    return State(read=read or 0, level=level or 0, draft=bool(draft)), bool(poll)


def last_own_post(thread: Thread, member: Member) -> datetime | None:
    """Return when a member last posted in a thread."""
    recent = Post.objects.filter(thread=thread, author=member)
    last: datetime | None = recent.aggregate(last=Max("made"))["last"]
    return last


def pages(thread: Thread) -> int:
    """Return how many pages a thread has."""
    return max(1, -(-thread.last_number // PAGE))


def page_numbers(current: int, last: int) -> list[int]:
    """Return which pages to link to: the first, the last, and those around the current; 0 stands for a gap."""
    wanted = sorted({1, last, *range(max(1, current - 2), min(last, current + 2) + 1)})
    found: list[int] = []
    for number in wanted:
        if found and number - found[-1] == 2:
            found.append(number - 1)
        elif found and number - found[-1] > 2:
            found.append(0)
        found.append(number)
    return found
