"""A large site for `bench/server.py`: rows as the pages would have left them, by bulk statements with a fixed seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MEMBERS, THREADS, POSTS = 300_000, 200_000, 3_000_000
LONG_THREAD = 34_639  # posts of the longest
VOCABULARY = 40_000  # words
TAGS = 2_000
CATEGORIES = 12
END = datetime(2026, 11, 1, tzinfo=UTC)
TEXTS = 60_000  # different texts of posts: enough that no two pages are alike


class Words:
    """Texts whose words follow Zipf's law; the most frequent is in about a fifth of all posts."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ar", "en", "il", "os", "um")]
        self.words = [
            "".join(self._random.choice(syllables) for _ in range(self._random.choice((2, 2, 3, 3, 4))))
            for _ in range(VOCABULARY)
        ]
        self._weights: list[float] = []
        total = 0.0
        for rank in range(VOCABULARY):
            total += 1 / (rank + 12)  # flattened at the top, where a language has words that mean nothing
            self._weights.append(total)

    def text(self, count: int) -> str:
        """Return so many words."""
        return " ".join(self._random.choices(self.words, cum_weights=self._weights, k=count))

    def rank(self, size: int) -> int:
        """Return a number below `size`, small ones more often."""
        return min(size - 1, int(size ** self._random.random()) - 1)

    def below(self, size: int) -> int:
        """Return any number below `size`."""
        return self._random.randrange(size)


def fill(scale: float) -> None:
    """Make the site. Rows go in by bulk statements; counters and indexes are what the pages would have left."""
    from django.db import connection, transaction

    members, threads, posts = int(MEMBERS * scale), int(THREADS * scale), int(POSTS * scale)
    words = Words(7)
    postgres = connection.vendor == "postgresql"
    with transaction.atomic():
        _members(members, postgres)
        _categories()
        _tags(words)
        plan = _plan(threads, posts, int(LONG_THREAD * scale) or 60, words)
        _threads(plan, members, words)
        _posts(plan, members, words)
    with transaction.atomic(), connection.cursor() as cursor:
        if not postgres:
            for table, where in (("content_all", ""), ("content_heads", " WHERE head")):
                chosen = f"SELECT id, title, tags, body FROM content_document{where}"
                cursor.execute(f"INSERT INTO {table}(rowid, title, tags, body) {chosen}")
        cursor.execute(
            "UPDATE forum_category SET (threads, posts) = "
            "(SELECT count(*), coalesce(sum(posts), 0) FROM forum_thread t WHERE t.category_id = forum_category.id)"
        )
        cursor.execute(
            "UPDATE content_tag SET uses = (SELECT count(*) FROM content_tagged g WHERE g.tag_id = content_tag.id)"
        )
        for table in (
            "accounts_member",
            "forum_category",
            "forum_thread",
            "forum_post",
            "content_tag",
            "content_tagged",
            "content_document",
        ):
            if postgres:
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if postgres else "ANALYZE")
        if not postgres:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def insert(table: str, columns: str, rows: Iterator[tuple[object, ...]]) -> None:
    """Insert rows: by COPY on PostgreSQL, by prepared statements on SQLite."""
    from django.db import connection

    connection.ensure_connection()
    raw = connection.connection
    if connection.vendor == "postgresql":
        with raw.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(columns.split(",")))
    raw.cursor().executemany(
        f"INSERT INTO {table} ({columns}) VALUES ({marks})", (tuple(_plain(v) for v in row) for row in rows)
    )


def _plain(value: object) -> object:
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


def _members(count: int, postgres: bool) -> None:
    columns = (
        "id, handle, email, password, name, about, language, time_zone, role, trust, is_active, joined, days_active, "
        "threads, posts, thanks, unread, mail_personal, mail_news, mail_failures, picture"
    )
    when = END - timedelta(days=900)
    yes: object = True if postgres else 1
    insert(
        "accounts_member",
        columns,
        (
            (n, f"m{n}", f"m{n}@mail.example", "!", "", "", "", "UTC", 0, 1, yes, when, 9, 0, 9, 0, 0, 1, 1, 0, "")
            for n in range(1, count + 1)
        ),
    )


def _categories() -> None:
    from jeos.server.forum.models import Category

    for number in range(CATEGORIES):
        Category.objects.create(slug=f"c{number}", name=f"Category {number}", hue=number, position=number)


