"""Mail: put into the database by the request that causes it, sent by a worker.

Mail that a rolled-back transaction caused is never sent, and none is lost if a process dies. A worker that dies between
sending and saying so sends once more, with the same Message-ID, by which mail programs know it for the same message.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F
from django.utils import timezone
from django_tasks import task

from jeos.server.jobs.models import Mail

ATTEMPTS = 8
FIRST_PAUSE = 60  # seconds until the second attempt; doubled with each, so that the last comes two hours later


class QueueBackend(BaseEmailBackend):
    """Django's mail backend of this site: keeps messages for the workers."""

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Keep messages, one for each recipient, and return how many there were."""
        for message in messages:
            for recipient in message.recipients():
                mail = Mail.objects.create(recipient=recipient, message=message.message().as_bytes())
                deliver.enqueue(mail.pk)
        return len(messages)


class Bytes:
    """A finished message, as far as Django's backends ask for it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def as_bytes(self, unixfrom: bool = False, linesep: str = "\n") -> bytes:
        """Return the message with the ends of lines that the way it goes asks for."""
        return self._data.replace(b"\r\n", b"\n").replace(b"\n", linesep.encode())


class Kept(EmailMessage):
    """A message that is sent as the bytes that were kept of it."""

    def __init__(self, mail: Mail) -> None:
        super().__init__(to=[mail.recipient], from_email=settings.DEFAULT_FROM_EMAIL)
        self._bytes = Bytes(bytes(mail.message))

    def message(self) -> Bytes:  # type: ignore[override] # backends call `as_bytes` and nothing else
        """Return the message."""
        return self._bytes


@task(queue_name="mail")
def deliver(number: int) -> None:
    """Send one message, if it was not sent yet; put it back for later if that fails."""
    mail = Mail.objects.filter(pk=number, sent=None).first()
    if mail is None:
        return
    try:
        get_connection(settings.DELIVERY_BACKEND).send_messages([Kept(mail)])
    except OSError as error:  # SMTPException is one
        Mail.objects.filter(pk=number).update(attempts=F("attempts") + 1, error=str(error)[:2_000])
        if mail.attempts + 1 < ATTEMPTS:
            pause = timedelta(seconds=FIRST_PAUSE * 2**mail.attempts)
            deliver.using(run_after=timezone.now() + pause).enqueue(number)
        return
    Mail.objects.filter(pk=number).update(sent=timezone.now(), attempts=F("attempts") + 1, error="")
