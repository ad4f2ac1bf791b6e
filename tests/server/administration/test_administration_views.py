"""The administrators' pages: who may see and do what, how many queries they take, what they do."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from jeos import server
from jeos.server.accounts.models import Invitation, Member, Role, Token, Trust
from jeos.server.content.models import AuditEntry
from jeos.server.forum.models import Category
from jeos.server.jobs import queues
from jeos.server.jobs.mail import ATTEMPTS
from jeos.server.jobs.models import Heartbeat, Mail
from server_site import count_queries, make_member, signed_in, statuses

pytestmark = pytest.mark.django_db
ADMINISTRATORS = [401, 403, 403, 403, 200]
DONE = [401, 403, 403, 403, 302]
NOT_THERE = [401, 403, 403, 403, 404]
LOST = "00000000-0000-4000-8000-000000000001"


def failed_task(
    path: str = "jeos.server.jobs.mail.deliver", *, args: tuple[object, ...] = (7,)
) -> DBTaskResult[Any, Any]:
    """Make a task that failed."""
    now = timezone.now()
    return DBTaskResult.objects.create(
        status=TaskResultStatus.FAILED,
        finished_at=now,
        started_at=now,
        run_after=now,
        args_kwargs={"args": [7], "kwargs": {}},
        task_path=path,
        backend_name="default",
        queue_name="mail",
        exception_class_path="builtins.OSError",
        traceback="Traceback (most recent call last):\n  File x, line 1\nOSError: <the disk> is full\n",
    )


def lost_mail() -> Mail:
    """Make mail that was given up."""
    return Mail.objects.create(recipient="a@mail.example", message=b"x", attempts=ATTEMPTS, error="550 no such user")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/administration/", ADMINISTRATORS),
        ("/administration/members/", ADMINISTRATORS),
        ("/administration/members/?name=b&show=team", ADMINISTRATORS),
        ("/administration/members/?after=nonsense", ADMINISTRATORS),
        ("/administration/members/{m}/", ADMINISTRATORS),
        ("/administration/members/999999/", NOT_THERE),
        ("/administration/members/{m}/remove/", [405] * 5),
        ("/administration/jobs/", ADMINISTRATORS),
        ("/administration/jobs/?after=nonsense", ADMINISTRATORS),
        ("/administration/site/", ADMINISTRATORS),
        ("/administration/blocked/", ADMINISTRATORS),
        ("/forum/categories/", ADMINISTRATORS),
        ("/forum/categories/new/", ADMINISTRATORS),
        ("/forum/categories/{c}/", ADMINISTRATORS),
        ("/forum/categories/999999/", NOT_THERE),
    ],
)
def test_page_is_for_administrators(
    people: dict[str, Client], category: Category, path: str, wanted: list[int]
) -> None:
    number = Member.objects.get(handle="bob").pk
    assert statuses(people, path.format(m=number, c=category.pk)) == wanted


@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("/administration/members/{m}/standing/", {"role": "1", "trust": "3"}, DONE),
        ("/administration/members/{m}/standing/", {"role": "7"}, DONE),
        ("/administration/members/{m}/silence/", {"days": "7"}, DONE),
        ("/administration/members/{m}/suspend/", {"on": "1"}, DONE),
        ("/administration/members/{m}/remove/", {"handle": "other"}, ADMINISTRATORS),
        ("/administration/members/{m}/remove/", {"handle": "carol"}, DONE),
        (f"/administration/jobs/tasks/{LOST}/", {"action": "again"}, DONE),
        (f"/administration/jobs/tasks/{LOST}/", {"action": "run"}, [401, 403, 403, 403, 400]),
        ("/administration/jobs/mail/9999/", {"action": "forget"}, DONE),
        ("/administration/blocked/", {"blocked": "no domain"}, ADMINISTRATORS),
        ("/administration/blocked/", {"networks": "192.0.2.0/4"}, ADMINISTRATORS),
        ("/administration/blocked/", {"networks": "192.0.2.0/24"}, DONE),
        ("/administration/blocked/999999/undo/", {}, NOT_THERE),
        ("/administration/site/", {"entry": "0", "name": "Ours"}, DONE),
        ("/administration/site/invitations/", {"accounts": "0", "days": "14"}, ADMINISTRATORS),
        ("/administration/site/invitations/", {"accounts": "2", "days": "14"}, DONE),
        ("/administration/site/invitations/9999/end/", {}, NOT_THERE),
        ("/forum/categories/new/", {"name": ""}, ADMINISTRATORS),
        ("/forum/categories/{c}/move/", {"to": "up"}, DONE),
        ("/forum/categories/{c}/move/", {"to": "left"}, [401, 403, 403, 403, 400]),
        ("/forum/categories/{c}/remove/", {}, DONE),
    ],
)
def test_deed_is_for_administrators(
    people: dict[str, Client], category: Category, path: str, data: dict[str, str], wanted: list[int]
) -> None:
    number = make_member("carol").pk
    assert statuses(people, path.format(m=number, c=category.pk), data) == wanted


@pytest.mark.parametrize(
    "path", ["/administration/", "/administration/members/", "/administration/jobs/", "/forum/categories/"]
)
def test_page_takes_as_many_queries_for_many_rows_as_for_few(administrator: Member, path: str) -> None:
    client = signed_in(administrator)

    def more(first: int, last: int) -> None:
        for number in range(first, last):
            member = make_member(f"one-{number}")
            AuditEntry.objects.create(actor=member, subject=member, action="x.y")
            Category.objects.create(slug=f"c{number}", name="C", position=number)
            failed_task()
            lost_mail()

    more(0, 1)
    few = count_queries(client, path)
    more(1, 12)
    assert count_queries(client, path) == few


def test_lists_of_members_and_failed_tasks_go_on(administrator: Member) -> None:
    for number in range(60):
        make_member(f"one-{number}")
        failed_task(f"one.{number}x")
    client = signed_in(administrator)
    seen, path = "", "/administration/members/?name=one&show="
    while path:
        text = client.get(path).content.decode()
        seen += text
        _before, found, rest = text.partition('rel="next" href="')
        path = "/administration/members/" + rest.split('"')[0].replace("&amp;", "&") if found else ""
    assert [seen.count(f">one-{number}</a>") for number in range(60)] == [1] * 60
    seen, path = "", "/administration/jobs/"
    while path:
        text = client.get(path).content.decode()
        seen += text
        _before, found, rest = text.partition('rel="next" href="')
        path = "/administration/jobs/" + rest.split('"')[0] if found else ""
    assert [seen.count(f"one.{number}x") for number in range(60)] == [1] * 60


def test_overview_says_what_is_wrong_and_what_to_do(administrator: Member) -> None:
    client = signed_in(administrator)
    text = client.get("/administration/").content.decode()
    assert "No worker lives." in text
    assert "Set JEOS_SERVER_MAIL" in text
    Heartbeat.objects.create(worker="w", seen=timezone.now())
    failed_task()
    text = client.get("/administration/").content.decode()
    assert "No worker lives." not in text
    assert "1 task failed." in text


def test_failed_task_shows_its_error_and_goes_back_into_the_queue(administrator: Member) -> None:
    task, client = failed_task(), signed_in(administrator)
    text = client.get("/administration/jobs/").content.decode()
    assert '<p class="error">OSError: &lt;the disk&gt; is full</p>' in text
    client.post(f"/administration/jobs/tasks/{task.pk}/", {"action": "again"})
    task.refresh_from_db()
    assert (task.status, task.traceback, task.finished_at) == (TaskResultStatus.READY, "", None)
    assert DBTaskResult.objects.ready().filter(pk=task.pk).exists()
    assert AuditEntry.objects.filter(action="task.again", actor=administrator).count() == 1
    with pytest.raises(LookupError):
        queues.again(task.pk)


def test_failed_task_is_forgotten(administrator: Member) -> None:
    task = failed_task()
    signed_in(administrator).post(f"/administration/jobs/tasks/{task.pk}/", {"action": "forget"})
    assert not DBTaskResult.objects.filter(pk=task.pk).exists()


def test_mail_that_was_given_up_is_sent_once_more_or_deleted(administrator: Member) -> None:
    first, second = lost_mail(), lost_mail()
    client = signed_in(administrator)
    assert "550 no such user" in client.get("/administration/jobs/").content.decode()
    client.post(f"/administration/jobs/mail/{first.pk}/", {"action": "again"})
    client.post(f"/administration/jobs/mail/{second.pk}/", {"action": "forget"})
    assert list(Mail.objects.values_list("pk", "attempts")) == [(first.pk, 0)]
    assert DBTaskResult.objects.filter(task_path="jeos.server.jobs.mail.deliver").count() == 1


def test_member_gets_another_role_and_the_log_says_so(administrator: Member, bob: Member) -> None:
    client = signed_in(administrator)
    client.post(f"/administration/members/{bob.pk}/standing/", {"role": "1", "trust": "4"})
    bob.refresh_from_db()
    assert (bob.role, bob.trust) == (Role.MODERATOR, Trust.LEADER)
    (entry,) = AuditEntry.objects.filter(subject=bob)
    assert entry.details == {"role": "MEMBER → MODERATOR", "trust": "BASIC → LEADER"}
    assert "MEMBER → MODERATOR" in client.get(f"/administration/members/{bob.pk}/").content.decode()


def test_suspended_member_is_out_everywhere_and_comes_back(administrator: Member, bob: Member) -> None:
    theirs, ours = signed_in(bob), signed_in(administrator)
    _token, text = Token.make(bob, name="x", writes=True, expires=None)
    ours.post(f"/administration/members/{bob.pk}/suspend/", {"on": "1", "note": "sells things"})
    assert theirs.get("/settings/").status_code == 302
    assert Token.find(text, now=timezone.now()) is None
    assert ">bob</a>" in ours.get("/administration/members/?show=suspended").content.decode()
    ours.post(f"/administration/members/{bob.pk}/suspend/", {"on": "0"})
    assert signed_in(Member.objects.get(pk=bob.pk)).get("/settings/").status_code == 200


def test_silenced_member_writes_nothing_until_it_ends(administrator: Member, bob: Member) -> None:
    client = signed_in(administrator)
    client.post(f"/administration/members/{bob.pk}/silence/", {"days": "7"})
    bob.refresh_from_db()
    assert bob.silenced(now=timezone.now() + timedelta(days=6))
    assert not bob.silenced(now=timezone.now() + timedelta(days=8))
    client.post(f"/administration/members/{bob.pk}/silence/", {"days": "0"})
    bob.refresh_from_db()
    assert bob.silenced_until is None


def test_member_is_removed_when_the_handle_is_written_once_more(administrator: Member, bob: Member) -> None:
    client, path = signed_in(administrator), f"/administration/members/{bob.pk}/remove/"
    client.post(path, {"handle": "Bob?"})
    assert Member.objects.get(pk=bob.pk).is_active
    client.post(path, {"handle": "bob"})
    bob.refresh_from_db()
    assert (bob.handle, bob.email, bob.is_active) == (f"left-{bob.pk}", None, False)
    assert client.get(f"/administration/members/{bob.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("deed", "data"),
    [
        ("standing", {"role": "0", "trust": "0"}),
        ("silence", {"days": "7"}),
        ("suspend", {"on": "1"}),
        ("remove", {"handle": "boss"}),
    ],
)
def test_own_account_is_another_administrators_to_change(
    administrator: Member, deed: str, data: dict[str, str]
) -> None:
    signed_in(administrator).post(f"/administration/members/{administrator.pk}/{deed}/", data)
    now = Member.objects.get(pk=administrator.pk)
    assert (now.role, now.is_active, now.silenced_until) == (Role.ADMINISTRATOR, True, None)


def test_invitation_ends(administrator: Member) -> None:
    client = signed_in(administrator)
    client.post("/administration/site/invitations/", {"note": "the club", "accounts": "3", "days": "2"})
    made = Invitation.objects.get()
    assert f"/invited/{made.code}/" in client.get("/administration/site/").content.decode()
    client.post(f"/administration/site/invitations/{made.pk}/end/")
    assert not Invitation.objects.exists()


def test_tables_that_become_lists_on_a_phone_name_each_cell_as_their_head_does() -> None:
    tables = [
        table
        for path in (Path(server.__file__).parent).rglob("jinja2/**/*.html")
        for table in re.findall(r'<table class="stack">.*?</table>', path.read_text(encoding="utf-8"), re.DOTALL)
    ]
    assert len(tables) >= 4
    for table in tables:
        heads = re.findall(r"<th>(.*?)</th>", table)
        assert re.findall(r'<td data-label="(.*?)"(?: class="\w+")?>', table) == heads
        assert table.count("<td") == len(heads)
