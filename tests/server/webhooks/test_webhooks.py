"""Webhooks: signed messages that arrive, or are tried again and given up; nothing inside is reached by them."""

import base64
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from jeos.server.accounts import leaving
from jeos.server.accounts.models import Member
from jeos.server.content import comments, kinds
from jeos.server.content import tasks as content_tasks
from jeos.server.content.happenings import TYPES
from jeos.server.content.models import Notification, Reason
from jeos.server.forum import moderating, posting
from jeos.server.forum import tasks as forum_tasks
from jeos.server.forum.models import Category, Post, Thread
from jeos.server.ideas import answering, suggesting
from jeos.server.ideas import tasks as idea_tasks
from jeos.server.ideas.models import Status
from jeos.server.jobs import work
from jeos.server.outside import Rules
from jeos.server.webhooks import sending, signing
from jeos.server.webhooks.models import Delivery, Hook, State
from receiver import Receiver, receiving
from scripted_server import serving
from server_site import make_member, signed_in, statuses

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def inside(settings: Any) -> None:
    """Let webhooks go to this machine, as an operator may permit."""
    settings.OUTSIDE = Rules(plain=True, networks=(ipaddress.ip_network("127.0.0.0/8"),))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def hook(ada: Member, receiver: Receiver) -> Hook:
    return Hook.objects.create(owner=ada, address=receiver.address, types=list(TYPES))


def attempt(delivery: Delivery) -> Delivery:
    """Try a message once and return how it stands."""
    sending.deliver(delivery.pk)
    delivery.refresh_from_db()
    return delivery


def pauses() -> list[int]:
    """Return the seconds after which the attempts in the queue are made."""
    found = DBTaskResult.objects.filter(task_path="jeos.server.webhooks.tasks.deliver").order_by("enqueued_at")
    return [round((row.run_after - row.enqueued_at).total_seconds()) for row in found if row.run_after is not None]


@pytest.mark.django_db(transaction=True)
def test_new_thread_arrives_once_signed_and_as_a_list_shows_it(
    category: Category, bob: Member, hook: Hook, receiver: Receiver
) -> None:
    thread = posting.start(category, author=bob, title="No network after it", source="It says *no link*.")
    assert receiver.received == []  # not before the worker comes
    work.work(once=True)
    (received,) = receiver.received
    said = json.loads(received.body)
    assert (received.method, said["type"]) == ("POST", "thread.created")
    assert said["data"] == {
        "kind": "thread",
        "number": thread.pk,
        "title": "No network after it",
        "url": f"http://testserver/forum/t/{thread.pk}/no-network-after-it/",
        "author": "bob",
        "date": thread.made.isoformat(),
        "excerpt": "",
    }
    key = base64.b64decode(hook.secret.removeprefix("whsec_"))
    signed = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert received.headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(received.headers["webhook-timestamp"]) - timezone.now().timestamp()) < 600
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.code, delivery.attempts) == (State.ARRIVED, 204, 1)
    forum_tasks.announce.call(Post.objects.get().pk)  # once more, as after a worker that died
    sending.deliver(delivery.pk)
    assert (Delivery.objects.count(), len(receiver.received)) == (1, 1)


def test_signature_is_that_of_the_example_in_the_specification() -> None:
    # Standard Webhooks 1.0, "Symmetric", the example that its libraries test with
    made = signing.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message="msg_p5jXN8AQM9LWM0D4loKWxJek",
        body=b'{"test": 2432232314}',
        now=1614265330,
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_type_is_sent_to_who_chose_it(category: Category, ada: Member, bob: Member, moderator: Member) -> None:
    for name in TYPES:
        Hook.objects.create(owner=bob, address=f"https://hooks.example/{name}", types=[name])
    Hook.objects.create(owner=bob, address="https://hooks.example/off", types=list(TYPES), active=False)
    thread = posting.start(category, author=ada, title="No network after it", source="So.")
    reply = posting.reply(thread, category, author=bob, source="So?")
    idea = suggesting.post(author=ada, title="Boot from tape", source="So.")
    comment = comments.write(kinds.IDEA, idea.pk, author=bob, source="So?")
    answering.answer(idea, status=Status.PLANNED, source="So be it.", actor=moderator)
    forum_tasks.announce.call(Post.objects.get(thread=thread, number=1).pk)
    forum_tasks.announce.call(reply.pk)
    idea_tasks.announce.call(idea.pk)
    content_tasks.announce_comment.call(comment.pk)
    idea_tasks.announce_answer.call(idea.pk)
    sent = [(one.hook.address.rpartition("/")[2], one.type) for one in Delivery.objects.select_related("hook")]
    assert sent == [
        (name, name)
        for name in (*("thread.created", "post.created", "idea.created", "comment.created", "idea.answered"),)
    ]


