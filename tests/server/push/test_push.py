"""Push: messages that only the browser reads, sent by workers, tried again a few times; gone browsers are forgotten."""

import ipaddress
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from hypothesis import given
from hypothesis import strategies as st

from jeos.core.errors import HostError
from jeos.server.accounts import leaving
from jeos.server.accounts.models import Member
from jeos.server.content import notifications
from jeos.server.content.models import Notification, Reason
from jeos.server.content.notifications import Event
from jeos.server.jobs import work
from jeos.server.outside import Rules
from jeos.server.push import encryption, identity, sending
from jeos.server.push.models import Subscription
from push_browser import PushBrowser, claims, plain, words
from receiver import Receiver, receiving
from server_site import make_member, signed_in, statuses

MEMBERS = [401, 200, 200, 200, 200]


@pytest.fixture(autouse=True)
def switched_on(settings: Any, tmp_path: Path) -> Iterator[None]:
    """Switch push on, and let it go to this machine, as an operator may permit."""
    settings.OUTSIDE = Rules(plain=True, networks=(ipaddress.ip_network("127.0.0.0/8"),))
    settings.PUSH = "mailto:ada@mail.example"
    settings.DATA = tmp_path
    notifications.listen(sending.take)
    yield
    notifications._listeners.remove(sending.take)
    identity.key.cache_clear()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def browser() -> PushBrowser:
    return PushBrowser()


@pytest.fixture
def subscribed(ada: Member, browser: PushBrowser, receiver: Receiver) -> Subscription:
    signed_in(ada).post("/settings/push/add/", {**browser.form(receiver.address), "name": "my phone"})
    DBTaskResult.objects.all().delete()  # its first message
    return Subscription.objects.get()


def tell(member: Member, *, reason: Reason = Reason.REPLY, number: int = 7, actor: Member | None = None) -> None:
    event = Event(reason, 1, number, "/forum/t/7/x/", "Boot <order> & more", actor.pk if actor else None)
    notifications.tell([member.pk], event)


def waiting() -> list[tuple[int, int]]:
    """Return attempt and pause (seconds) of what is in the queue."""
    rows = DBTaskResult.objects.filter(task_path="jeos.server.push.tasks.deliver").order_by("enqueued_at")
    return [
        (row.args_kwargs["args"][2], max(0, round((row.run_after - row.enqueued_at).total_seconds())))
        if row.run_after.year < 9999
        else (row.args_kwargs["args"][2], 0)
        for row in rows
    ]


