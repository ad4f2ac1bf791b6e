"""Measure what the server's pages cost on a large site: 300,000 members, 200,000 threads, 3,000,000 posts.

    bench/server.py                      SQLite and PostgreSQL, full size (about 20 minutes, 12 GB of disk)
    bench/server.py --scale 0.01 --on sqlite

The site is made by bulk SQL with a fixed seed; words and tags follow Zipf's law, one thread has 34,639 posts. Pages are
asked of the application in this process, signed in, as granian asks for them, and what is counted is CPU time of this
process and of the database; for the cache and for replies, requests or replies per second.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jeos.server.accounts.models import Member
    from jeos.server.forum.models import Category, Thread

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import postgres_server  # noqa: E402
from server_site_large import POSTS, Words, fill  # noqa: E402
from server_visitor import Visitor  # noqa: E402

RUNS = 200  # pages of each kind
REPLIES = 2_000
SAFE = ("shared_buffers=2GB", "work_mem=32MB", "max_wal_size=8GB", "maintenance_work_mem=512MB")  # and flushed to disk


@dataclass(frozen=True)
class Row:
    """One row of the table: what was measured, in which unit, and what was wanted."""

    what: str
    value: float
    unit: str
    wanted: str


def setup(data: Path, database: str) -> None:
    """Let Django know where the site is, and make its tables."""
    os.environ.update(JEOS_SERVER_DATA=str(data), DATABASE_URL=database, DJANGO_SETTINGS_MODULE="jeos.server.settings")
    os.environ["JEOS_SERVER_URL"] = "http://127.0.0.1:8199"
    data.mkdir(parents=True, exist_ok=True)
    from jeos.server import start

    start.prepare(serves=True)


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
    from jeos.server.accounts.models import Member
    from jeos.server.forum import reading
    from jeos.server.forum.models import Thread, thread_url

    member = Member.objects.get(pk=5)
    get = Visitor(member).get
    full = list(Thread.objects.filter(posts__gte=50, posts__lt=1_000).order_by("-pk")[:RUNS])
    for thread in full[::2]:
        reading.mark(member.pk, thread.pk, 20)
    addresses = [thread_url(thread.pk, thread.slug) for thread in full]

    longest = Thread.objects.order_by("-posts").first()
    assert longest is not None
    middle = longest.posts // 100
    spread = min(40, middle)
    return [
        Row(
            "CPU per signed-in thread page of 50 posts", cpu(lambda n: get(addresses[n % len(addresses)])), "ms", "≤ 4"
        ),
        Row("CPU per signed-in front page", cpu(lambda n: get("/")), "ms", "≤ 3"),
        Row(
            f"CPU per page in the middle of a thread of {longest.posts:,} posts",
            cpu(lambda n: get(f"{thread_url(longest.pk, longest.slug)}{middle - n % spread}/")),
            "ms",
            "",
        ),
    ]


def queries() -> list[Row]:
    """Measure single lists and searches in the database."""
    from jeos.server.content import search, tags
    from jeos.server.content.models import Tag
    from jeos.server.forum import queries as forum
    from jeos.server.forum.models import PAGE, Thread

    longest = Thread.objects.order_by("-posts").first()
    assert longest is not None
    middle = longest.posts // 100
    spread = min(40, middle)

    def posts(n: int) -> None:
        assert len(forum.posts_of(longest, middle - n % spread, None)) == PAGE

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
            cursor.execute(
                "SELECT count(*) FROM content_document WHERE vector @@ to_tsquery('jeos_english', %s)", [word]
            )
        else:
            cursor.execute("SELECT count(*) FROM content_all WHERE content_all MATCH %s", [word])
        return int(cursor.fetchone()[0])


def rare_word(words: list[str]) -> str:
    """Return a word that few documents have, yet some."""
    return next(word for word in reversed(words) if 5 <= hits_of(word) <= 400)


def replies() -> list[Row]:
    """Measure replies per second: one transaction each, with all counters, the task that tells others, and search."""
    from django.db import connection

    clients = 4 if connection.vendor == "postgresql" else 1
    work = [_replies_of(client, REPLIES // clients) for client in range(clients)]
    before, began = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(_write, work))
    rate = REPLIES / (time.perf_counter() - began)
    spent = (time.process_time() - before) * 1_000 / REPLIES
    many = f"{clients} client{'s' if clients > 1 else ''}"
    return [
        Row(f"replies, one transaction each, {many}", rate, "/s", "≥ 417" if clients > 1 else "≥ 622"),
        Row("CPU per reply, in this process", spent, "ms", ""),
    ]


Work = list[tuple["Thread", "Category", "Member", str]]


def _replies_of(client: int, count: int) -> Work:
    """Return what one client is going to write."""
    from jeos.server.accounts.models import Member
    from jeos.server.forum.models import Category, Thread

    words = Words(client)
    members = list(Member.objects.filter(pk__range=(100 + client * 50, 149 + client * 50)))
    threads = list(Thread.objects.order_by("-pk")[client::7][:count])
    categories = {category.pk: category for category in Category.objects.all()}
    work: Work = []
    for number in range(count):
        thread = threads[number % len(threads)]
        text = f"**{words.text(4)}**\n\n{words.text(30)} `{words.text(1)}`"
        work.append((thread, categories[thread.category_id], members[number % len(members)], text))
    return work


def _write(work: Work) -> None:
    from django.db import connections

    from jeos.server.forum import posting

    try:
        for thread, category, member, text in work:
            posting.reply(thread, category, author=member, source=text)
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
