"""Messages: written when something happens, sent by a worker, tried again with growing pauses, given up in the end.

A message arrives at least once. A worker that dies between the receiver's answer and writing it down sends the message
once more, with the same identifier.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from jeos.core.errors import NetworkError
from jeos.server import outside
from jeos.server.accounts.models import Member
from jeos.server.content import kinds, notifications
from jeos.server.content.happenings import Happening
from jeos.server.content.models import Reason
from jeos.server.content.notifications import Event
from jeos.server.webhooks import signing
from jeos.server.webhooks.models import Delivery, Hook, Payload, State

PAUSES = (
    10,
    60,
    300,
    1_800,
    7_200,
    18_000,
    36_000,
)  # seconds before each further attempt: the last comes after 18 hours
GIVE_UP_AFTER = 5  # messages in a row that did not arrive: then the address is no longer used
GONE = 410  # an answer that says: never again
KEEP_DAYS = 30
TEST = "test"
SECONDS = 10.0  # for one attempt


def take(happening: Happening) -> None:
    """Write a message for each address that wants to know of something, and whose owner may read it."""
    for hook in Hook.objects.filter(active=True, owner__is_active=True).select_related("owner"):
        if happening.type in hook.types:
            card = next(iter(kinds.cards([(happening.kind, happening.number)], member=hook.owner)), None)
            if card is not None:
                put(hook, happening.type, _about(card))


def _about(card: kinds.Card) -> Payload:
    """Return what a message says of a piece of content: what its line in a list says."""
    kind = kinds.find(card.kind)
    return {
        "kind": kind.name if kind else "",
        "number": card.number,
        "title": card.title,
        "url": f"{settings.ENVIRONMENT.url}{card.url}",
        "author": card.author,
        "date": card.date.isoformat(),
        "excerpt": card.excerpt,
    }


@transaction.atomic
def put(hook: Hook, type_: str, data: Payload, *, now: datetime | None = None) -> Delivery:
    """Write a message and let a worker send it."""
    said = {"type": type_, "timestamp": (now or timezone.now()).isoformat(), "data": data}
    delivery = Delivery.objects.create(hook=hook, type=type_, payload=json.dumps(said, ensure_ascii=False))
    _enqueue(delivery)
    return delivery


@transaction.atomic
def again(delivery: Delivery) -> None:
    """Send a message that arrived or was given up once more, as it was."""
    if Delivery.objects.filter(pk=delivery.pk).exclude(state=State.WAITING).update(state=State.WAITING, attempts=0):
        _enqueue(delivery)


def test(hook: Hook) -> Delivery:
    """Send a message that says nothing, to see whether it arrives."""
    return put(hook, TEST, {"site": settings.ENVIRONMENT.url})


def _enqueue(delivery: Delivery, *, pause: int = 0) -> None:
    from jeos.server.webhooks import tasks  # tasks import what they do

    after = timezone.now() + timedelta(seconds=pause)
    (tasks.deliver.using(run_after=after) if pause else tasks.deliver).enqueue(delivery.pk)


def deliver(number: int) -> None:
    """Try a message once; write down how it went, and when it is tried again."""
    delivery = Delivery.objects.select_related("hook__owner").filter(pk=number, state=State.WAITING).first()
    if delivery is None or not delivery.hook.owner.is_active:
        return
    if not delivery.hook.active and delivery.type != TEST:
        _close(delivery, error="the webhook is switched off")
        return
    code, error = _attempt(delivery)
    arrived = code is not None and 200 <= code < 300
    with transaction.atomic():
        if arrived:
            _note(delivery, state=State.ARRIVED, code=code, error="", following=None)
            Hook.objects.filter(pk=delivery.hook_id).update(failures=0)
        elif code == GONE or delivery.attempts >= len(PAUSES):
            _note(delivery, state=State.FAILED, code=code, error=error, following=None)
            _count_failure(delivery.hook, at_once=code == GONE)
        else:
            pause = PAUSES[delivery.attempts]
            following = timezone.now() + timedelta(seconds=pause)
            if _note(delivery, state=State.WAITING, code=code, error=error, following=following):
                _enqueue(delivery, pause=pause)


def _attempt(delivery: Delivery) -> tuple[int | None, str]:
    """Send a message; return the status of the answer, or what went wrong."""
    body = delivery.payload.encode()
    now = int(timezone.now().timestamp())
    headers = signing.headers(delivery.hook.secret, message=delivery.message, body=body, now=now)
    try:
        answer = outside.request(
            "POST",
            delivery.hook.address,
            body=body,
            headers=headers,
            rules=settings.OUTSIDE,
            seconds=SECONDS,
            limit=1_024,
        )
    except NetworkError as error:
        return None, error.message
    return answer.status, "" if answer.status < 300 else f"answered {answer.status}"


def _note(delivery: Delivery, *, state: State, code: int | None, error: str, following: datetime | None) -> bool:
    """Write down an attempt, if no other worker has done so meanwhile."""
    same = Delivery.objects.filter(pk=delivery.pk, state=State.WAITING, attempts=delivery.attempts)
    return bool(
        same.update(
            state=state,
            attempts=F("attempts") + 1,
            code=code,
            error=error[:300],
            last=timezone.now(),
            following=following,
        )
    )


def _close(delivery: Delivery, *, error: str) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(state=State.FAILED, error=error, following=None)


def _count_failure(hook: Hook, *, at_once: bool) -> None:
    """Count a message that was given up; switch the webhook off and tell its owner when there are too many."""
    Hook.objects.filter(pk=hook.pk).update(failures=F("failures") + 1)
    many = Hook.objects.filter(pk=hook.pk, active=True)
    if not at_once:
        many = many.filter(failures__gte=GIVE_UP_AFTER)
    if many.update(active=False, stopped=timezone.now()):
        with override(hook.owner.language or settings.LANGUAGE_CODE):
            title = _("Webhook to {address}").format(address=outside_host(hook.address))
        notifications.tell([hook.owner_id], Event(Reason.WEBHOOK, 0, hook.pk, page(hook), title, None))


def page(hook: Hook) -> str:
    """Return the address of the page about a webhook."""
    return f"/settings/webhooks/{hook.pk}/"


def outside_host(address: str) -> str:
    """Return the host of an address, to call it by."""
    try:
        return outside.parse(address, rules=outside.Rules(plain=True)).host
    except outside.Refused:
        return address[:60]


def forget(member: Member) -> None:
    """Delete the webhooks of a member who leaves, and all that was sent."""
    Hook.objects.filter(owner=member).delete()


def prune(*, now: datetime) -> int:
    """Delete old messages that are done with, and return how many."""
    old = Delivery.objects.exclude(state=State.WAITING).filter(made__lt=now - timedelta(days=KEEP_DAYS))
    return old.delete()[0]
