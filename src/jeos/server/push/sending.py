"""Messages to browsers: one for each new notification, sent by a worker, tried again a few times, then given up.

What a browser shows is replaced by what comes later about the same thing, so that a message that was sent twice, as its
worker died, is seen once.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from http.client import GONE, NOT_FOUND, REQUEST_TIMEOUT, TOO_MANY_REQUESTS

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from jeos.core.errors import NetworkError
from jeos.server import outside
from jeos.server.accounts import site
from jeos.server.accounts.models import Member
from jeos.server.content.mailing.letters import PERSONAL
from jeos.server.content.models import Notification, Reason
from jeos.server.push import encryption, identity
from jeos.server.push.models import Subscription

PAUSES = (60, 600, 3_600)  # seconds before each further attempt
HOLDS = 86_400  # seconds for which a push service keeps a message for a browser that is off
GIVE_UP_AFTER = 5  # messages in a row that were given up: then the browser is forgotten
BROWSERS = 10  # of one member
SECONDS = 10.0
TEST = 0  # instead of a notification's number


def take(rows: Sequence[Notification]) -> None:
    """Let workers tell the browsers of those who were just notified, in the transaction that notified them."""
    by_member = {row.member_id: row for row in rows}
    for one in Subscription.objects.filter(member__in=by_member, member__is_active=True):
        row = by_member[one.member_id]
        if one.news or row.reason in PERSONAL:
            _enqueue(one.pk, row.pk, attempt=0)


def _enqueue(subscription: int, notification: int, *, attempt: int) -> None:
    from jeos.server.push import tasks  # tasks import what they do

    after = timezone.now() + timedelta(seconds=PAUSES[attempt - 1] if attempt else 0)
    (tasks.deliver.using(run_after=after) if attempt else tasks.deliver).enqueue(subscription, notification, attempt)


def test(subscription: Subscription) -> None:
    """Send a message that says nothing, to see whether it arrives."""
    _enqueue(subscription.pk, TEST, attempt=0)


def deliver(number: int, notification: int, attempt: int) -> None:
    """Try a message once. A browser that is gone is forgotten; a push service that cannot now is asked again."""
    one = Subscription.objects.select_related("member").filter(pk=number, member__is_active=True).first()
    row = Notification.objects.select_related("actor").filter(pk=notification, seen=False).first()
    if one is None or (row is None and notification != TEST):
        return
    status = _attempt(one, row)
    if status in (NOT_FOUND, GONE):
        one.delete()
    elif status is not None and 200 <= status < 300:
        Subscription.objects.filter(pk=one.pk).update(failures=0, last=timezone.now())
    elif _may_change(status) and attempt < len(PAUSES):
        _enqueue(one.pk, notification, attempt=attempt + 1)
    else:
        Subscription.objects.filter(pk=one.pk).update(failures=F("failures") + 1)
        Subscription.objects.filter(pk=one.pk, failures__gte=GIVE_UP_AFTER).delete()


def _may_change(status: int | None) -> bool:
    """Tell whether the same message may be taken later: no answer, too many at once, the other side's fault."""
    return status is None or status in (TOO_MANY_REQUESTS, REQUEST_TIMEOUT) or status >= 500


def _attempt(one: Subscription, row: Notification | None) -> int | None:
    """Send a message; return the status of the answer, or None if there was none."""
    said, topic = payload(row, member=one.member)
    try:
        body = encryption.encrypt(said, public_key=bytes(one.public_key), secret=bytes(one.secret))
        now = int(timezone.now().timestamp())
        headers = {
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(HOLDS),
            "topic": topic,
            "urgency": "normal",
            "authorization": identity.authorization(one.endpoint, folder=settings.DATA, contact=settings.PUSH, now=now),
        }
        answer = outside.request(
            "POST", one.endpoint, body=body, headers=headers, rules=settings.OUTSIDE, seconds=SECONDS, limit=1_024
        )
    except outside.Refused:
        return GONE  # an address that leads inside by now: never again
    except NetworkError:
        return None
    return answer.status


def payload(row: Notification | None, *, member: Member) -> tuple[bytes, str]:
    """Return what a browser is told, in its member's language, and what it replaces (RFC 8030, section 5.4)."""
    with override(member.language or settings.LANGUAGE_CODE):
        if row is None:
            title, text, url, about = site.name(), _("This browser shows notifications."), "/settings/push/", "test"
        else:
            who = row.actor.handle if row.actor else site.name()
            title, text = f"{who} {Reason(row.reason).label}", row.title
            url, about = row.url, f"{row.kind}.{row.number}.{row.reason}"
    topic = base64.urlsafe_b64encode(hashlib.sha256(about.encode()).digest()[:18]).decode()
    said = {"title": title, "text": text, "url": f"{settings.ENVIRONMENT.url}{url}", "tag": topic}
    return json.dumps(said, ensure_ascii=False).encode(), topic


def forget(member: Member) -> None:
    """Forget the browsers of a member who leaves."""
    Subscription.objects.filter(member=member).delete()