def test_message_is_encrypted_as_the_example_of_the_standard() -> None:
    """RFC 8291, section 5 and appendix A."""
    key = ec.derive_private_key(
        int.from_bytes(plain("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"), ec.SECP256R1()
    )
    body = encryption.encrypt(
        b"When I grow up, I want to be a watermelon",
        public_key=plain("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        secret=plain("BTBZMqHH6r4Tts7J_aSIgg"),
        key=key,
        salt=plain("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert words(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(text=st.binary(max_size=encryption.LONGEST))
def test_message_is_read_by_its_browser_and_by_no_other(text: bytes) -> None:
    browser = PushBrowser()
    body = encryption.encrypt(text, public_key=browser.public, secret=browser.secret)
    assert browser.read(body) == text
    with pytest.raises(InvalidTag):
        PushBrowser(secret=browser.secret).read(body)


def test_message_that_is_too_long_is_none() -> None:
    browser = PushBrowser()
    with pytest.raises(ValueError, match="3994 bytes"):
        encryption.encrypt(b"x" * 3_994, public_key=browser.public, secret=browser.secret)


def test_key_of_the_site_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    first = identity.public(tmp_path)
    identity.key.cache_clear()
    assert identity.public(tmp_path) == first
    path = tmp_path / identity.NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    identity.key.cache_clear()
    path.chmod(0o644)
    with pytest.raises(HostError, match="others can read"):
        identity.public(tmp_path)


@pytest.mark.django_db(transaction=True)
def test_worker_sends_what_only_the_browser_reads(
    ada: Member, bob: Member, browser: PushBrowser, receiver: Receiver, tmp_path: Path
) -> None:
    client = signed_in(ada)
    client.post("/settings/push/add/", {**browser.form(receiver.address), "name": "my phone"})
    tell(ada, actor=bob)
    work.work(once=True)
    first, second = receiver.received
    assert json.loads(browser.read(first.body))["text"] == "This browser shows notifications."
    said = json.loads(browser.read(second.body))
    assert said == {
        "title": "bob replied",
        "text": "Boot <order> & more",
        "url": "http://testserver/forum/t/7/x/",
        "tag": second.headers["topic"],
    }
    assert (second.headers["content-encoding"], second.headers["ttl"]) == ("aes128gcm", "86400")
    known = claims(second.headers["authorization"])
    assert (known["aud"], known["sub"]) == (receiver.address.removesuffix("/in"), "mailto:ada@mail.example")
    assert known["k"] == identity.public(tmp_path)
    left = int(str(known["exp"])) - timezone.now().timestamp()
    assert 0 < left <= 86_400
    assert "my phone" in client.get("/settings/push/").content.decode()


@pytest.mark.django_db
def test_browser_is_told_what_it_wants(subscribed: Subscription, ada: Member, bob: Member) -> None:
    tell(ada, reason=Reason.NEW, number=1)
    tell(bob, number=2)
    assert waiting() == []
    tell(ada, reason=Reason.MENTION, number=3)
    assert len(waiting()) == 1
    Subscription.objects.update(news=True)
    tell(ada, reason=Reason.NEW, number=4)
    assert len(waiting()) == 2
    tell(ada, reason=Reason.NEW, number=4)  # once more about what was not seen yet: it is on the screen already
    assert len(waiting()) == 2


@pytest.mark.django_db
def test_what_was_seen_meanwhile_is_not_sent(subscribed: Subscription, ada: Member, receiver: Receiver) -> None:
    tell(ada)
    notifications.see(ada)
    sending.deliver(subscribed.pk, Notification.objects.get().pk, 0)
    assert receiver.received == []


@pytest.mark.django_db
@pytest.mark.parametrize("status", [404, 410])
def test_browser_that_is_gone_is_forgotten(
    subscribed: Subscription, ada: Member, receiver: Receiver, status: int
) -> None:
    receiver.statuses[:] = [status]
    sending.deliver(subscribed.pk, sending.TEST, 0)
    assert not Subscription.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("status", [429, 500, 503])
def test_message_is_tried_again_a_few_times(subscribed: Subscription, receiver: Receiver, status: int) -> None:
    receiver.statuses[:] = [status] * 4
    for attempt in range(4):
        sending.deliver(subscribed.pk, sending.TEST, attempt)
    assert waiting() == [(1, 60), (2, 600), (3, 3_600)]
    assert Subscription.objects.get().failures == 1


@pytest.mark.django_db
def test_browser_that_takes_nothing_is_forgotten_in_the_end(subscribed: Subscription, receiver: Receiver) -> None:
    receiver.statuses[:] = [403] * 4 + [201] + [403] * 5
    for _ in range(4):
        sending.deliver(subscribed.pk, sending.TEST, 0)
    assert Subscription.objects.get().failures == 4
    sending.deliver(subscribed.pk, sending.TEST, 0)
    assert Subscription.objects.get().failures == 0
    for _ in range(5):
        sending.deliver(subscribed.pk, sending.TEST, 0)
    assert not Subscription.objects.exists()
    assert waiting() == []


@pytest.mark.django_db
def test_browser_whose_address_leads_inside_is_forgotten(
    subscribed: Subscription, receiver: Receiver, settings: Any
) -> None:
    settings.OUTSIDE = Rules(plain=True)
    sending.deliver(subscribed.pk, sending.TEST, 0)
    assert (receiver.received, list(Subscription.objects.all())) == ([], [])


@pytest.mark.django_db
def test_suspended_member_is_told_nothing_and_who_leaves_is_forgotten(
    subscribed: Subscription, ada: Member, receiver: Receiver
) -> None:
    Member.objects.filter(pk=ada.pk).update(is_active=False)
    tell(ada)
    sending.deliver(subscribed.pk, sending.TEST, 0)
    assert (waiting(), receiver.received) == ([], [])
    leaving.leave(ada)
    assert not Subscription.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "http://10.0.0.1/x"},
        {"endpoint": "ftp://push.example/x"},
        {"endpoint": "https://user:word@push.example/x"},
        {"p256dh": "BAAA"},
        {"p256dh": words(b"\x04" + b"\x01" * 64)},  # no point of the curve
        {"auth": "AAAA"},
        {"auth": "é"},
    ],
)
def test_browser_that_cannot_be_is_not_taken(ada: Member, browser: PushBrowser, change: dict[str, str]) -> None:
    signed_in(ada).post("/settings/push/add/", {**browser.form("https://push.example/x"), **change})
    assert not Subscription.objects.exists()


@pytest.mark.django_db
def test_browser_is_whose_it_was_last_and_no_member_has_many(ada: Member, bob: Member, browser: PushBrowser) -> None:
    for member in (ada, bob):
        signed_in(member).post("/settings/push/add/", browser.form("https://push.example/x"))
    assert Subscription.objects.get().member == bob
    for number in range(sending.BROWSERS):
        signed_in(bob).post("/settings/push/add/", PushBrowser().form(f"https://push.example/{number}"))
    assert Subscription.objects.filter(member=bob).count() == sending.BROWSERS


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "data", "wanted"),
    [
        ("/settings/push/", None, MEMBERS),
        ("/settings/push/worker.js", None, [200] * 5),
        ("/settings/push/add/", None, [405] * 5),
        ("/settings/push/add/", {}, [401, 302, 302, 302, 302]),
        ("/settings/push/{s}/test/", {}, [401, 404, 302, 404, 404]),
        ("/settings/push/{s}/remove/", {}, [401, 404, 302, 404, 404]),
    ],
)
def test_page_is_for_whom_it_should_be(
    people: dict[str, Client], ada: Member, path: str, data: dict[str, str] | None, wanted: list[int]
) -> None:
    browser = PushBrowser()
    made = Subscription.objects.create(
        member=ada, endpoint="https://push.example/x", digest="d", public_key=browser.public, secret=browser.secret
    )
    assert statuses(people, path.format(s=made.pk), data) == wanted


@pytest.mark.django_db
def test_site_without_push_has_no_page_for_it(ada: Member, settings: Any) -> None:
    settings.PUSH = ""
    assert signed_in(ada).get("/settings/push/").status_code == 404
    assert "/settings/push/" not in signed_in(make_member("carol")).get("/settings/").content.decode()
