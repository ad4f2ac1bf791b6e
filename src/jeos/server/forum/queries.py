"""What the forum's pages show, read with a fixed number of queries however many rows there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F, Max, QuerySet

from jeos.server import rows, statements
from jeos.server.accounts.models import Member
from jeos.server.content import kinds, paging
from jeos.server.forum import categories, reading
from jeos.server.forum.models import PAGE, Category, Post, Thread
from jeos.server.forum.reading import Mark

LIST = 30  # threads on a page of a list
NO_SIGNS: frozenset[int] = frozenset()
LATEST = {"last_at": datetime, "id": int}


class Head(NamedTuple):
    """A thread as far as a list shows it, with the handles of who began it and who wrote last."""

    pk: int
    category_id: int
    title: str
    slug: str
    tags: str
    author_id: int
    last_at: datetime
    last_number: int
    posts: int
    solved_number: int | None
    pinned: bool
    closed: bool
    author_handle: str
    author_picture: str
    last_handle: str


class Line(NamedTuple):
    """A thread as a list shows it."""

    thread: Head
    category: Category
    mark: Mark

    @property
    def tags(self) -> list[str]:
        """Return the names of the thread's tags."""
        return self.thread.tags.split()


class Author(NamedTuple):
    """Who wrote a post, as far as a page shows it; a tuple, since one is made in a tenth of the time."""

    number: int
    handle: str
    name: str
    role: int
    trust: int
    left: bool
    picture: str


class Shown(NamedTuple):
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
    return _lines(_heads(page.rows), member, now=now), page.after


# By hand for the same reason as the posts of a thread, below: it is the front page.
_NEWEST = (
    "SELECT t.id, t.category_id, t.title, t.slug, t.tags, t.author_id, {last_at}, t.last_number, t.posts, "
    "t.solved_number, t.pinned, t.closed, a.handle, a.picture, l.handle FROM forum_thread t "
    "JOIN accounts_member a ON a.id = t.author_id JOIN accounts_member l ON l.id = t.last_by_id "
    "WHERE NOT t.hidden{closed}{beyond} ORDER BY t.last_at DESC, t.id DESC LIMIT {limit}"
)


def newest(member: Member | None, *, after: str | None, now: datetime) -> tuple[list[Line], str]:
    """Return a page of the list of all threads that somebody may see, newest first, and the cursor of the next."""
    closed = categories.closed_areas(member)
    values: list[Any] = [*closed]
    keys = paging.decode(after, kinds=list(LATEST.values()))
    if keys is not None:
        last_at = connection.ops.adapt_datetimefield_value(keys[0])  # type: ignore[arg-type] # decoded as a moment
        values += [last_at, last_at, keys[1]]
    statement = _NEWEST.format(
        limit=LIST + 1,
        last_at=rows.moment("t.last_at"),
        closed=f" AND t.category_id NOT IN ({', '.join(['%s'] * len(closed))})" if closed else "",
        beyond=" AND t.last_at <= %s AND (t.last_at < %s OR t.id < %s)" if keys is not None else "",
    )
    with statements.cursor() as cursor:
        cursor.execute(statement, values)
        found = [Head._make((*row[:6], rows.aware(row[6]), *row[7:])) for row in cursor.fetchall()]
    more = paging.encode([found[LIST - 1].last_at, found[LIST - 1].pk]) if len(found) > LIST else ""
    return _lines(found[:LIST], member, now=now), more


def with_handles(threads: QuerySet[Thread]) -> QuerySet[Thread]:
    """Add the handles that a list shows; whole members would cost more than all else in it."""
    return threads.annotate(
        author_handle=F("author__handle"), author_picture=F("author__picture"), last_handle=F("last_by__handle")
    )


def _heads(threads: Iterable[Thread]) -> list[Head]:
    """Return threads, read `with_handles`, as far as a list shows them."""
    return [Head(*(getattr(thread, name) for name in Head._fields)) for thread in threads]


