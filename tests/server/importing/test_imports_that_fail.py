"""Imports that break midway: written down with the reason, shown, and resumed without doing anything twice."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from forum_dumps import discourse
from jeos.core.errors import InputError, UsageError
from jeos.server.accounts.models import Member
from jeos.server.content.models import AuditEntry
from jeos.server.forum.models import Category, Post, Thread
from jeos.server.importing import loading, staging, standing, tasks
from jeos.server.importing.models import Import, Kind, Old, Staged, State
from jeos.server.jobs import work
from server_site import signed_in, statuses

pytestmark = pytest.mark.django_db
POSTS = 8  # of the dump
BROKEN = 203  # the number of the post that breaks
PAGE = "/administration/imports/"


def staged(folder: Path) -> Import:
    """Read a dump."""
    path = folder / "dump.sql"
    path.write_text(discourse(), encoding="utf-8")
    staging.stage("discourse", path)
    return Import.objects.get()


def damage(number: int = BROKEN) -> dict[str, Any]:
    """Make a record one of which no post can be made; return what it was."""
    row = Staged.objects.get(kind=Kind.MESSAGE, number=number)
    whole = dict(row.data)
    Staged.objects.filter(pk=row.pk).update(data={**row.data, "made": "never"})
    return whole


def figures() -> tuple[object, ...]:
    """Return what would show that something came twice."""
    return (
        Member.objects.exclude(handle="imported").count(),
        list(Category.objects.order_by("pk").values_list("slug", "threads", "posts")),
        list(Thread.objects.order_by("pk").values_list("title", "posts", "last_number")),
        Post.objects.count(),
        sum(Member.objects.values_list("posts", flat=True)),
    )


WHOLE = (
    3,
    [("building", 2, 7), ("staff", 1, 1)],
    [("Topic number 1", 4, 4), ("Topic number 2", 3, 3), ("Secret plans of staff", 1, 1)],
    POSTS,
    POSTS,
)


@pytest.mark.django_db(transaction=True)
def test_import_that_breaks_says_why_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "BATCH", 2)
    run = staged(tmp_path)
    whole = damage()
    work.work(once=True)
    run.refresh_from_db()
    assert (run.state, run.error) == (
        State.FAILED,
        "message 203: ValueError: Invalid isoformat string: 'never'",
    )
    done = run.done
    assert 0 < done == run.total - Staged.objects.count()
    before = figures()
    assert DBTaskResult.objects.exclude(status="SUCCESSFUL").count() == 0

    standing.resume("discourse")
    work.work(once=True)
    run.refresh_from_db()
    assert (run.state, run.done, figures()) == (State.FAILED, done, before)

    Staged.objects.filter(kind=Kind.MESSAGE, number=BROKEN).update(data=whole)
    standing.resume("discourse")
    work.work(once=True)
    run.refresh_from_db()
    assert (run.state, run.done, run.error, figures()) == (State.FINISHED, run.total, "", WHOLE)
    assert Old.objects.filter(kind=Kind.MESSAGE).count() == POSTS
    with pytest.raises(UsageError, match="has come"):
        standing.resume("discourse")


@pytest.mark.django_db(transaction=True)
def test_administrator_sees_why_and_goes_on_without_the_record(tmp_path: Path, administrator: Member) -> None:
    run = staged(tmp_path)
    damage()
    work.work(once=True)
    client = signed_in(administrator)
    overview = client.get("/administration/").content.decode()
    assert "The import from discourse failed." in overview
    assert f'href="{PAGE}"' in overview
    page = client.get(PAGE).content.decode()
    assert "message 203: ValueError: Invalid isoformat string: &#39;never&#39;" in page
    assert client.post(f"{PAGE}{run.pk}/", {"action": "other"}).status_code == 400
    assert client.post(f"{PAGE}{run.pk}/", {"action": "without"}, follow=True).status_code == 200
    work.work(once=True)
    run.refresh_from_db()
    assert (run.state, run.done, run.passed_over, Post.objects.count()) == (State.FINISHED, run.total, 2, POSTS - 1)
    assert "message 203" in client.get(PAGE).content.decode()
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["import.without"]
    assert "failed" not in client.get("/administration/").content.decode().partition("Background work")[0]


def test_page_of_imports_is_for_administrators(people: dict[str, Client], tmp_path: Path) -> None:
    run = staged(tmp_path)
    assert statuses(people, PAGE) == [401, 403, 403, 403, 200]
    assert statuses(people, f"{PAGE}{run.pk}/", {"action": "again"}) == [401, 403, 403, 403, 302]
    assert statuses(people, f"{PAGE}999999/", {"action": "again"}) == [401, 403, 403, 403, 404]


def test_task_that_runs_twice_does_its_part_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "BATCH", 4)
    run = staged(tmp_path)
    for _ in range(3):  # a worker died after its transaction, before it said so
        tasks.advance.func(run.pk, 0)
    run.refresh_from_db()
    assert (run.done, run.turn, Staged.objects.count()) == (4, 1, run.total - 4)
    turns = DBTaskResult.objects.order_by("enqueued_at").values_list("args_kwargs", flat=True)
    assert [said["args"] for said in turns] == [[run.pk, 0], [run.pk, 1]]


def test_task_of_before_finds_its_turn_gone_when_an_import_is_resumed(tmp_path: Path) -> None:
    run = staged(tmp_path)
    standing.resume("discourse")
    tasks.advance.func(run.pk, 0)
    run.refresh_from_db()
    assert (run.done, run.turn) == (0, 1)
    tasks.advance.func(run.pk, 1)
    run.refresh_from_db()
    assert run.done == run.total


def test_database_that_ends_a_turn_is_tried_again_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(source: str, data: dict[str, Any]) -> bool:
        raise OperationalError("deadlock detected")

    run = staged(tmp_path)
    monkeypatch.setitem(loading.LOADERS, Kind.ROOM, locked)
    now = timezone.now()
    for attempt in range(1, standing.TRIES):
        tasks.advance.func(run.pk, 0)
        run.refresh_from_db()
        assert (run.tries, run.turn, run.done, run.state) == (attempt, 0, 0, State.LOADING)
        later = DBTaskResult.objects.order_by("-run_after")[0]
        assert later.run_after is not None
        assert later.run_after > now
    tasks.advance.func(run.pk, 0)
    run.refresh_from_db()
    assert (run.state, run.error, run.stuck) == (State.FAILED, "OperationalError: deadlock detected", None)
    monkeypatch.undo()
    standing.resume("discourse")
    tasks.advance.func(run.pk, 1)
    assert figures() == WHOLE


def test_dump_is_not_read_into_an_import_that_goes_on(tmp_path: Path) -> None:
    staged(tmp_path)
    with pytest.raises(UsageError, match="read already"):
        staging.stage("discourse", tmp_path / "dump.sql")
    assert standing.told("discourse").splitlines() == [
        "discourse: loading, 0 of 17 records done, 0 passed over",
        "  no place here: Titles and ranks: 1",
        "  no place here: Private threads: 1",
    ]
    for act in (standing.told, standing.resume):
        with pytest.raises(UsageError, match="phpbb"):
            act("phpbb")


def test_dump_that_cannot_be_read_is_shown_and_cannot_be_resumed(tmp_path: Path, administrator: Member) -> None:
    path = tmp_path / "dump.sql"
    path.write_text(discourse().replace("2019-03-01", "yesterday"), encoding="utf-8")
    with pytest.raises(InputError):
        staging.stage("discourse", path)
    page = signed_in(administrator).get(PAGE).content.decode()
    assert "is no time: yesterday" in page
    assert "Nothing has come. Mend its cause, and read it again." in page
    with pytest.raises(UsageError, match="no dump of discourse was read"):
        standing.resume("discourse")


PREPARE = """
from jeos.server import start; start.prepare()
"""
READ = """
import os, signal, sys
from pathlib import Path
import django; django.setup()
from jeos.server.importing import staging
real = staging._staged
def dying(run, record, left=[int(sys.argv[2])]):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(run, record)
staging._staged, staging.BATCH = dying, 2
staging.stage("discourse", Path(sys.argv[1]))
"""
WORK = """
import os, signal, sys
import django; django.setup()
from jeos.server.importing import loading
from jeos.server.importing.models import Kind
from jeos.server.jobs import recover, work
recover.BEAT, recover.DEAD_AFTER, loading.BATCH = 0.1, -1.0, 5
real = loading.LOADERS[Kind.MESSAGE]
def dying(source, data):
    if data["number"] == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(source, data)
