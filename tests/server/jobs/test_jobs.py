"""Background work: mail goes once, what died is done, what comes back comes once."""

from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from jeos.server.accounts.models import Member, Pace
from jeos.server.content import notifications
from jeos.server.content.mailing.tasks import mail_notifications
from jeos.server.content.models import Notification, Reason
from jeos.server.content.notifications import Event
from jeos.server.jobs import mail, recover, schedule, work
from jeos.server.jobs.models import Due, Heartbeat, Mail

pytestmark = pytest.mark.django_db


def write(subject: str = "Hello") -> None:
    send_mail(subject, "Text\nmit Umlaut ü", None, ["ada@mail.example"])


def sent(outbox: Path) -> list[str]:
    texts = [path.read_bytes() for path in sorted(outbox.glob("*"))]
    return [str(message_from_bytes(text, policy=policy.default)["Subject"]) for text in texts]


@pytest.mark.django_db(transaction=True)
def test_mail_goes_out_through_the_worker_and_only_once(outbox: Path) -> None:
    write()
    assert sent(outbox) == []
    work.work(once=True)
    assert sent(outbox) == ["Hello"]
    mail.deliver.call(Mail.objects.get().pk)  # done again, as after a worker that died
    assert sent(outbox) == ["Hello"]
    kept = Mail.objects.get()
    assert (kept.sent is not None, kept.attempts) == (True, 1)


def test_mail_of_a_transaction_that_failed_is_never_sent(outbox: Path) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        write()
        raise RuntimeError("as it happens")
    assert (Mail.objects.count(), DBTaskResult.objects.count()) == (0, 0)


def test_mail_that_fails_is_tried_again_later_and_given_up_in_the_end(outbox: Path, settings: Settings) -> None:
    write()
    DBTaskResult.objects.all().delete()
    settings.DELIVERY_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # nobody listens there
    number = Mail.objects.get().pk
    for _ in range(mail.ATTEMPTS):
        mail.deliver.call(number)
    kept = Mail.objects.get()
    assert (kept.sent, kept.attempts, "refused" in kept.error) == (None, mail.ATTEMPTS, True)
    pauses = [
        round((task.run_after - task.enqueued_at).total_seconds() / 60)
        for task in DBTaskResult.objects.order_by("enqueued_at")
    ]
    assert pauses == [1, 2, 4, 8, 16, 32, 64]


def test_what_a_dead_worker_had_begun_goes_back_and_a_living_ones_does_not() -> None:
    now = timezone.now()
    for name in ("living", "dead", "late"):
        write(name)
        task = DBTaskResult.objects.filter(status=TaskResultStatus.READY).get()
        task.claim(name)
    long_ago = now - timedelta(seconds=recover.DEAD_AFTER + 1)
    DBTaskResult.objects.update(started_at=long_ago)
    recover.beat("living", now=now)
    recover.beat("dead", now=long_ago)
    recover.beat("late", now=now - timedelta(seconds=recover.DEAD_AFTER - 5))
    assert recover.give_back(now=now) == 1
    ready = DBTaskResult.objects.get(status=TaskResultStatus.READY)
    assert ready.worker_ids == ["dead"]
    assert sorted(Heartbeat.objects.values_list("worker", flat=True)) == ["late", "living"]
    assert recover.give_back(now=now) == 0


def test_what_has_just_begun_is_left_to_its_worker() -> None:
    write()
    DBTaskResult.objects.get().claim("new")
    assert recover.give_back(now=timezone.now()) == 0


def test_work_that_comes_back_is_put_into_the_queue_once_by_whoever_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(schedule, "_registered", {})
    schedule.every("tests.tick", enqueue=lambda: done.append("tick"), seconds=60)
    now = timezone.now()
    assert schedule.put_due(now=now) == ["tests.tick"]
    assert schedule.put_due(now=now) == []
    assert schedule.put_due(now=now + timedelta(seconds=59)) == []
    assert schedule.put_due(now=now + timedelta(seconds=61)) == ["tests.tick"]
    assert (done, Due.objects.count()) == (["tick", "tick"], 1)


def test_sections_register_what_comes_back() -> None:
    assert {"content.mail", "content.prune", "forum.forget_read"} <= set(schedule._registered)


def test_notifications_become_one_mail_for_each_member_who_wants_it(
    ada: Member, bob: Member, moderator: Member
) -> None:
    Member.objects.filter(pk=bob.pk).update(mail_news=Pace.NEVER)
    Member.objects.filter(pk=ada.pk).update(language="de")
    for reason, number in ((Reason.MENTION, 1), (Reason.NEW, 2), (Reason.REACTION, 3)):
        event = Event(reason, 1, number, f"/forum/p/{number}/", f"Thread {number}", moderator.pk)
        notifications.tell([ada.pk, bob.pk], event)
    assert mail_notifications.call() == 2
    assert mail_notifications.call() == 0
    texts = {row.recipient: message_from_bytes(bytes(row.message), policy=policy.default) for row in Mail.objects.all()}
    bodies = {name: next(text.iter_parts()).get_content() for name, text in texts.items()}
    assert bodies["ada@mail.example"].count("/forum/p/") == 2
    assert bodies["bob@mail.example"].count("/forum/p/") == 1
    assert f"{django_settings.ENVIRONMENT.url}/forum/p/1/" in bodies["bob@mail.example"]
    assert Notification.objects.filter(mailed=False).count() == 0


def test_title_cannot_bring_a_header_into_a_mail(ada: Member, bob: Member) -> None:
    title = "Hello\r\nBcc: all@mail.example"
    notifications.tell([ada.pk], Event(Reason.MENTION, 1, 1, "/x/", title, bob.pk))
    assert mail_notifications.call() == 1
    text = message_from_bytes(bytes(Mail.objects.get().message), policy=policy.default)
    assert (text["Bcc"], text["Subject"]) == (None, "Hello Bcc: all@mail.example")
