"""Measure what the server's pages cost on a large site: 300,000 members, 200,000 threads, 3,000,000 posts.

    bench/server.py                      SQLite and PostgreSQL, full size (about 20 minutes, 12 GB of disk)
    bench/server.py --scale 0.01 --on sqlite

The site is made by bulk SQL with a fixed seed; words and tags follow Zipf's law, one thread has 34,639 posts. Pages are
asked of Django in this process, signed in, and what is counted is CPU time of this process and of the database; for the
cache and for replies, requests or replies per second.
"""

import argparse
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import postgres_server  # noqa: E402

MEMBERS, THREADS, POSTS = 300_000, 200_000, 3_000_000
LONG_THREAD = 34_639  # posts of the longest
VOCABULARY = 40_000  # words
TAGS = 2_000
CATEGORIES = 12
RUNS = 200  # pages of each kind
REPLIES = 2_000
END = datetime(2026, 11, 1, tzinfo=UTC)
SAFE = ("shared_buffers=2GB", "work_mem=32MB", "max_wal_size=8GB", "maintenance_work_mem=512MB")  # and flushed to disk


@dataclass(frozen=True)
class Row:
    """One row of the table: what was measured, in which unit, and what was wanted."""

    what: str
    value: float
    unit: str
    wanted: str


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