def _lines(heads: Sequence[Head], member: Member | None, *, now: datetime) -> list[Line]:
    """Return threads as a list shows them."""
    marks = reading.marks(member, heads, now=now) if member is not None else {}
    return [Line(head, categories.by_number(head.category_id), marks.get(head.pk, reading.READ)) for head in heads]


def pinned(category: Category, member: Member | None, *, now: datetime) -> list[Line]:
    """Return the pinned threads of a category."""
    found = Thread.objects.filter(category=category, hidden=False, pinned=True)
    return _lines(_heads(with_handles(found)), member, now=now)


# By hand, since building this query with the ORM takes longer than running it, and it is in every page of a thread.
_POSTS = (
    "SELECT p.id, p.number, p.html, {made}, p.edited, p.version, p.reply_to, p.hidden, p.reactions, "
    "a.id, a.handle, a.name, a.role, a.trust, a.is_active, a.picture "
    "FROM forum_post p JOIN accounts_member a ON a.id = p.author_id WHERE "
)
_OWN = (
    "SELECT number, 0 FROM content_bookmark WHERE member_id = %s AND kind = %s AND {these} UNION ALL "
    "SELECT number, sign FROM content_reaction WHERE member_id = %s AND kind = %s AND {these}"
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
    with statements.cursor() as cursor:
        cursor.execute(f"{_POSTS.format(made=rows.moment('p.made'))}{where} ORDER BY p.number", values)
        found = cursor.fetchall()
        signs: dict[int, set[int]] = {}
        if member is not None and found:
            these, numbers = statements.among("number", [row[0] for row in found])
            own = [member.pk, kinds.POST, *numbers]
            cursor.execute(_OWN.format(these=these), own + own)
            for number, sign in cursor.fetchall():
                signs.setdefault(number, set()).add(sign)
    return [
        Shown(
            pk=row[0],
            number=row[1],
            html=row[2],
            made=rows.aware(row[3]),
            edited=rows.aware(row[4]) if row[4] else None,
            version=row[5],
            reply_to=row[6],
            hidden=bool(row[7]),
            reactions={} if row[8] == "{}" else json.loads(row[8]),
            author=Author(row[9], row[10], row[11], row[12], row[13], not row[14], row[15]),
            own_signs=frozenset(signs[row[0]]) if row[0] in signs else NO_SIGNS,
            bookmarked=row[0] in signs and 0 in signs[row[0]],
        )
        for row in found
    ]


@dataclass(frozen=True)
class State:
    """How a thread stands for a member: how far read, followed or muted, a draft begun; and whether it has a poll."""

    read: int = 0
    level: int = 0
    draft: bool = False
    poll: bool = False


_STATE = (
    "(SELECT r.number FROM forum_readthread r WHERE r.member_id = %s AND r.thread_id = t.id), "
    "(SELECT f.level FROM content_following f WHERE f.member_id = %s AND f.kind = %s AND f.number = t.id), "
    "EXISTS (SELECT 1 FROM content_draft d WHERE d.member_id = %s AND d.place = %s), "
    "EXISTS (SELECT 1 FROM forum_poll p WHERE p.thread_id = t.id)"
)


def thread_for(number: int, member: Member | None, *, place: str) -> tuple[Thread, State] | None:
    """Return the thread with a number, and how it stands for somebody whose drafts of replies to it are at a place."""
    if not 0 < number <= rows.LARGEST:
        return None
    who = member.pk if member is not None else 0
    with statements.cursor() as cursor:
        cursor.execute(
            f"SELECT {rows.columns(Thread, 't')}, {_STATE} FROM forum_thread t WHERE t.id = %s",  # noqa: S608
            [who, who, kinds.THREAD, who, place, number],
        )
        found = cursor.fetchone()
    if found is None:
        return None
    read, level, draft, poll = found[-4:]
    return rows.read(Thread, found), State(read=read or 0, level=level or 0, draft=bool(draft), poll=bool(poll))


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
