"""Two workers, killed at random moments while mail, notifications, digests, webhooks and an import are going on.

What is promised: the database's part of all work happens exactly once; what leaves the machine (mail, webhooks) arrives
at least once, and more than once only for what was on its way in the moment of a kill, under the same identifier.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

import postgres_server
from forum_dumps import discourse
from receiver import receiving
from smtp_sink import Sink, smtp_sink

MAILS, MEMBERS, HOOKS, TOPICS, POSTS = 60, 12, 40, 12, 25
READERS = 30  # of digests
KILLS = 14
DIGEST_KILLS = 4  # more, of who is writing digests
PATIENCE = 600  # seconds until all must be done

# Batches are small. Digests take a while and say who is at them, so that kills come in the midst of them.
WORKER = """
import os, sys, time
import django; django.setup()
from jeos.server.jobs import recover, work
recover.BEAT, recover.DEAD_AFTER, work.POLL = 0.2, 2.0, 0.05
from jeos.server.importing import loading
loading.BATCH = 7
from jeos.server.content.mailing import letters
send = letters.send
def slow(*words, **options):
    send(*words, **options)
    if "pace" in options:
        print(os.getpid(), file=open(sys.argv[1], "a"))
        time.sleep(0.05)
letters.send = slow
work.work()
"""
SETUP = f"""
from pathlib import Path
from jeos.server import start; start.prepare()
from django.core.mail import EmailMessage
from django.db import transaction
from datetime import timedelta
from django.utils import timezone
from jeos.server.accounts.models import Member, Pace
from jeos.server.content import notifications
from jeos.server.content.mailing import tasks
from jeos.server.content.models import Notification, Reason
from jeos.server.content.notifications import Event
from jeos.server.importing import staging
from jeos.server.webhooks import sending
from jeos.server.webhooks.models import Hook
people = [Member.objects.create_user(f"member{{n}}", f"m{{n}}@here.example") for n in range({MEMBERS})]
for person in people:
    for number in range(3):
        notifications.tell([person.pk], Event(Reason.MENTION, 1, number + 1, "/x", "Something", None))
readers = [
    Member.objects.create_user(f"reader{{n}}", f"r{{n}}@here.example", mail_personal=Pace.DAILY, mail_news=Pace.WEEKLY)
    for n in range({READERS})
]
old = timezone.now() - timedelta(days=9)
for reader in readers:
    for number in range(4):  # two for each of its digests, as they are kept for them
        Notification.objects.create(
            member=reader, reason=Reason.MENTION if number % 2 else Reason.NEW, kind=1, number=number + 1, url="/x",
            title=f"Number {{number}} of {{reader.handle}}", mailed=True, digest=True, date=old,
        )
hook = Hook.objects.create(owner=people[0], address=ADDRESS, types=[])
with transaction.atomic():
    for n in range({MAILS}):
        EmailMessage(subject=f"Mail {{n}}", body="Text", to=[f"m{{n}}@there.example"]).send()
    for n in range({HOOKS}):
        sending.put(hook, "test", {{"n": n}})
    for _ in range(4):
        tasks.mail_notifications.enqueue()
        tasks.send_digests.enqueue()