def test_what_its_owner_may_not_read_is_not_sent(team_room: Category, ada: Member, moderator: Member) -> None:
    for owner in (ada, moderator, make_member("gone", is_active=False)):
        Hook.objects.create(owner=owner, address="https://hooks.example/", types=list(TYPES))
    thread = posting.start(team_room, author=moderator, title="For us alone", source="Secret.")
    forum_tasks.announce.call(Post.objects.get(thread=thread).pk)
    assert [one.hook.owner for one in Delivery.objects.select_related("hook__owner")] == [moderator]


def test_hidden_content_is_not_sent(category: Category, ada: Member, bob: Member, hook: Hook) -> None:
    thread = posting.start(category, author=bob, title="Buy these pills", source="Now.")
    moderating.set_thread_hidden(thread.pk, True)
    forum_tasks.announce.call(Post.objects.get(thread=thread).pk)
    assert not Delivery.objects.exists()


def test_message_that_does_not_arrive_is_tried_again_later_as_it_was(hook: Hook, receiver: Receiver) -> None:
    receiver.statuses = [500, 302, 204]
    delivery = attempt(sending.test(hook))
    assert (delivery.state, delivery.code, delivery.error) == (State.WAITING, 500, "answered 500")
    assert delivery.following is not None and delivery.following > timezone.now()
    assert attempt(delivery).error == "answered 302"  # and the redirect was not followed
    delivery = attempt(delivery)
    assert (delivery.state, delivery.attempts, delivery.error, delivery.following) == (State.ARRIVED, 3, "", None)
    assert len({(one.body, one.headers["webhook-id"]) for one in receiver.received}) == 1
    assert pauses()[1:] == [10, 60]  # the first was to be sent at once


def test_address_is_switched_off_after_many_failures_and_its_owner_is_told(
    ada: Member, hook: Hook, receiver: Receiver
) -> None:
    receiver.statuses = [503] * 100
    for number in range(sending.GIVE_UP_AFTER):
        hook.refresh_from_db()
        assert (hook.active, hook.failures) == (True, number)
        delivery = sending.test(hook)
        for _ in range(len(sending.PAUSES) + 1):
            attempt(delivery)
        assert (delivery.state, delivery.attempts) == (State.FAILED, len(sending.PAUSES) + 1)
    hook.refresh_from_db()
    assert (hook.active, hook.failures, hook.stopped is not None) == (False, sending.GIVE_UP_AFTER, True)
    told = Notification.objects.get()
    assert (told.member, told.reason, told.url) == (ada, Reason.WEBHOOK, f"/settings/webhooks/{hook.pk}/")
    assert told.title == "Webhook to 127.0.0.1"
    seen = len(receiver.received)
    waiting = sending.put(hook, "thread.created", {})
    assert (attempt(waiting).error, len(receiver.received)) == ("the webhook is switched off", seen)
    assert attempt(sending.test(hook)).attempts == 1  # a test shows whether it works again


def test_success_forgives_earlier_failures(hook: Hook) -> None:
    Hook.objects.update(failures=sending.GIVE_UP_AFTER - 1)
    attempt(sending.test(hook))
    hook.refresh_from_db()
    assert (hook.failures, hook.active) == (0, True)


def test_410_switches_off_at_once(hook: Hook, receiver: Receiver) -> None:
    receiver.statuses = [410]
    assert attempt(sending.test(hook)).state == State.FAILED
    hook.refresh_from_db()
    assert not hook.active
    assert Notification.objects.get().reason == Reason.WEBHOOK


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://2130706433:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://0.0.0.0:{port}/",
    ],
)
def test_what_is_inside_is_not_reached(ada: Member, receiver: Receiver, settings: Any, address: str) -> None:
    settings.OUTSIDE = Rules(plain=True)
    port = receiver.address.split(":")[2].split("/")[0]
    hook = Hook.objects.create(owner=ada, address=address.format(port=port), types=["thread.created"])
    delivery = attempt(sending.test(hook))
    assert "not a public address" in delivery.error
    assert receiver.received == []


def test_receiver_that_says_nothing_or_too_much_does_no_harm(ada: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SECONDS", 0.5)

    def silent(asked: object, connection: Any) -> bool:
        connection.recv(1)
        return False

    def loud(asked: object, connection: Any) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000)
        return False

    for answer, expected in ((silent, (State.WAITING, None)), (loud, (State.ARRIVED, 200))):
        with serving(answer) as server:
            hook = Hook.objects.create(owner=ada, address=server.address, types=[])
            delivery = attempt(sending.test(hook))
            assert (State(delivery.state), delivery.code) == expected


