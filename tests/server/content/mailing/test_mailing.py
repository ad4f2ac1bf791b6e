"""Mail out and in: letters to answer and to end, digests once for each period, answers posted by the rules."""

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from jeos.server.accounts import registration
from jeos.server.accounts.models import Member, Pace, Trust
from jeos.server.content import kinds, limits, notifications
from jeos.server.content.mailing import addresses, digests, reading, taking
from jeos.server.content.mailing import letters as mailing_letters
from jeos.server.content.mailing.tasks import look_into_maildir, mail_notifications, send_digests, take_mail
from jeos.server.content.models import Comment, Digest, Incoming, Notification, Reason
from jeos.server.content.models.mailing import Outcome
from jeos.server.content.notifications import Event
from jeos.server.forum import moderating, posting
from jeos.server.forum.models import Category, Post, Thread
from jeos.server.forum.tasks import announce
from jeos.server.ideas import suggesting
from jeos.server.jobs import work
from jeos.server.jobs.models import Mail
from server_site import make_member, statuses
from smtp_sink import smtp_sink

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
REPLY = "reply@exchange.example"


@pytest.fixture(autouse=True)
def answered(settings: Settings) -> None:
    settings.MAIL_REPLY = REPLY


@pytest.fixture
def thread(ada: Member, bob: Member, category: Category) -> Thread:
    for member in (ada, bob):
        registration.confirm(member)
    return posting.start(category, author=ada, title="A rack of ours", source="Look.")


def letters() -> list[EmailMessage]:
    rows = Mail.objects.order_by("pk")
    return [message_from_bytes(bytes(row.message), policy=policy.default) for row in rows]


def plain(letter: EmailMessage) -> str:
    return str(next(letter.iter_parts()).get_content())


def target(member: Member, thread: Thread) -> str:
    about = addresses.Target(member=member.pk, kind=kinds.THREAD, number=thread.pk)
    return addresses.reply_address(about, now=timezone.now())