staging.stage("discourse", Path(DUMP))
"""
LOOK = """
import json
import django; django.setup()
from collections import Counter
from django_tasks_db.models import DBTaskResult
from jeos.server.accounts.models import Member
from jeos.server.content.models import Digest, Document, Notification
from jeos.server.forum.models import Category, Post, Thread
from jeos.server.importing.models import Import, Old, Staged
from jeos.server.jobs.models import Mail
from jeos.server.webhooks.models import Delivery
print(json.dumps({
    "waiting": Mail.objects.filter(sent=None).count() + Delivery.objects.filter(state=0).count()
        + Staged.objects.count() + Import.objects.filter(finished=None).count()
        + Notification.objects.filter(mailed=False).count() + Notification.objects.filter(digest=True).count(),
    "failed": list(DBTaskResult.objects.filter(status="FAILED").values_list("task_path", "traceback")),
    "mails": list(Mail.objects.order_by("recipient").values_list("recipient", flat=True)),
    "digests": sorted(Counter(Digest.objects.values_list("pace", "period")).values()),
    "digest_workers": max(map(len, DBTaskResult.objects.filter(task_path__endswith="send_digests")
        .values_list("worker_ids", flat=True))),
    "arrived": Delivery.objects.filter(state=1).count(),
    "threads": sorted(Thread.objects.values_list("title", "posts", "last_number", "hidden")),
    "posts": Post.objects.count(),
    "numbers": sorted(Counter(Post.objects.values_list("thread__title", flat=True)).items()),
    "rooms": sorted(Category.objects.values_list("slug", "threads", "posts")),
    "written": sum(Member.objects.values_list("posts", flat=True)),
    "people": Member.objects.count(),
    "documents": Document.objects.count(),
    "old": Old.objects.count(),
}))
"""


def environment(folder: Path, *, database: str, mail: int) -> dict[str, str]:
    """Return what a site in a folder is told."""
    return {
        **os.environ,
        "JEOS_SERVER_DATA": str(folder / "data"),
        "JEOS_SERVER_URL": "http://127.0.0.1:9",
        "JEOS_SERVER_MAIL": f"smtp://127.0.0.1:{mail}?from=exchange@here.example",
        "JEOS_SERVER_OUTSIDE_HTTP": "yes",
        "JEOS_SERVER_OUTSIDE_NETWORKS": "127.0.0.0/8",
        "DATABASE_URL": database,
        "DJANGO_SETTINGS_MODULE": "jeos.server.settings",
    }


def ask(env: dict[str, str], code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4_000:]
    return done.stdout


def by_message(mail: Sink) -> Counter[str]:
    """Return how often each message came, by its Message-ID."""
    return Counter(str(message_from_bytes(one.data, policy=policy.default)["Message-ID"]) for one in mail.taken)


@contextmanager
def database_of(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        yield ""
        return
    with postgres_server.running() as address:
        yield address


def told(mail: Sink) -> Counter[str]:
    """Return how often digests told of each thing, each message counted once."""
    messages = [message_from_bytes(one.data, policy=policy.default) for one in mail.taken]
    once = {str(message["Message-ID"]): message for message in messages}
    texts = [str(message.get_body(("plain",)).get_content()) for message in once.values()]  # type: ignore[union-attr]
    return Counter(title for text in texts for title in re.findall(r"Number \d of reader\d+", text))


class Workers:
    """Two worker processes, of which one is killed now and then and another started in its place."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self._env, self._log, self._letters = env, log, log.with_name("letters")
        self._running = [self._start(), self._start()]

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as out:
            command = [sys.executable, "-c", WORKER, str(self._letters)]
            return subprocess.Popen(command, env=self._env, stdout=out, stderr=out)

    def kill(self, which: int) -> None:
        """Kill a worker without warning, and start another."""
        self._running[which].send_signal(signal.SIGKILL)
        self._running[which].wait()
        self._running[which] = self._start()

    def letters(self) -> list[str]:
        """Return who wrote the digests so far, those too of which a kill left nothing."""
        return self._letters.read_text().split() if self._letters.exists() else []

    def at_digests(self) -> int | None:
        """Return which worker is writing digests, if one is that runs."""
        written = self.letters()
        pids = [str(process.pid) for process in self._running]
        return pids.index(written[-1]) if written and written[-1] in pids else None

    def stop(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()


@pytest.mark.timeout(1_500)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_nothing_is_lost_or_done_twice_when_workers_are_killed(tmp_path: Path, kind: str) -> None:
    chance = random.Random(7)
    dump = tmp_path / "dump.sql"
    dump.write_text(discourse(people=9, topics=TOPICS, posts=POSTS), encoding="utf-8")
    with database_of(kind) as database, smtp_sink() as mail, receiving() as hooks:
        env = environment(tmp_path, database=database, mail=mail.port)
        ask(env, SETUP.replace("ADDRESS", repr(hooks.address)).replace("DUMP", repr(str(dump))))
        workers = Workers(env, tmp_path / "log")
        kills = digest_kills = 0
        deadline = time.monotonic() + PATIENCE
        try:
            done = 0
            while True:
                writing = workers.at_digests()
                if writing is not None and digest_kills < DIGEST_KILLS:
                    time.sleep(chance.uniform(0, 0.3))
                    workers.kill(writing)
                    digest_kills += 1
                    continue
                seen = len(mail.taken) + len(hooks.received)
                if kills < KILLS and seen > done:  # only who is at work is worth killing
                    time.sleep(chance.uniform(0, 0.3))
                    workers.kill(chance.randrange(2))
                    kills, done = kills + 1, len(mail.taken) + len(hooks.received)
                    continue
                begun = digest_kills == DIGEST_KILLS or len(workers.letters()) >= 2 * READERS
                if begun and (seen >= MAILS + MEMBERS + 2 * READERS + HOOKS or kills == KILLS):  # looking takes a while
                    found: dict[str, Any] = json.loads(ask(env, LOOK))
                    if found["waiting"] == 0:
                        break
                assert time.monotonic() < deadline, (seen, kills, digest_kills, (tmp_path / "log").read_text()[-4_000:])
                time.sleep(0.05)
        finally:
            workers.stop()
    assert found["failed"] == []
    # Mail: each message that the database has, once; on the wire at least once, more only for what a kill interrupted.
    assert Counter(found["mails"]) == Counter(
        [f"m{n}@there.example" for n in range(MAILS)]
        + [f"m{n}@here.example" for n in range(MEMBERS)]
        + [f"r{n}@here.example" for n in range(READERS)] * 2
    )
    came = by_message(mail)
    assert len(came) == MAILS + MEMBERS + 2 * READERS
    twice = sum(count - 1 for count in came.values())
    messages = Counter(one.headers["webhook-id"] for one in hooks.received)
    twice += sum(count - 1 for count in messages.values())
    assert (len(messages), found["arrived"]) == (HOOKS, HOOKS)
    assert twice <= kills + digest_kills
    # Digests: begun anew by another worker, yet one for each reader and pace, and everything in one of them.
    assert found["digest_workers"] > 1
    assert found["digests"] == [READERS, READERS]
    assert told(mail) == {f"Number {n} of reader{m}": 1 for n in range(4) for m in range(READERS)}
    # The import: exactly once, and all counters right.
    expected = [[f"Topic number {n}", POSTS + (n == 1), POSTS + (n == 1), False] for n in range(1, TOPICS + 1)]
    assert found["threads"] == sorted([*expected, ["Secret plans of staff", 1, 1, False]])
    assert found["posts"] == found["written"] == TOPICS * POSTS + 2
    assert found["documents"] == found["posts"]
    assert found["rooms"] == [["building", TOPICS, TOPICS * POSTS + 1], ["staff", 1, 1]]
    assert found["people"] == MEMBERS + READERS + 9 + 1
    assert kills > 0
