"""Who may do what with events, decided from values alone; `member` is None for visitors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jeos.server.accounts.models import Member
from jeos.server.content import trust
from jeos.server.events.models import Duty, Event, Role, Session, Speaker, State
from jeos.server.events.models.sessions import OPEN


@dataclass(frozen=True)
class Standing:
    """Who somebody is to an event. The site's moderators organise every event."""

    member: Member | None
    organises: bool = False
    reviews: bool = False


def standing(event: Event, member: Member | None) -> Standing:
    """Return who somebody is to an event, with one query for members."""
    if member is None:
        return Standing(None)
    roles = set(Duty.objects.filter(event=event, member=member).values_list("role", flat=True))
    organises = member.moderates or Role.ORGANISER in roles
    return Standing(member, organises=organises, reviews=organises or Role.REVIEWER in roles)


def may_see_event(event: Event, who: Standing) -> bool:
    """Tell whether somebody may see an event: everybody once it is published, before that those who work for it."""
    return event.shown or who.organises or (who.reviews and not event.hidden)


def speaks(session: Session, member: Member | None) -> bool:
    """Tell whether somebody submitted a session or is named as one of its speakers."""
    if member is None:
        return False
    return session.author_id == member.pk or Speaker.objects.filter(session=session, member=member).exists()


def may_see(session: Session, who: Standing, *, speaks: bool) -> bool:
    """Tell whether somebody may read a session: all if it is shown, before that its speakers and who decides."""
    return (session.shown and not session.hidden) or speaks or who.organises or (who.reviews and not session.hidden)


def may_edit(session: Session, who: Standing, *, speaks: bool, now: datetime) -> bool:
    """Tell whether somebody may change a session: its speakers until it is rejected or withdrawn; organisers always.

    While it is only submitted, its speakers may change it no longer than the call is open.
    """
    if not trust.may_write(who.member, now=now):
        return False
    own = speaks and not session.hidden and session.state in OPEN
    return who.organises or (own and (session.state != State.SUBMITTED or session.event.calls(now=now)))


def is_fixed(session: Session, who: Standing) -> bool:
    """Tell whether track and type are decided for somebody: it was accepted as what it is, for as long as it is."""
    return not who.organises and session.state != State.SUBMITTED


def may_review(session: Session, who: Standing, *, speaks: bool, now: datetime) -> bool:
    """Tell whether somebody may review a session: who reviews for the event, and never a speaker of it."""
    return who.reviews and not speaks and session.state == State.SUBMITTED and trust.may_write(who.member, now=now)


def may_star(session: Session, member: Member | None) -> bool:
    """Tell whether somebody may choose a session."""
    return member is not None and session.shown and not session.hidden


def may_rate(session: Session, member: Member | None, *, speaks: bool, now: datetime) -> bool:
    """Tell whether somebody may rate a session: everybody but its speakers, once it has begun."""
    begun = session.public_begins is not None and session.public_begins <= now
    held = session.scheduled and not session.cancelled and not session.hidden
    return held and begun and not speaks and trust.may_write(member, now=now)
