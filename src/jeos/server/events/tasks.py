"""What events do after the answer: telling those whom something concerns.

Each task may run twice: what a task did is marked in the transaction that did it, or tells the same once.
"""

from django.db import transaction
from django_tasks import task

from jeos.server.content import following, kinds, notifications
from jeos.server.content.models import Reason
from jeos.server.content.notifications import Event as Told
from jeos.server.events import scheduling
from jeos.server.events.models import Duty, Release, Role, Session, Speaker, State
from jeos.server.events.versions import Kind


def _told(reason: Reason, session: Session, *, actor: int | None) -> Told:
    return Told(reason, kinds.SESSION, session.pk, session.get_absolute_url(), session.title, actor)


def _speakers(session: Session) -> set[int]:
    return set(Speaker.objects.filter(session=session).values_list("member_id", flat=True))


@task()
@transaction.atomic
def announce_invitation(number: int, members: list[int], actor: int) -> None:
    """Ask members whether they agree to be named as speakers."""
    session = Session.objects.filter(pk=number, hidden=False).select_related("event").first()
    if session is None:
        return
    asked = Speaker.objects.filter(session=session, member__in=members, agreed=False)
    numbers = set(asked.values_list("member_id", flat=True))
    notifications.tell(numbers, _told(Reason.INVITED, session, actor=actor))


@task()
@transaction.atomic
def announce_decision(number: int) -> None:
    """Tell its speakers that a session was accepted or rejected."""
    session = Session.objects.filter(pk=number).select_related("event").first()
    if session is None or not Session.objects.filter(pk=number, decision_told=False).update(decision_told=True):
        return
    notifications.tell(_speakers(session), _told(Reason.DECIDED, session, actor=session.decided_by_id))


@task()
@transaction.atomic
def announce_withdrawal(number: int) -> None:
    """Tell the organisers, and those who chose it, that a session will not be held."""
    session = Session.objects.filter(pk=number, state=State.WITHDRAWN).select_related("event").first()
    if session is None:
        return
    members = set(Duty.objects.filter(event=session.event, role=Role.ORGANISER).values_list("member_id", flat=True))
    members |= following.followers([(kinds.SESSION, number)]) if session.shown else set()
    notifications.tell(members, _told(Reason.SCHEDULE, session, actor=None))


@task()
@transaction.atomic
def announce_release(number: int) -> None:
    """Tell who speaks in a session that it has a place, and who follows one that it was moved or dropped.

    Those who follow the event are told of its schedule, if they were told of no session.
    """
    release = Release.objects.filter(pk=number).select_related("event").first()
    if release is None or not Release.objects.filter(pk=number, told=False).update(told=True):
        return
    event = release.event
    if not event.shown:
        return
    before = Release.objects.filter(event=event, number=release.number - 1).first()
    changes = scheduling.changes_between(before, release)
    rows = Session.objects.filter(pk__in=[change.entry.number for change in changes]).select_related("event")
    sessions = {session.pk: session for session in rows}
    told: set[int] = set()
    for change in changes:
        session = sessions[change.entry.number]
        members = _speakers(session)
        if change.kind != Kind.NEW:  # who chose it already has seen it
            members |= following.followers([(kinds.SESSION, session.pk)])
        notifications.tell(members, _told(Reason.SCHEDULE, session, actor=release.by_id))
        told |= members
    about = Told(
        Reason.SCHEDULE, kinds.EVENT, event.pk, f"{event.get_absolute_url()}versions/", event.name, release.by_id
    )
    notifications.tell(following.followers([(kinds.EVENT, event.pk)]) - told, about)