def _tags(words: Words) -> None:
    insert(
        "content_tag",
        "id, name, description, uses",
        ((n, f"{words.words[-n]}-{n}"[:40], "", 0) for n in range(1, TAGS + 1)),
    )


@dataclass(frozen=True)
class Plan:
    """A thread that is going to be made: its number of posts, and when it began and ended."""

    number: int
    posts: int
    began: datetime
    ended: datetime
    tags: tuple[int, ...]


def _plan(threads: int, posts: int, longest: int, words: Words) -> list[Plan]:
    sizes = [1 + words.rank(200) for _ in range(threads - 1)]
    factor = (posts - longest) / sum(sizes)
    sizes = [max(1, int(size * factor)) for size in sizes]
    plans: list[Plan] = []
    for number, size in enumerate([*sizes, longest], start=1):
        began = END - timedelta(days=900 * (1 - number / (threads + 1)))
        ended = min(END, began + timedelta(hours=size * 3 + words.below(300)))
        chosen = tuple(dict.fromkeys(1 + words.rank(TAGS) for _ in range(1 + words.below(3))))
        plans.append(Plan(number, size, began, ended, chosen))
    return plans


def _threads(plan: list[Plan], members: int, words: Words) -> None:
    from django.db import connection

    names = dict(_tag_names())
    no: object = False if connection.vendor == "postgresql" else 0
    columns = (
        "id, category_id, title, slug, tags, author_id, made, last_at, last_by_id, last_number, posts, thanks, pinned, "
        "closed, hidden, slow_seconds"
    )
    insert(
        "forum_thread",
        columns,
        (
            (
                one.number, 1 + one.number % CATEGORIES, words.text(6), f"thread-{one.number}",
                " ".join(names[tag] for tag in one.tags), 1 + words.rank(members), one.began, one.ended,
                1 + words.rank(members), one.posts, one.posts, 0, no, no, no, 0,
            )
            for one in plan
        ),
    )  # fmt: skip
    insert(
        "content_tagged",
        "tag_id, kind, number, date",
        ((tag, 1, one.number, one.began) for one in plan for tag in one.tags),
    )


def _tag_names() -> Iterator[tuple[int, str]]:
    from jeos.server.content.models import Tag

    return iter(Tag.objects.values_list("pk", "name"))


def _posts(plan: list[Plan], members: int, words: Words) -> None:
    """Make the posts and their search documents, in the order of time as far as threads allow."""
    from django.db import connection

    postgres = connection.vendor == "postgresql"
    no, yes = (False, True) if postgres else (0, 1)
    titles = dict(_titles())
    texts = [words.text(25 + words.below(40)) for _ in range(TEXTS)]
    post_columns = "id, source, html, renderer, number, made, version, hidden, reactions, told, author_id, thread_id"
    document_columns = "id, kind, number, head, area, author, date, title, body, tags"

    def each() -> Iterator[tuple[int, Plan, int, str, int]]:
        pk = 0
        for one in plan:
            for number in range(1, one.posts + 1):
                pk += 1
                yield pk, one, number, texts[(pk * 7_919 + number) % len(texts)], 1 + (pk * 31) % members

    def when(one: Plan, number: int) -> datetime:
        return one.began + (one.ended - one.began) * (number - 1) / max(1, one.posts - 1)

    insert(
        "forum_post",
        post_columns,
        (
            (
                pk,
                text,
                f"<p>{text}</p>\n",
                1,
                number,
                when(one, number),
                1,
                no,
                '{"1": 2}' if pk % 9 == 0 else "{}",
                yes,
                author,
                one.number,
            )
            for pk, one, number, text, author in each()
        ),
    )
    insert(
        "content_document",
        document_columns,
        (
            (pk, 1, one.number, yes, 0, author, when(one, 1), titles[one.number][0], text, titles[one.number][1])
            if number == 1
            else (pk, 2, pk, no, 0, author, when(one, number), "", text, "")
            for pk, one, number, text, author in each()
        ),
    )


def _titles() -> Iterator[tuple[int, tuple[str, str]]]:
    from jeos.server.forum.models import Thread

    return ((pk, (title, tags)) for pk, title, tags in Thread.objects.values_list("pk", "title", "tags").iterator())
