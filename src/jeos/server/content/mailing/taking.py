"""Taking mail in: kept at once, looked at by a worker, posted as an answer if all holds.

    taking.keep(data)        # of `jeos server mail-in`, of a maildir
    taking.take(number)      # a task

Keeping is short and sure, so that the program that delivers mail is told at once. Looking at it is one transaction
with what follows from it: a worker that is killed leaves it undone, and a mail that came twice is one row.
"""

from __future__ import annotations

import hashlib
import logging
import os
from datetime import datetime, timedelta
from pathlib import Path

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F
from django.utils import translation
from django.utils.translation import gettext as _

from jeos.server.accounts.models import Member
from jeos.server.content import answers, limits
from jeos.server.content.mailing import addresses, reading
from jeos.server.content.mailing.reading import BadMail, Letter
from jeos.server.content.models import Incoming
from jeos.server.content.models.mailing import Outcome

KEPT = timedelta(days=30)  # for how long it is known that a mail came
AT_ONCE = 100  # mails that one look takes out of a maildir
_log = logging.getLogger(__name__)


def keep(data: bytes) -> bool:
    """Keep a mail that came and let a worker look at it; return False for one that was kept before, or is too large."""
    try:
        letter = reading.read(data)
    except BadMail as bad:
        _log.warning("a mail is not taken: it %s", bad)
        return False
    named = f"{letter.identity}\n{letter.code}".encode() if letter.identity else data
    with transaction.atomic():
        row, new = Incoming.objects.get_or_create(digest=hashlib.sha256(named).hexdigest(), defaults={"message": data})
        if new:
            from jeos.server.content.mailing import tasks  # tasks import what they do

            tasks.take_mail.enqueue(row.pk)
    return new


def keep_all(folder: Path) -> int:
    """Keep the mail in a maildir's `new`, and move it to `cur` as seen; return how many there were."""
    taken = 0
    (folder / "cur").mkdir(parents=True, exist_ok=True)
    for path in sorted((folder / "new").glob("*"))[:AT_ONCE]:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                data = file.read(reading.SIZE + 1)
        except OSError as error:  # a folder, a link, or taken by another worker
            _log.warning("a mail is left in the maildir: %s", error)
            continue
        keep(data)
        path.rename(folder / "cur" / f"{path.name}:2,S")
        taken += 1
    return taken


@transaction.atomic
def take(number: int, *, now: datetime) -> Outcome:
    """Do what a mail asks for, if that was not done yet, and return what became of it."""
    row = Incoming.objects.select_for_update().get(pk=number)
    if row.outcome != Outcome.WAITING:
        return Outcome(row.outcome)
    outcome, note, member = _decide(reading.read(bytes(row.message)), now=now)
    row.outcome, row.note, row.member, row.message = outcome, note[:300], member, b""
    row.save()
    return outcome


def _decide(letter: Letter, *, now: datetime) -> tuple[Outcome, str, Member | None]:
    """Act on a mail; return what became of it, why, and whose it was."""
    if letter.bounced is not None:
        Member.objects.filter(pk=letter.bounced).update(mail_failures=F("mail_failures") + 1)
        return Outcome.BOUNCE, letter.status, Member.objects.filter(pk=letter.bounced).first()
    if letter.automatic:
        return Outcome.IGNORED, letter.automatic, None
    if not letter.code:
        return Outcome.IGNORED, "no address for answers", None
    try:
        target, old = addresses.read_code(letter.code, now=now), False
    except addresses.BadAddress as bad:
        if bad.old is None:
            return Outcome.IGNORED, "an address that was not made here", None
        target, old = bad.old, True
    member = Member.objects.filter(pk=target.member, is_active=True).first()
    if member is None or not _is_from(letter.sender, member):
        return Outcome.IGNORED, f"from {letter.sender}, who is not the member that was written to", member
    with translation.override(member.language or settings.LANGUAGE_CODE):
        try:
            return Outcome.POSTED, _post(letter, target, member, old=old), member
        except answers.Refused as refused:
            _tell(member, str(refused), letter.text)
            return Outcome.REFUSED, str(refused), member


def _is_from(sender: str, member: Member) -> bool:
    """Tell whether an address is one that a member confirmed."""
    return EmailAddress.objects.filter(user=member, email__iexact=sender, verified=True).exists()


def _post(letter: Letter, target: addresses.Target, member: Member, *, old: bool) -> str:
    """Post an answer and return its address. Raises Refused."""
    if old:
        raise answers.Refused(_("The mail that you answered is too old; please answer on the page."))
    if not letter.text:
        raise answers.Refused(_("There was no text in it that is not quoted."))
    with transaction.atomic():
        return answers.answer(target.kind, target.number, member, letter.text)


def _tell(member: Member, why: str, text: str) -> None:
    """Tell a member why an answer was not posted, some times a day at most: never an endless talk of two programs."""
    try:
        limits.use("mail-notice", member=member)
    except limits.TooOften:
        return
    EmailMessage(
        subject=_("Your answer was not posted"),
        body=f"{_('Your answer by mail was not posted:')}\n{why}\n\n{_('What you wrote:')}\n\n{text[:10_000]}\n",
        to=[str(member.email)],
        headers={"Auto-Submitted": "auto-replied"},
    ).send()


def prune(*, now: datetime) -> int:
    """Forget mail that came long ago, and return how many."""
    return Incoming.objects.filter(made__lt=now - KEPT).exclude(outcome=Outcome.WAITING).delete()[0]