def mail(to: str, *, sender: str = "bob@mail.example", text: str = "That works.", **headers: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = f"Bob <{sender}>", to, "Re: A rack of ours"
    message["Message-ID"] = f"<{os.urandom(8).hex()}@mail.example>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


def come(data: bytes) -> Incoming:
    """Let a mail come and a worker look at it."""
    assert taking.keep(data)
    row = Incoming.objects.latest("pk")
    take_mail.call(row.pk)
    row.refresh_from_db()
    return row


# Addresses


def test_address_for_answers_is_read_back_whatever_becomes_of_its_capitals() -> None:
    about = addresses.Target(member=300_000, kind=9, number=3_000_000_000)
    address = addresses.reply_address(about, now=NOW)
    local = address.partition("@")[0]
    assert (address.startswith("reply+"), len(local) <= addresses.LONGEST) == (True, True)
    for said in (address, address.upper(), f'"Exchange" <{address}>'):
        assert addresses.read_code(addresses.find_code(said), now=NOW) == about


def test_address_holds_for_some_weeks() -> None:
    about = addresses.Target(member=7, kind=1, number=2)
    code = addresses.find_code(addresses.reply_address(about, now=NOW))
    assert addresses.read_code(code, now=NOW + timedelta(days=addresses.HOLDS)) == about
    with pytest.raises(addresses.BadAddress) as bad:
        addresses.read_code(code, now=NOW + timedelta(days=addresses.HOLDS + 1))
    assert bad.value.old == about


@given(st.integers(0, addresses.CODE - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_changed_address_is_not_ours(place: int, letter: str) -> None:
    about = addresses.Target(member=7, kind=1, number=2)
    code = addresses.find_code(addresses.reply_address(about, now=NOW))
    changed = code[:place] + letter + code[place + 1 :]
    try:
        assert addresses.read_code(changed, now=NOW) == about
    except addresses.BadAddress as bad:
        assert bad.old is None


def test_site_without_an_address_for_answers_names_none(settings: Settings) -> None:
    settings.MAIL_REPLY = ""
    assert addresses.reply_address(addresses.Target(1, 1, 1), now=NOW) == ""


# Letters


def test_letter_about_one_thread_is_answered_and_ended(
    thread: Thread, ada: Member, bob: Member, category: Category
) -> None:
    reply = posting.reply(thread, category, author=bob, source="It works.")
    announce.call(reply.pk)
    assert mail_notifications.call() == 1
    (letter,) = letters()
    assert letter["To"] == ada.email
    assert addresses.read_code(addresses.find_code(letter["Reply-To"]), now=timezone.now()).number == thread.pk
    assert addresses.member_of(letter["Message-ID"]) == ada.pk
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter["List-Unsubscribe"].strip().startswith("<http://testserver/mail/stop/")
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["References"] == f"<about.1.{thread.pk}@testserver>"
    kinds_ = [part.get_content_type() for part in letter.iter_parts()]
    assert (letter.get_content_type(), kinds_) == ("multipart/alternative", ["text/plain", "text/html"])
    assert plain(letter).startswith(
        "#~ Write your answer above this line ~#\n\nbob wrote something new: A rack of ours\n"
    )
    html = str(list(letter.iter_parts())[1].get_content())
    assert not re.search(r"<(script|img|style|link)|\son|http://(?!testserver)", html)


def test_title_cannot_bring_markup_into_a_letter(ada: Member, bob: Member) -> None:
    notifications.tell([ada.pk], Event(Reason.MENTION, 1, 1, '/x/"><script>', "<script>alert(1)</script>", bob.pk))
    mail_notifications.call()
    html = str(list(letters()[0].iter_parts())[1].get_content())
    assert "<script" not in html


def test_one_click_ends_mail_and_looking_ends_nothing(people: dict[str, Client], ada: Member) -> None:
    for what, left in (("news", (1, 0)), ("personal", (0, 0))):
        path = addresses.stop_address(ada.pk, what).removeprefix("http://testserver")
        assert statuses(people, path) == [200] * 5
        browser = Client(enforce_csrf_checks=True)
        assert browser.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
        ada.refresh_from_db()
        assert (ada.mail_personal, ada.mail_news) == left
    assert statuses(people, "/mail/stop/1:all:forged/") == [404] * 5
    assert statuses(people, "/mail/stop/x/", {}) == [404] * 5


# Digests


@pytest.mark.parametrize(
    ("pace", "local", "begin"),
    [
        (Pace.DAILY, "2026-03-04 12:00", "2026-03-04 07:00"),
        (Pace.DAILY, "2026-03-04 06:59", "2026-03-03 07:00"),
        (Pace.WEEKLY, "2026-03-04 12:00", "2026-03-02 07:00"),
        (Pace.WEEKLY, "2026-03-02 06:59", "2026-02-23 07:00"),
        (Pace.WEEKLY, "2026-03-02 07:00", "2026-03-02 07:00"),
    ],
)
def test_period_ends_at_seven(pace: Pace, local: str, begin: str) -> None:
    form = "%Y-%m-%d %H:%M"
    assert digests.period_begin(pace, datetime.strptime(local, form)) == datetime.strptime(begin, form)


def tell(member: Member, actor: Member, number: int, when: datetime, reason: Reason = Reason.NEW) -> None:
    notifications.tell([member.pk], Event(reason, 1, number, f"/forum/t/{number}/", f"Thread {number}", actor.pk))
    Notification.objects.filter(member=member, number=number).update(date=when)
    mail_notifications.call()


def test_digest_comes_once_for_a_day_with_what_was_before_it(ada: Member, bob: Member) -> None:
    Member.objects.update(mail_news=Pace.DAILY, time_zone="Europe/Berlin")
    tell(ada, bob, 1, NOW - timedelta(hours=20))
    tell(ada, bob, 2, NOW - timedelta(hours=19))
    tell(ada, bob, 3, NOW)
    tell(ada, bob, 4, NOW - timedelta(hours=20), Reason.MENTION)  # that is told at once
    Notification.objects.filter(number=2).update(seen=True)
    assert Mail.objects.count() == 1
    assert digests.write_due(now=NOW) == 1
    assert digests.write_due(now=NOW) == 0
    letter = letters()[1]
    assert ("/forum/t/1/" in plain(letter), re.findall(r"/forum/t/[234]/", plain(letter))) == (True, [])
    assert (letter["Reply-To"], letter["Subject"]) == (None, "1 thing happened on Appliance Exchange")
    tomorrow = NOW + timedelta(days=1)
    assert (digests.write_due(now=tomorrow), digests.write_due(now=tomorrow)) == (1, 0)
    assert re.findall(r"/forum/t/\d/", plain(letters()[2])) == ["/forum/t/3/"]
    assert len({letter["Message-ID"] for letter in letters()}) == 3


def test_weekly_and_daily_digests_do_not_mix(ada: Member, bob: Member) -> None:
    Member.objects.update(mail_news=Pace.WEEKLY, mail_personal=Pace.DAILY)
    tell(ada, bob, 1, NOW - timedelta(days=8))
    tell(ada, bob, 2, NOW - timedelta(days=1), Reason.MENTION)
    tell(ada, bob, 3, NOW - timedelta(days=1))
    assert digests.write_due(now=NOW) == 2
    assert [re.findall(r"/forum/t/\d/", plain(letter)) for letter in letters()] == [["/forum/t/2/"], ["/forum/t/1/"]]
    assert set(Digest.objects.values_list("pace", "period")) == {
        (Pace.DAILY, datetime(2026, 3, 4).date()),
        (Pace.WEEKLY, datetime(2026, 3, 2).date()),
    }


def test_digest_of_a_worker_that_was_killed_is_written_once_and_whole(
    ada: Member, bob: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    Member.objects.update(mail_news=Pace.DAILY)
    tell(ada, bob, 1, NOW - timedelta(hours=20))

    class Killed(BaseException):
        pass

    def die(*_args: object, **_options: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(mailing_letters, "send", die)  # after the row and before the mail
        with pytest.raises(Killed), transaction.atomic():
            digests.write_due(now=NOW)
    assert (Digest.objects.count(), Mail.objects.count()) == (0, 0)
    assert (digests.write_due(now=NOW), digests.write_due(now=NOW), Mail.objects.count()) == (1, 0, 1)
    Notification.objects.update(digest=True)  # as if another worker had read the list before
    assert (digests.write_due(now=NOW), Mail.objects.count()) == (0, 1)


def test_who_wants_no_mail_or_gets_none_has_none(ada: Member, bob: Member) -> None:
    Member.objects.update(mail_news=Pace.NEVER)
    tell(ada, bob, 1, NOW - timedelta(days=1))
    Member.objects.update(mail_news=Pace.DAILY, mail_failures=5)
    tell(ada, bob, 2, NOW - timedelta(days=1))
    assert (digests.write_due(now=NOW), send_digests.call(), Mail.objects.count()) == (0, 0, 0)


def test_long_digest_says_how_much_more_there_is(ada: Member, bob: Member) -> None:
    Member.objects.update(mail_news=Pace.DAILY)
    for number in range(1, 54):
        notifications.tell([ada.pk], Event(Reason.NEW, 1, number, f"/forum/t/{number}/", f"Thread {number}", bob.pk))
    Notification.objects.update(date=NOW - timedelta(days=1))
    mail_notifications.call()
    digests.write_due(now=NOW)
    assert (plain(letters()[0]).count("/forum/t/"), "and 3 more" in plain(letters()[0])) == (50, True)


# Answers


def test_answer_is_posted_once_however_often_it_comes(thread: Thread, bob: Member) -> None:
    data = mail(target(bob, thread), text="That *works*.\n\n-- \nBob\n")
    row = come(data)
    assert (row.outcome, row.member, bytes(row.message)) == (Outcome.POSTED, bob, b"")
    assert not taking.keep(data)
    take_mail.call(row.pk)  # once more, as after a worker that died
    made = Post.objects.get(number=2)
    assert (made.author, made.source, row.note) == (bob, "That *works*.", f"/forum/t/{thread.pk}/{thread.slug}/#p2")


def test_comment_comes_by_mail(ada: Member, bob: Member) -> None:
    registration.confirm(bob)
    idea = suggesting.post(author=ada, title="Smaller images", source="text")
    address = addresses.reply_address(addresses.Target(bob.pk, kinds.IDEA, idea.pk), now=timezone.now())
    assert come(mail(address)).outcome == Outcome.POSTED
    assert Comment.objects.get().source == "That works."


def test_html_alone_is_an_answer_and_attachments_are_not(thread: Thread, bob: Member) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "bob@mail.example", target(bob, thread)
    message.set_content("<p>It <b>works</b>.</p><blockquote>old</blockquote>", subtype="html")
    message.add_attachment(b"MZ", maintype="application", subtype="x-msdownload", filename="run.exe")
    message.add_attachment("not an answer", filename="a.txt")
    assert come(message.as_bytes()).outcome == Outcome.POSTED
    assert Post.objects.get(number=2).source == "It works."


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; owner-email=x"},
        {"Precedence": "bulk"},
        {"Precedence": "auto_reply"},
        {"List_Id": "<x.example>"},
        {"X_Autoreply": "yes"},
        {"Return_Path": "<>"},
        {"sender": "mailer-daemon@mail.example"},
        {"sender": "eve@mail.example"},
    ],
    ids=str,
)
def test_programs_and_others_than_the_member_are_not_answered(
    thread: Thread, bob: Member, headers: dict[str, str]
) -> None:
    row = come(mail(target(bob, thread), **headers))
    assert (row.outcome, Post.objects.count(), Mail.objects.count()) == (Outcome.IGNORED, 1, 0)


def test_person_who_says_no_to_automatic_is_heard(thread: Thread, bob: Member) -> None:
    assert come(mail(target(bob, thread), Auto_Submitted="no")).outcome == Outcome.POSTED


@pytest.mark.parametrize("to", [REPLY, f"reply+{'a' * 45}@exchange.example", "nobody@exchange.example", ""])
def test_mail_without_a_code_of_ours_is_not_answered(thread: Thread, to: str) -> None:
    row = come(mail(to))
    assert (row.outcome, Post.objects.count(), Mail.objects.count()) == (Outcome.IGNORED, 1, 0)


def test_code_holds_for_its_member_and_thread_alone(thread: Thread, ada: Member, bob: Member) -> None:
    assert come(mail(target(ada, thread))).outcome == Outcome.IGNORED  # bob has ada's letter
    EmailAddress.objects.filter(user=bob).update(verified=False)
    assert come(mail(target(bob, thread))).outcome == Outcome.IGNORED
    assert Post.objects.count() == 1


@pytest.mark.parametrize("why", ["closed", "hidden", "silenced", "empty", "long", "often", "old", "slow"])
def test_answer_that_the_page_would_not_take_is_told_to_its_member(
    thread: Thread, category: Category, bob: Member, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, text = target(bob, thread), "That works."
    if why == "closed":
        Thread.objects.update(closed=True)
    elif why == "hidden":
        moderating.set_thread_hidden(thread.pk, True)
    elif why == "silenced":
        Member.objects.filter(pk=bob.pk).update(silenced_until=timezone.now() + timedelta(days=1))
    elif why == "empty":
        text = "> only quoted"
    elif why == "long":
        text = "x" * 40_001
    elif why == "often":
        monkeypatch.setitem(limits.LIMITS, "post", limits.Limit(0, limits.HOUR))
    elif why == "old":
        about = addresses.Target(bob.pk, kinds.THREAD, thread.pk)
        address = addresses.reply_address(about, now=timezone.now() - timedelta(days=90))
    else:
        posting.reply(thread, category, author=bob, source="first")
        Thread.objects.update(slow_seconds=3_600)
    posts = Post.objects.count()
    row = come(mail(address, text=text))
    assert (row.outcome, Post.objects.count()) == (Outcome.REFUSED, posts)
    (notice,) = letters()
    assert (notice["To"], notice["Auto-Submitted"]) == ("bob@mail.example", "auto-replied")
    assert row.note in notice.get_content().replace("\n", " ").replace("  ", " ") or row.note in notice.get_content()


def test_notices_end_before_two_programs_talk_for_ever(thread: Thread, bob: Member) -> None:
    Thread.objects.update(closed=True)
    for _ in range(9):
        assert come(mail(target(bob, thread))).outcome == Outcome.REFUSED
    assert Mail.objects.count() == 5


def test_answer_of_a_new_member_with_many_links_waits_for_a_moderator(thread: Thread) -> None:
    eve = make_member("eve")
    registration.confirm(eve)
    Member.objects.filter(pk=eve.pk).update(trust=Trust.NEW)
    links = " ".join(f"https://{number}.example" for number in range(4))
    assert come(mail(target(eve, thread), sender="eve@mail.example", text=links)).outcome == Outcome.POSTED
    assert Post.objects.get(number=2).hidden


def test_bounce_of_a_mail_of_ours_is_noted_and_of_others_is_not(
    ada: Member, bob: Member, people: dict[str, Client]
) -> None:
    notifications.tell([ada.pk], Event(Reason.MENTION, 1, 1, "/x/", "Thread", bob.pk))
    mail_notifications.call()
    ours = letters()[0]["Message-ID"]

    def report(identity: str, number: int, *, status: str = "5.1.1", action: str = "failed") -> bytes:
        return (
            f"From: MAILER-DAEMON@mail.example\r\nTo: exchange@testserver\r\nMessage-ID: <{number}@mail.example>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
            "--b\r\nContent-Type: text/plain\r\n\r\nIt did not arrive.\r\n"
            "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example\r\n\r\n"
            f"Final-Recipient: rfc822; ada@mail.example\r\nAction: {action}\r\nStatus: {status}\r\n"
            f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {identity}\r\n--b--\r\n"
        ).encode()

    assert come(report(ours, 1)).outcome == Outcome.BOUNCE
    assert come(report(f"<n.{ada.pk}.{'0' * 16}.{'a' * 16}@testserver>", 2)).outcome == Outcome.IGNORED
    assert come(report(ours, 3, status="4.2.2", action="delayed")).outcome == Outcome.IGNORED
    for number in range(4, 8):
        come(report(ours, number))
    ada.refresh_from_db()
    assert ada.mail_failures == 5
    assert "came back" in people["author"].get("/settings/").content.decode()
    data = {"name": "", "about": "", "language": "", "time_zone": "UTC", "mail_personal": "1", "mail_news": "1"}
    assert people["author"].post("/settings/", data).status_code == 302
    assert Member.objects.get(pk=ada.pk).mail_failures == 0


# Hostile mail


def nested(depth: int) -> bytes:
    head = b"From: bob@mail.example\r\nTo: x@y.example\r\n"
    for number in range(depth):
        head += b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (number, number)
    return head + b"\r\nx"


@pytest.mark.parametrize(
    "data",
    [nested(9), nested(5_000), b"x" * (reading.SIZE + 1), b"Subject: " + b"x" * 70_000 + b"\r\n\r\n"],
    ids=["deep", "very deep", "large", "head"],
)
def test_mail_that_costs_too_much_is_not_taken(data: bytes) -> None:
    assert (taking.keep(data), Incoming.objects.count()) == (False, 0)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_mail_or_none(data: bytes) -> None:
    with contextlib.suppress(reading.BadMail):
        reading.read(b"From: a@b.example\r\n" + data)


PIECES = st.sampled_from(
    [
        *(b"From: ", b"To: ", b"Content-Type: ", b"multipart/report; report-type=delivery-status; boundary=b", b"\r\n"),
        *(b"\r\n\r\n", b"--b\r\n", b"--b--", b"message/delivery-status", b"message/rfc822", b"text/plain; charset="),
        *(
            b"=?utf-8?q?=00?=",
            b"=?x?b?//8?=",
            b"\xff\xfe",
            b"\0",
            b"<a@b.example>",
            b"Status: 5.1.1",
            b"Action: failed",
        ),
        *(b"Content-Transfer-Encoding: base64", b"charset*0*=x''%ff", b'"', b"(", b";", b"utf-7", b"idna", b"=ff"),
    ]
)


@given(st.lists(PIECES, max_size=40))
def test_pieces_of_mail_in_any_order_are_a_mail_or_none(pieces: list[bytes]) -> None:
    with contextlib.suppress(reading.BadMail):
        letter = reading.read(b"".join(pieces))
        assert "\0" not in letter.sender + letter.text + letter.identity
        letter.sender.encode()


def test_mail_with_what_no_database_keeps_is_looked_at(thread: Thread, bob: Member) -> None:
    data = (
        mail(target(bob, thread)).replace(b"bob@mail.example", b"b\0ob\xff@mail.example").replace(b"works", b"w\0rks")
    )
    assert come(data).outcome == Outcome.IGNORED
    assert come(mail(target(bob, thread)).replace(b"works", b"w\0rks")).outcome == Outcome.POSTED


@pytest.mark.parametrize("charset", ["utf-8", "latin-1", "nonsense", "utf-16"])
def test_charset_of_any_name_is_read(charset: str) -> None:
    data = f"From: a@b.example\r\nContent-Type: text/plain; charset={charset}\r\n\r\nGr\xfcn\r\n".encode("latin-1")
    assert reading.read(data).text


# The ways in and out


def test_maildir_is_emptied_and_links_in_it_are_left(
    thread: Thread, bob: Member, tmp_path: Path, settings: Settings
) -> None:
    settings.MAILDIR = tmp_path / "Maildir"
    new = settings.MAILDIR / "new"
    new.mkdir(parents=True)
    (tmp_path / "secret").write_text("From: x\n\ny")
    (new / "1.a").write_bytes(mail(target(bob, thread)))
    (new / "2.b").symlink_to(tmp_path / "secret")
    assert (look_into_maildir.call(), look_into_maildir.call()) == (1, 0)
    assert [path.name for path in (settings.MAILDIR / "cur").iterdir()] == ["1.a:2,S"]
    assert Incoming.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_letter_goes_over_smtp_and_its_answer_comes_back(
    thread: Thread, ada: Member, bob: Member, category: Category, settings: Settings
) -> None:
    with smtp_sink() as sink:
        settings.DELIVERY_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        posting.reply(thread, category, author=bob, source="It works.")
        work.work(once=True)
        mail_notifications.call()
        work.work(once=True)
        (taken,) = sink.taken
        assert taken.recipients == ("ada@mail.example",)
        letter = message_from_bytes(taken.data, policy=policy.default)
        answer = EmailMessage()
        answer["From"], answer["To"] = "Ada <ada@mail.example>", letter["Reply-To"]
        answer["In-Reply-To"], answer["Subject"] = letter["Message-ID"], f"Re: {letter['Subject']}"
        quoted = "\n".join(f"> {line}" for line in plain(letter).splitlines())
        answer.set_content(f"Good to hear!\n\nOn Mon, 2 Mar 2026, Exchange wrote:\n{quoted}\n\n-- \nAda\n")
        assert taking.keep(answer.as_bytes())
        work.work(once=True)
        assert Incoming.objects.get().outcome == Outcome.POSTED
        made = Post.objects.get(number=3)
        assert (made.author, made.source) == (ada, "Good to hear!")


@pytest.mark.django_db(transaction=True)
def test_mail_in_keeps_what_stands_on_standard_input(tmp_path: Path) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("the command gets a database of its own, which is SQLite's")
    with sqlite3.connect(tmp_path / "exchange.sqlite3") as target_:
        connection.connection.backup(target_)
    command = [sys.executable, "-m", "jeos", "server", "mail-in", "--data", str(tmp_path)]
    env = {**os.environ, "DATABASE_URL": "", "JEOS_SERVER_URL": "http://testserver"}
    done = subprocess.run(command, input=mail("reply@exchange.example"), env=env, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    with sqlite3.connect(tmp_path / "exchange.sqlite3") as kept:
        assert kept.execute("SELECT count(*) FROM content_incoming").fetchone() == (1,)
        assert kept.execute("SELECT count(*) FROM django_tasks_database_dbtaskresult").fetchone() == (1,)
    (tmp_path / "exchange.sqlite3").write_bytes(b"no database at all" * 100)
    assert subprocess.run(command, input=mail(REPLY), env=env, capture_output=True, check=False).returncode == 75