def setup(data: Path, database: str) -> None:
    """Let Django know where the site is, and make its tables."""
    os.environ.update(JEOS_SERVER_DATA=str(data), DATABASE_URL=database, DJANGO_SETTINGS_MODULE="jeos.server.settings")
    os.environ["JEOS_SERVER_URL"] = "http://127.0.0.1:8199"
    data.mkdir(parents=True, exist_ok=True)
    from jeos.server import start

    start.prepare()


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
        "threads, posts, thanks, unread, mail_mentions, mail_replies"
    )
    when = END - timedelta(days=900)
    yes: object = True if postgres else 1
    insert(
        "accounts_member",
        columns,
        (
            (n, f"m{n}", f"m{n}@mail.example", "!", "", "", "", "UTC", 0, 1, yes, when, 9, 0, 9, 0, 0, yes, yes)
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
    texts = [words.text(25 + words.below(40)) for _ in range(60_000)]  # enough that no two pages are alike
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


class Database:
    """CPU time of the database's processes: none of its own with SQLite, the backend's with PostgreSQL."""

    def __init__(self) -> None:
        from django.db import connection

        self._backend = 0
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self._backend = cursor.fetchone()[0]

    def seconds(self) -> float:
        """Return the CPU seconds used so far, of this process and of its backend (10 ms steps for the latter)."""
        own = time.process_time()
        if not self._backend:
            return own
        fields = Path(f"/proc/{self._backend}/stat").read_text().rpartition(")")[2].split()
        return own + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu(call: Callable[[int], object], runs: int = RUNS) -> float:
    """Return the CPU milliseconds that a call takes, of this process and the database, when all is warm."""
    for number in range(20):
        call(number)
    database = Database()
    best = []
    for _ in range(3):
        before = database.seconds()
        for number in range(runs):
            call(number)
        best.append((database.seconds() - before) * 1_000 / runs)
    return min(best)


def wall(call: Callable[[int], object], runs: int = 30) -> float:
    """Return the median milliseconds of the clock that a query takes in the database."""
    for number in range(5):
        call(number)
    taken = []
    for number in range(runs):
        before = time.perf_counter()
        call(number)
        taken.append((time.perf_counter() - before) * 1_000)
    return statistics.median(taken)


def measure() -> list[Row]:
    """Measure every row of the table in the database that is set up."""
    return [*pages(), *queries(), *replies()]


def pages() -> list[Row]:
    """Measure pages of a signed-in member, through all of Django."""
    from django.test import Client

    from jeos.server.accounts.models import Member
    from jeos.server.forum import reading
    from jeos.server.forum.models import Thread, thread_url

    member = Member.objects.get(pk=5)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(member, backend="django.contrib.auth.backends.ModelBackend")
    full = list(Thread.objects.filter(posts__gte=50, posts__lt=1_000).order_by("-pk")[:RUNS])
    for thread in full[::2]:
        reading.mark(member.pk, thread.pk, 20)
    addresses = [thread_url(thread.pk, thread.slug) for thread in full]

    def get(address: str) -> None:
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)

    longest = Thread.objects.order_by("-posts").first()
    assert longest is not None
    middle = longest.posts // 100
    return [
        Row(
            "CPU per signed-in thread page of 50 posts", cpu(lambda n: get(addresses[n % len(addresses)])), "ms", "≤ 4"
        ),
        Row("CPU per signed-in front page", cpu(lambda n: get("/")), "ms", "≤ 3"),
        Row(
            f"CPU per page in the middle of a thread of {longest.posts:,} posts",
            cpu(lambda n: get(f"{thread_url(longest.pk, longest.slug)}{middle - n % 40}/")),
            "ms",
            "",
        ),
    ]


def queries() -> list[Row]:
    """Measure single lists and searches in the database."""
    from jeos.server.content import search, tags
    from jeos.server.content.models import Tag
    from jeos.server.forum import queries as forum
    from jeos.server.forum.models import Post, Thread

    longest = Thread.objects.order_by("-posts").first()
    assert longest is not None
    middle = longest.posts // 100

    def posts(n: int) -> None:
        first = (middle - n % 40) * 50
        assert (
            len(
                list(
                    Post.objects.filter(thread=longest, number__range=(first, first + 49)).values_list(*forum._COLUMNS)
                )
            )
            == 50
        )

    common = Tag.objects.order_by("-uses").first()
    assert common is not None
    index = search.index()
    words = Words(7).words
    hits = {word: hits_of(word) for word in (words[0], rare_word(words))}
    (frequent, many), (rare, few) = hits.items()

    def find(word: str) -> None:
        assert index.find(search.parse(word), limit=60)

    return [
        Row(f"page in the middle of a thread of {longest.posts:,} posts, in the database", wall(posts), "ms", "≤ 1"),
        Row(
            f"tag page, a tag on {common.uses:,} threads",
            wall(lambda n: tags.page(common, after=None, size=30)),
            "ms",
            "≤ 1",
        ),
        Row(f"search, a word with {many:,} hits", wall(lambda n: find(frequent)), "ms", "≤ 50"),
        Row(f"search, a word with {few:,} hits", wall(lambda n: find(rare)), "ms", "≤ 2"),
    ]


def hits_of(word: str) -> int:
    """Return how many documents have a word."""
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT count(*) FROM content_document WHERE vector @@ to_tsquery('english', %s)", [word])
        else:
            cursor.execute("SELECT count(*) FROM content_all WHERE content_all MATCH %s", [word])
        return int(cursor.fetchone()[0])


def rare_word(words: list[str]) -> str:
    """Return a word that few documents have, yet some."""
    return next(word for word in reversed(words) if 5 <= hits_of(word) <= 400)


def replies() -> list[Row]:
    """Measure replies per second: one transaction each, with all counters, notifications' task and search index."""
    from django.db import connection

    clients = 4 if connection.vendor == "postgresql" else 1
    wanted = "≥ 417" if clients > 1 else "≥ 622"
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(_reply_many, range(clients), [REPLIES // clients] * clients))
    rate = REPLIES / (time.perf_counter() - began)
    return [Row(f"replies, one transaction each, {clients} client{'s' if clients > 1 else ''}", rate, "/s", wanted)]


def _reply_many(client: int, count: int) -> None:
    from django.db import connections

    from jeos.server.accounts.models import Member
    from jeos.server.forum import posting
    from jeos.server.forum.models import Category, Thread

    try:
        words = Words(client)
        members = list(Member.objects.filter(pk__range=(100 + client * 50, 149 + client * 50)))
        threads = list(Thread.objects.order_by("-pk")[client::7][:count])
        categories = {category.pk: category for category in Category.objects.all()}
        for number in range(count):
            thread = threads[number % len(threads)]
            text = f"**{words.text(4)}**\n\n{words.text(30)} `{words.text(1)}`"
            posting.reply(thread, categories[thread.category_id], author=members[number % len(members)], source=text)
    finally:
        connections.close_all()


def cached(data: Path, seconds: float = 6.0, connections: int = 32) -> list[Row]:
    """Measure anonymous pages per second over loopback: granian with two workers, an event loop that asks."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-X",
        "utf8",
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--no-ws",
        "--log-level",
        "warning",
    ]
    server = subprocess.Popen(
        [
            *command,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "2",
            "--blocking-threads",
            "4",
            "jeos.server.wsgi:application",
        ],
        cwd=ROOT,
    )
    try:
        _wait_for(port)
        taken = _load(port, seconds=seconds, connections=connections)
    finally:
        server.terminate()
        server.wait(20)
    taken.sort()
    rate = len(taken) / seconds
    return [
        Row("anonymous front page from the cache, 2 workers, the load on the same 2 cores", rate, "/s", "≥ 8,000"),
        Row("the same, 99 of 100 answered within", taken[int(len(taken) * 0.99)] * 1_000, "ms", "≤ 10"),
    ]


def _wait_for(port: int) -> None:
    import urllib.request

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("the server did not start")


def _load(port: int, *, seconds: float, connections: int) -> list[float]:
    """Ask for the front page over keep-alive connections, and return how long each answer took (seconds)."""
    import selectors
    import socket

    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    chooser = selectors.DefaultSelector()
    length = 0
    began: dict[int, float] = {}
    got: dict[int, int] = {}
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port))
        if not length:  # the first tells how long an answer is; all are alike
            for _ in range(4):  # of both workers
                sock.sendall(request)
                time.sleep(0.3)
                length = len(sock.recv(1 << 20))
        sock.setblocking(False)
        chooser.register(sock, selectors.EVENT_READ)
        sock.send(request)
        began[sock.fileno()], got[sock.fileno()] = time.perf_counter(), 0
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        for key, _ in chooser.select(0.1):
            sock = key.fileobj  # type: ignore[assignment]
            number = sock.fileno()
            got[number] += len(sock.recv(1 << 20))
            if got[number] >= length:
                now = time.perf_counter()
                taken.append(now - began[number])
                got[number] = 0
                began[number] = now
                sock.send(request)
    for key in list(chooser.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return taken


def show(title: str, rows: list[Row]) -> None:
    """Print rows as a table."""
    print(f"\n{title}\n\n| what | measured | wanted |\n| --- | --- | --- |")
    for row in rows:
        shown = f"{row.value:,.0f}" if row.value >= 100 else f"{row.value:.2f}"
        print(f"| {row.what} | {shown} {row.unit} | {row.wanted}{' ' + row.unit if row.wanted else ''} |", flush=True)


def run(scale: float, on: str, parent: Path | None) -> None:
    """Make and measure a site on one database; called in a process of its own."""
    folder = Path(tempfile.mkdtemp(prefix="jeos-bench-server-", dir=parent))
    try:
        with contextlib.ExitStack() as stack:
            database = (
                stack.enter_context(postgres_server.running(options=SAFE, parent=parent)) if on == "postgres" else ""
            )
            setup(folder, database)
            began = time.monotonic()
            fill(scale)
            print(f"made {on} site at scale {scale:g} in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            rows = measure()
            from django.db import connections

            connections.close_all()
            rows += cached(folder)
            show(f"{'SQLite' if on == 'sqlite' else 'PostgreSQL'}, {int(POSTS * scale):,} posts", rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Measure on the databases that were asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="size of the site; 1 is full size")
    parser.add_argument("--on", choices=("sqlite", "postgres"), help="only this database")
    parser.add_argument("--folder", type=Path, help="where to make the site (12 GB)")
    args = parser.parse_args()
    if args.on:
        run(args.scale, args.on, args.folder)
        return 0
    for on in ("sqlite", "postgres"):
        more = ["--folder", str(args.folder)] if args.folder else []
        subprocess.run([sys.executable, __file__, "--on", on, "--scale", str(args.scale), *more], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
