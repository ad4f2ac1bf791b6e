"""Publishers: made by a member, who owns the page; owners give seats to others. The last owner stays."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.catalogue import publishing
from jeos.server.catalogue.models import Appliance, Power, Publisher, Seat, Verified
from jeos.server.content import audit

MOST = 5  # publishers that one member may own: names are for those who use them
NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
PROOF_BYTES = 24
PROOF_FILE = "/.well-known/jeos-publisher.txt"
PROVE_EVERY = timedelta(days=7)  # between looks at the file of a domain
PROOF_HOLDS = timedelta(days=30)  # without the file being seen


@transaction.atomic
def make(name: str, *, title: str, about: str, home_page: str, owner: Member) -> Publisher:
    """Make a publisher's page. Raises ValueError for a name that is taken or none, and for one page too many."""
    if not NAME.fullmatch(name) or Publisher.objects.filter(name=name).exists():
        raise ValueError(f"{name} is taken, or no name")
    if not owner.moderates and Seat.objects.filter(member=owner, power=Power.OWNER).count() >= MOST:
        raise ValueError(f"member {owner.pk} owns {MOST} publishers already")
    made = Publisher.objects.create(
        name=name, title=title, about=about, home_page=home_page, proof=secrets.token_urlsafe(PROOF_BYTES)
    )
    Seat.objects.create(publisher=made, member=owner, power=Power.OWNER)
    return made


def of(member: Member | None) -> list[Publisher]:
    """Return the publishers that a member publishes for, by title."""
    if member is None:
        return []
    return list(Publisher.objects.filter(seats__member=member).order_by("title"))


@transaction.atomic
def seat(publisher: Publisher, member: Member, *, power: int) -> None:
    """Give a member a seat, another power, or (0) take the seat away. Raises ValueError if no owner would be left."""
    Publisher.objects.select_for_update(no_key=True).get(pk=publisher.pk)
    others = Seat.objects.filter(publisher=publisher, power=Power.OWNER).exclude(member=member)
    if power != Power.OWNER and not others.exists():
        raise ValueError(f"publisher {publisher.pk} would have no owner")
    if power:
        Seat.objects.update_or_create(publisher=publisher, member=member, defaults={"power": power})
    else:
        Seat.objects.filter(publisher=publisher, member=member).delete()


@transaction.atomic
def vouch(publisher: Publisher, how: Verified, *, actor: Member | None, note: str = "") -> None:
    """Let a publisher be verified, or no longer, and write down by whom."""
    now = timezone.now()
    Publisher.objects.filter(pk=publisher.pk).update(verified=how, verified_at=None if how == Verified.NO else now)
    Appliance.objects.filter(publisher=publisher).update(verified=how != Verified.NO)
    details: dict[str, audit.Json] = {"publisher": publisher.name, "how": Verified(how).name, "note": note}
    audit.record(actor, "publisher.verify", details=details)
    publisher.refresh_from_db()


def proof_line(publisher: Publisher) -> str:
    """Return the line that the file of a publisher's domain must have."""
    return f"{settings.ENVIRONMENT.host} @{publisher.name} {publisher.proof}"


@transaction.atomic
def set_domain(publisher: Publisher, domain: str) -> None:
    """Let a publisher be verified by another domain, or by none: nothing is proved yet."""
    if publisher.verified == Verified.DOMAIN and domain != publisher.domain:
        vouch(publisher, Verified.NO, actor=None, note="another domain")
    publisher.domain, publisher.proof_checked, publisher.proof_problem = domain, None, ""
    publisher.save(update_fields=["domain", "proof_checked", "proof_problem"])
    if domain:
        from jeos.server.catalogue import tasks  # which stand on this module

        tasks.prove_domain.enqueue(publisher.pk)


def to_prove(*, now: datetime, most: int) -> list[int]:
    """Return the publishers whose domain's file is to be looked at again."""
    rows = Publisher.objects.exclude(domain="").filter(verified__in=(Verified.NO, Verified.DOMAIN))
    rows = rows.filter(Q(proof_checked=None) | Q(proof_checked__lt=now - PROVE_EVERY))
    return list(rows.order_by("pk").values_list("pk", flat=True)[:most])


@transaction.atomic
def note_proof(publisher: Publisher, found: str, *, problem: str, now: datetime) -> None:
    """Note what was in the file of a publisher's domain: `found`, or why it could not be read."""
    proved = not problem and proof_line(publisher) in (line.strip() for line in found.splitlines())
    publisher.proof_checked = now
    publisher.proof_problem = (
        "" if proved else (problem or f"the file does not have the line {proof_line(publisher)}")[:300]
    )
    publisher.save(update_fields=["proof_checked", "proof_problem"])
    if proved and publisher.verified == Verified.NO:
        vouch(publisher, Verified.DOMAIN, actor=None, note=publisher.domain)
    elif proved and publisher.verified == Verified.DOMAIN:
        Publisher.objects.filter(pk=publisher.pk).update(verified_at=now)
    elif publisher.verified == Verified.DOMAIN and (publisher.verified_at or now) <= now - PROOF_HOLDS:
        vouch(publisher, Verified.NO, actor=None, note=publisher.proof_problem)


@transaction.atomic
def set_hidden(publisher: Publisher, hidden: bool, *, actor: Member) -> None:
    """Hide a publisher with all its appliances, or show those that are not hidden for a reason of their own."""
    Publisher.objects.filter(pk=publisher.pk).update(hidden=hidden)
    for appliance in Appliance.objects.filter(publisher=publisher):
        publishing.set_hidden(appliance.pk, appliance.held)
    audit.record(actor, "publisher.hide" if hidden else "publisher.show", details={"publisher": publisher.name})
    publisher.hidden = hidden


def forget(member: Member) -> None:
    """Take the seats of a member who leaves; a publisher without an owner is the team's to give on."""
    Seat.objects.filter(member=member).delete()