loading.LOADERS[Kind.MESSAGE] = dying
from django.utils import timezone
recover.give_back(now=timezone.now())
work.work(once=True)
"""
LOOK = """
import json
import django; django.setup()
from jeos.server.forum.models import Category, Post
from jeos.server.importing.models import Import, Old, Staged
run = Import.objects.get()
print(json.dumps([str(run.state.value), run.done, run.total, Staged.objects.count(), Post.objects.count(),
    Old.objects.count(), sorted(Category.objects.values_list("slug", "threads", "posts"))]))
"""


def test_killed_readers_and_workers_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    path = tmp_path / "dump.sql"
    path.write_text(discourse(), encoding="utf-8")
    env = {**os.environ, "JEOS_SERVER_DATA": str(tmp_path / "data"), "DATABASE_URL": ""}

    def ask(code: str, *words: object, status: int = 0) -> str:
        command = [sys.executable, "-c", code, *map(str, words)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr[-3_000:]
        return done.stdout.strip()

    ask(PREPARE)
    ask(READ, path, 9, status=-signal.SIGKILL)
    assert ask(LOOK) == '["reading", 0, 8, 8, 0, 0, []]'  # which the next reader removes
    ask(READ, path, 0)
    ask(WORK, BROKEN, status=-signal.SIGKILL)
    assert ask(LOOK).startswith('["loading", 10, 17, 7, 2, 10,')
    ask(WORK, 0)
    assert ask(LOOK) == f'["finished", 17, 17, 0, {POSTS}, 16, [["building", 2, 7], ["staff", 1, 1]]]'