def test_member_makes_tests_and_removes_a_webhook(ada: Member, receiver: Receiver) -> None:
    browser = signed_in(ada)
    made = browser.post("/settings/webhooks/new/", {"address": receiver.address, "types": ["thread.created"]})
    hook = Hook.objects.get()
    page = f"/settings/webhooks/{hook.pk}/"
    assert made["Location"] == page
    assert hook.secret in browser.get(page).content.decode()
    browser.post(f"{page}test/")
    delivery = attempt(Delivery.objects.get())
    html = browser.get(page).content.decode()
    assert "HTTP 204" in html and delivery.message in html
    browser.post(f"{page}again/{delivery.pk}/")
    attempt(delivery)
    assert [one.headers["webhook-id"] for one in receiver.received] == [delivery.message] * 2
    old = hook.secret
    browser.post(f"{page}secret/")
    hook.refresh_from_db()
    assert hook.secret != old
    browser.post(f"{page}switch/", {"on": "0"})
    browser.post(f"{page}edit/", {"address": f"{receiver.address}?2", "types": ["idea.created", "idea.answered"]})
    hook.refresh_from_db()
    assert (hook.active, hook.address, hook.types) == (
        False,
        f"{receiver.address}?2",
        ["idea.created", "idea.answered"],
    )
    assert receiver.address in browser.get("/settings/webhooks/").content.decode()
    browser.post(f"{page}remove/")
    assert (Hook.objects.count(), Delivery.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://10.0.0.1/",
        "https://169.254.169.254/",
        "ftp://hooks.example/",
        "https://user:secret@hooks.example/",
        "https://[::1]/",
        "javascript:alert(1)",
    ],
)
def test_address_that_would_be_refused_is_not_taken(ada: Member, address: str, settings: Any) -> None:
    settings.OUTSIDE = Rules(plain=True)
    answer = signed_in(ada).post("/settings/webhooks/new/", {"address": address, "types": ["thread.created"]})
    assert (answer.status_code, Hook.objects.count()) == (200, 0)


def test_http_is_not_taken_unless_the_site_permits_it(ada: Member, settings: Any) -> None:
    settings.OUTSIDE = Rules()
    data = {"address": "http://hooks.example/", "types": ["thread.created"]}
    assert "not encrypted" in signed_in(ada).post("/settings/webhooks/new/", data).content.decode()


def test_webhook_is_its_owners_alone(people: dict[str, Client], hook: Hook) -> None:
    delivery = Delivery.objects.create(hook=hook, type="test", payload="{}", state=State.FAILED)
    page = f"/settings/webhooks/{hook.pk}/"
    assert statuses(people, page) == [401, 404, 200, 404, 404]
    assert statuses(people, f"{page}edit/") == [401, 404, 200, 404, 404]
    for deed in ("test/", "secret/", "switch/", f"again/{delivery.pk}/", "remove/"):
        assert statuses(people, page + deed, {}) == [401, 404, 302, 404, 404]
    assert statuses(people, "/settings/webhooks/") == [401, 200, 200, 200, 200]


def test_webhook_forms_need_their_token(ada: Member, hook: Hook) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada, backend="jeos.server.accounts.backends.Passphrases")
    for deed in ("new/", f"{hook.pk}/test/", f"{hook.pk}/remove/", f"{hook.pk}/secret/"):
        assert browser.post(f"/settings/webhooks/{deed}", {"address": "https://evil.example/"}).status_code == 403


def test_member_has_a_bounded_number_of_webhooks(ada: Member) -> None:
    browser = signed_in(ada)
    for number in range(11):
        browser.post("/settings/webhooks/new/", {"address": f"https://h.example/{number}", "types": ["idea.created"]})
    assert Hook.objects.count() == 10


def test_who_leaves_takes_webhooks_along(ada: Member, hook: Hook) -> None:
    sending.test(hook)
    leaving.leave(ada)
    assert (Hook.objects.count(), Delivery.objects.count()) == (0, 0)


def test_log_is_kept_for_a_month(hook: Hook) -> None:
    now = timezone.now()
    for state, days in ((State.ARRIVED, 31), (State.FAILED, 31), (State.WAITING, 31), (State.ARRIVED, 29)):
        Delivery.objects.create(hook=hook, type="test", payload="{}", state=state, made=now - timedelta(days=days))
    assert sending.prune(now=now) == 2
    assert not Thread.objects.exists()
