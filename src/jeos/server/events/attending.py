"""What attendees do: choose sessions, keep an address for their agenda, rate what they saw."""

from __future__ import annotations

import secrets

from django.db import transaction
from django.db.models import Count, F, Sum
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from jeos.server.accounts.models import Member
from jeos.server.content import audit, following, kinds
from jeos.server.events.models import AgendaAddress, Event, Rating, Session, Star

STARS = 5
KEY_LENGTH = 40  # hexadecimal digits of an address: 160 bits
SALT_BYTES = 16


@transaction.atomic
def star(session: Session, member: Member, *, wanted: bool) -> bool:
    """Choose a session, or no longer; return whether that changed anything. Who chooses one follows it."""
    if wanted:
        _row, changed = Star.objects.get_or_create(session=session, member=member)
        following.follow_once(member.pk, kinds.SESSION, session.pk)
    else:
        changed = Star.objects.filter(session=session, member=member).delete()[0] > 0
    if changed:
        Session.objects.filter(pk=session.pk).update(starred=F("starred") + (1 if wanted else -1))
        session.starred += 1 if wanted else -1
    return changed


def starred(member: Member | None, event: Event) -> set[int]:
    """Return which sessions of an event a member chose."""
    if member is None:
        return set()
    return set(Star.objects.filter(member=member, session__event=event).values_list("session_id", flat=True))


def agenda_address(event: Event, member: Member) -> str:
    """Return the secret address of a member's agenda within the site, which is made when it is first wanted."""
    defaults = {"salt": secrets.token_hex(SALT_BYTES)}
    row, _made = AgendaAddress.objects.get_or_create(event=event, member=member, defaults=defaults)
    return f"/events/{event.slug}/agenda/{row.pk}-{key_of(row)}.ics"


def renew_agenda_address(event: Event, member: Member) -> None:
    """Let the secret address of a member's agenda be another; the old one opens nothing from now on."""
    AgendaAddress.objects.update_or_create(
        event=event, member=member, defaults={"salt": secrets.token_hex(SALT_BYTES), "made": timezone.now()}
    )


def key_of(row: AgendaAddress) -> str:
    """Return the secret of an address: it needs the site's key, so that a copy of the database opens no agenda."""
    return salted_hmac("jeos.events.agenda", f"{row.pk}:{row.salt}", algorithm="sha256").hexdigest()[:KEY_LENGTH]


def find_agenda(event: Event, number: int, key: str) -> Member | None:
    """Return the member whose agenda an address opens, if it is the right one and the member is still here."""
    row = AgendaAddress.objects.filter(pk=number, event=event).select_related("member").first()
    if row is None or not constant_time_compare(key_of(row), key) or not row.member.is_active:
        return None
    return row.member


@transaction.atomic
def rate(session: Session, member: Member, *, stars: int, words: str) -> None:
    """Rate a session; a second rating of a member replaces the first. Raises ValueError for stars there are not."""
    if not 1 <= stars <= STARS:
        raise ValueError(f"session {session.pk} cannot have {stars} stars")
    locked = Session.objects.select_for_update(no_key=True, of=("self",)).get(pk=session.pk)
    defaults = {"stars": stars, "words": words, "date": timezone.now()}
    Rating.objects.update_or_create(session=locked, member=member, defaults=defaults)
    _recount(locked)
    session.refresh_from_db(fields=["ratings", "points"])


@transaction.atomic
def set_rating_hidden(rating: Rating, hidden: bool, *, actor: Member) -> None:
    """Hide a rating, which then counts no more, or show it again."""
    locked = Session.objects.select_for_update(no_key=True, of=("self",)).get(pk=rating.session_id)
    Rating.objects.filter(pk=rating.pk).update(hidden=hidden)
    _recount(locked)
    action, details = ("rating.hide" if hidden else "rating.show"), {"rating": rating.pk}
    audit.record(
        actor,
        action,
        kind=kinds.SESSION,
        number=locked.pk,
        subject=rating.member,
        details=dict[str, audit.Json](details),
    )


def _recount(session: Session) -> None:
    """Set what a session's row says about its ratings to what is true. The caller holds the row."""
    shown = Rating.objects.filter(session=session, hidden=False)
    counted = shown.aggregate(ratings=Count("pk"), points=Sum("stars"))
    Session.objects.filter(pk=session.pk).update(ratings=counted["ratings"], points=counted["points"] or 0)
