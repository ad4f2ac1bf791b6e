"""What the forum's pages show, read with a fixed number of queries however many rows there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, QuerySet

from jeos.server.accounts.models import Member
from jeos.server.content import kinds, paging, reactions
from jeos.server.content.models import Bookmark
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
    page = paging.newest(threads.select_related("author", "last_by"), keys=LATEST, after=after, size=LIST)
    return lines(page.rows, member, now=now), page.after


def lines(threads: Sequence[Thread], member: Member | None, *, now: datetime) -> list[Line]:
    """Return threads as a list shows them."""
    marks = reading.marks(member, threads, now=now) if member is not None else {}
    return [
        Line(
            thread=thread,
            category=categories.by_number(thread.category_id),
            author=thread.author.handle,
            last_by=thread.last_by.handle,
            mark=marks.get(thread.pk, reading.READ),
        )
        for thread in threads
    ]


def pinned(category: Category, member: Member | None, *, now: datetime) -> list[Line]:
    """Return the pinned threads of a category."""
    found = Thread.objects.filter(category=category, hidden=False, pinned=True).select_related("author", "last_by")
    return lines(list(found), member, now=now)


_COLUMNS = (
    "pk",
    "number",
    "html",
    "made",
    "edited",
    "version",
    "reply_to",
    "hidden",
    "reactions",
    "author_id",
    "author__handle",
    "author__name",
    "author__role",
    "author__trust",
    "author__is_active",
)


# What the columns hold, in their order.
Row = tuple[
    int, int, str, datetime, datetime | None, int, int | None, bool, dict[str, int], int, str, str, int, int, bool
]


def posts_of(thread: Thread, page: int, member: Member | None) -> list[Shown]:
    """Return the posts of one page of a thread: those whose numbers are the page's."""
    first = (page - 1) * PAGE + 1
    rows = Post.objects.filter(thread=thread.pk, number__range=(first, first + PAGE - 1)).order_by("number")
    return shown(list(rows.values_list(*_COLUMNS)), member)


def one_post(post: int, member: Member | None) -> Shown:
    """Return one post as its page shows it."""
    return shown(list(Post.objects.filter(pk=post).values_list(*_COLUMNS)), member)[0]


def shown(rows: Sequence[Row], member: Member | None) -> list[Shown]:
    """Return rows of posts as a page shows them to somebody."""
    numbers = [row[0] for row in rows]
    signs: dict[int, set[int]] = {}
    kept: set[int] = set()
    if member is not None:
        signs = reactions.own(member, kinds.POST, numbers)
        marks = Bookmark.objects.filter(member=member, kind=kinds.POST, number__in=numbers)
        kept = set(marks.values_list("number", flat=True))
    made: list[Shown] = []
    for row in rows:
        pk, number, html, when, edited, version, reply_to, hidden, counts, author, handle, name, role, level, active = (
            row
        )
        made.append(
            Shown(
                pk,
                number,
                html,
                when,
                edited,
                version,
                reply_to,
                hidden,
                counts,
                Author(author, handle, name, role, level, not active),
                frozenset(signs.get(pk, ())),
                pk in kept,
            )
        )
    return made


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
