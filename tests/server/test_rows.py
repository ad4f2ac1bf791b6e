"""Rows that go past the ORM's statements are what the ORM itself would have read and written."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks import task_backends
from django_tasks_db.models import DBTaskResult, get_date_max

from jeos.server import rows
from jeos.server.accounts.models import Member
from jeos.server.accounts.sessions import SessionStore
from jeos.server.content import following, kinds, paging, tags
from jeos.server.content.models import Document, Following, Tag, Tagged
from jeos.server.forum import posting, tasks
from jeos.server.forum.models import Category, Post, Thread

pytestmark = pytest.mark.django_db


def values(row: models.Model) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_rows_are_read_as_the_orm_reads_them(ada: Member, category: Category) -> None:
    thread = posting.start(category, author=ada, title="Some words", source="x", tag_names=["uefi"])
    post = Post.objects.get(thread=thread)
    Post.objects.filter(pk=post.pk).update(reactions={"1": 2}, edited=datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC))
    for model, number in ((Member, ada.pk), (Thread, thread.pk), (Post, post.pk), (Category, category.pk)):
        found = rows.by_number(model, number)
        assert found is not None
        assert values(found) == values(model.objects.get(pk=number))
        assert not found._state.adding


@pytest.mark.parametrize("number", [0, -1, 999_999, 1 << 63, 1 << 200])
def test_numbers_that_no_row_has_find_nothing(number: int) -> None:
    assert rows.by_number(Thread, number) is None


def test_a_row_is_written_as_the_orm_writes_it(ada: Member) -> None:
    moment = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)
    made = Document(
        kind=1, number=7, head=True, area=0, author=ada.pk, date=moment, title="it's 100 %s", body='"\\ü', tags=""
    )
    assert rows.insert(made)
    other = Document(**{**values(made), "id": None, "number": 8})
    other.save()
    found = [values(Document.objects.get(pk=pk)) for pk in (made.pk, other.pk)]
    assert found[0] == values(made)
    assert {**found[0], "id": 0, "number": 0} == {**found[1], "id": 0, "number": 0}
    made.title = "changed"
    made.save()  # it knows that it is there
    assert Document.objects.count() == 2


@pytest.mark.parametrize("kind", [None, kinds.THREAD])
def test_page_of_a_tag_is_that_of_the_orm(kind: int | None) -> None:
    tag, other = Tag.objects.create(name="uefi"), Tag.objects.create(name="bios")
    moment = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)
    for number in range(9):
        when = moment + timedelta(hours=number // 3)  # several at the same moment
        Tagged.objects.create(tag=tag, kind=kinds.THREAD if number % 4 else kinds.POST, number=number, date=when)
    Tagged.objects.create(tag=other, kind=kinds.THREAD, number=7, date=moment)
    wanted = Tagged.objects.filter(tag=tag) if kind is None else Tagged.objects.filter(tag=tag, kind=kind)
    after: str | None = None
    for _ in range(5):
        page = tags.page(tag, after=after, size=2, kind=kind)
        expected = paging.newest(wanted, keys={"date": datetime, "id": int}, after=after, size=2)
        assert [values(row) for row in page.rows] == [values(row) for row in expected.rows]
        assert page.after == expected.after
        after = page.after
        if not after:
            break
    assert not after


def test_what_is_there_once_stays_as_it_is(ada: Member) -> None:
    following.set_level(ada, kinds.THREAD, 7, -1)
    assert not rows.insert(Following(member=ada, kind=kinds.THREAD, number=7, level=1), once=True)
    assert list(Following.objects.values_list("level", flat=True)) == [-1]


def test_a_task_is_written_as_django_tasks_db_writes_it() -> None:
    soon = timezone.now() + timedelta(minutes=1)
    for given in (tasks.forget_read, tasks.forget_read.using(run_after=soon)):
        made = given.enqueue()
        row = DBTaskResult.objects.get(pk=made.id)
        assert task_backends["default"].get_result(made.id) == made
        assert row.run_after == (given.run_after or get_date_max())
    assert DBTaskResult.objects.ready().count() == 1


def test_a_session_is_found_while_it_lasts() -> None:
    kept = SessionStore()
    kept["place"] = "here"
    kept.save()
    with CaptureQueriesContext(connection) as queries:
        assert SessionStore(kept.session_key)["place"] == "here"
    assert len(queries) == 1
    for key in ("x" * 32, "with\0nothing", ""):
        assert "place" not in SessionStore(key)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert "place" not in SessionStore(kept.session_key)


@pytest.mark.parametrize("how", ["locked out", "session ended", "passphrase changed"])
def test_who_was_signed_in_is_nobody_at_once(how: str, ada: Member) -> None:
    client = Client()
    client.force_login(ada, backend="jeos.server.accounts.backends.Passphrases")
    assert client.get("/").wsgi_request.user == ada
    if how == "locked out":
        Member.objects.filter(pk=ada.pk).update(is_active=False)
    elif how == "session ended":
        Session.objects.all().delete()
    else:
        Member.objects.filter(pk=ada.pk).update(password="other")
    assert not client.get("/").wsgi_request.user.is_authenticated
