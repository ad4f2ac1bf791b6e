"""Who may do what in the catalogue, decided from values alone; `member` is None for visitors."""

from __future__ import annotations

from datetime import datetime

from jeos.server.accounts.models import Member
from jeos.server.catalogue.models import Appliance, Power, Publisher, Review, Seat
from jeos.server.content import trust


def power(publisher: Publisher, member: Member | None) -> int:
    """Return what a member may do for a publisher: 0 is nothing, else a `Power`."""
    if member is None:
        return 0
    return Seat.objects.filter(publisher=publisher, member=member).values_list("power", flat=True).first() or 0


def may_see_publisher(publisher: Publisher, member: Member | None) -> bool:
    """Tell whether somebody may see a publisher's page; those who publish see it while it is hidden."""
    return not publisher.hidden or (member is not None and (member.moderates or power(publisher, member) > 0))


def may_see(appliance: Appliance, member: Member | None) -> bool:
    """Tell whether somebody may see an appliance; those who publish it see it while it is hidden."""
    if member is not None and member.moderates:
        return True
    if not appliance.hidden and not appliance.publisher.hidden:
        return True
    return power(appliance.publisher, member) > 0


def may_publish(publisher: Publisher, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may publish for a publisher: whoever has a seat there and may write."""
    return trust.may_write(member, now=now) and not publisher.hidden and power(publisher, member) > 0


def may_own(publisher: Publisher, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may change a publisher's page and who has a seat: its owners, and administrators."""
    if member is None or not trust.may_write(member, now=now):
        return False
    return member.administers or power(publisher, member) >= Power.OWNER


def may_star(appliance: Appliance, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may give an appliance a star, or take it back."""
    return not appliance.hidden and trust.may_write(member, now=now)


def may_review(appliance: Appliance, member: Member | None, *, now: datetime) -> bool:
    """Tell whether somebody may review an appliance: not those who publish it."""
    if appliance.hidden or not trust.may_write(member, now=now):
        return False
    return appliance.versions > 0 and power(appliance.publisher, member) == 0


def may_see_review(review: Review, member: Member | None) -> bool:
    """Tell whether somebody may read a review of an appliance that is to be seen."""
    return not review.hidden or (member is not None and (member.moderates or member.pk == review.author_id))
