"""Sessions before they are scheduled: submitted, changed, their speakers named, decided, confirmed, withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import audit, following, kinds, search, tags, texts, trust
from jeos.server.content.markdown import Rendered
from jeos.server.events.models import Event, Session, SessionType, Speaker, State, Track
from jeos.server.events.models.sessions import OPEN, slug_of

SPEAKERS = 8  # of one session
DECISIONS = (State.ACCEPTED, State.REJECTED, State.SUBMITTED)


@dataclass(frozen=True)
class Wanted:
    """A session as its speakers write it."""

    title: str
    source: str
    track: Track | None = None
    type: SessionType | None = None
    note: str = ""
    tags: Sequence[str] = ()
    speakers: Sequence[Member] = field(default_factory=tuple)  # besides its author


@transaction.atomic
def submit(event: Event, wanted: Wanted, *, author: Member) -> Session:
    """Submit a session to the call; others who are named are asked whether they agree."""
    session = _new(event, wanted, author=author)
    session.save()
    Speaker.objects.create(session=session, member=author, agreed=True)
    set_speakers(session, [author, *wanted.speakers], actor=author)
    trust.count(author, now=session.made)
    following.follow_once(author.pk, kinds.SESSION, session.pk)
    return session


@transaction.atomic
def invite(event: Event, wanted: Wanted, *, actor: Member) -> Session:
    """Put a session on the programme without the call, as an organiser: a keynote, a panel, lunch."""
    session = _new(event, wanted, author=actor)
    session.state, session.invited = State.CONFIRMED, True
    session.decided, session.decided_by = timezone.now(), actor
    session.save()
    set_speakers(session, wanted.speakers, actor=actor)
    return session


def _new(event: Event, wanted: Wanted, *, author: Member) -> Session:
    session = Session(event=event, title=wanted.title, slug=slug_of(wanted.title), author=author)
    session.track, session.type, session.note = wanted.track, wanted.type, wanted.note
    session.minutes = wanted.type.minutes if wanted.type else session.minutes
    session.tags = " ".join(wanted.tags)
    texts.fill(session, wanted.source)
    return session


@transaction.atomic
def edit(session: Session, wanted: Wanted, *, editor: Member, reason: str = "") -> None:
    """Change a session; what it was stays in its history. A new title is news for calendars."""
    renamed = session.title != wanted.title
    if (wanted.title, wanted.source) != (session.title, session.source):
        old = texts.Version(source=session.source, title=session.title, editor=session.author_id, made=session.made)
        new = texts.Version(source=wanted.source, title=wanted.title)
        session.version = texts.revise(kinds.SESSION, session.pk, old=old, new=new, editor=editor, reason=reason)
        texts.fill(session, wanted.source)
        session.title, session.slug, session.edited = wanted.title, slug_of(wanted.title), timezone.now()
    if session.type != wanted.type and wanted.type is not None:
        session.minutes = wanted.type.minutes
    session.track, session.type, session.note = wanted.track, wanted.type, wanted.note
    session.tags = " ".join(wanted.tags)
    session.save()
    set_speakers(session, [*_first(session), *wanted.speakers], actor=editor)
    if session.shown:
        let_be_found(session)
        if renamed:
            Session.objects.filter(pk=session.pk).update(sequence=F("sequence") + 1, changed=timezone.now())


def _first(session: Session) -> list[Member]:
    """Return its author if the author speaks: named by nobody else, and removed by withdrawing only."""
    author = Speaker.objects.filter(session=session, member=session.author_id).exists()
    return [session.author] if author and not session.invited else []


@transaction.atomic
def set_speakers(session: Session, members: Sequence[Member], *, actor: Member) -> None:
    """Let a session have these speakers; those who are new are asked whether they agree."""
    wanted = {member.pk: member for member in members[:SPEAKERS]}
    known = set(Speaker.objects.filter(session=session).values_list("member_id", flat=True))
    Speaker.objects.filter(session=session, member__in=known - set(wanted)).delete()
    new = [number for number in wanted if number not in known]
    Speaker.objects.bulk_create(
        [Speaker(session=session, member_id=number, agreed=number == actor.pk) for number in new]
    )
    asked = [number for number in new if number != actor.pk]
    if asked:
        from jeos.server.events import tasks  # tasks import what writes, to be able to write themselves

        tasks.announce_invitation.enqueue(session.pk, asked, actor.pk)


@transaction.atomic
def answer_invitation(session: Session, member: Member, *, agrees: bool) -> None:
    """Agree to be named as a speaker, or not. Raises Speaker.DoesNotExist for who was not named."""
    row = Speaker.objects.get(session=session, member=member)
    if not agrees:
        row.delete()
        return
    row.agreed = True
    row.save(update_fields=["agreed"])
    following.follow_once(member.pk, kinds.SESSION, session.pk)


@transaction.atomic
def decide(session: Session, state: State, *, actor: Member) -> None:
    """Accept or reject a submitted session, or open the question again; its speakers are told.

    Raises ValueError for what its speakers have withdrawn, and for a state that is not decided.
    """
    locked = _held(session)
    if locked.state == State.WITHDRAWN or state not in DECISIONS:
        raise ValueError(f"session {session.pk} cannot become {state.name.lower()}")
    if locked.state == state or (state == State.ACCEPTED and locked.state == State.CONFIRMED):
        return
    locked.state, locked.decided, locked.decided_by = state, timezone.now(), actor
    locked.decision_told = state == State.SUBMITTED
    locked.save(update_fields=["state", "decided", "decided_by", "decision_told"])
    if state != State.ACCEPTED:  # one that was on the schedule is not held
        Session.objects.filter(pk=session.pk, shown=True).update(sequence=F("sequence") + 1, changed=locked.decided)
    audit.record(actor, "session.decide", kind=kinds.SESSION, number=session.pk, details={"to": state.name})
    session.refresh_from_db(fields=["state", "decided", "decided_by"])
    from jeos.server.events import tasks

    tasks.announce_decision.enqueue(session.pk)


@transaction.atomic
def confirm(session: Session) -> None:
    """Let a speaker promise to come. Raises ValueError for a session that was not accepted."""
    if not Session.objects.filter(pk=session.pk, state=State.ACCEPTED).update(state=State.CONFIRMED):
        raise ValueError(f"session {session.pk} was not accepted")
    session.state = State.CONFIRMED


@transaction.atomic
def withdraw(session: Session) -> None:
    """Take a session back; on the schedule it is cancelled at once. Raises ValueError where there is none to take."""
    now = timezone.now()
    if not Session.objects.filter(pk=session.pk, state__in=OPEN).update(state=State.WITHDRAWN):
        raise ValueError(f"session {session.pk} does not stand")
    Session.objects.filter(pk=session.pk, shown=True).update(sequence=F("sequence") + 1, changed=now)
    session.refresh_from_db()
    from jeos.server.events import tasks

    tasks.announce_withdrawal.enqueue(session.pk)


def _held(session: Session) -> Session:
    """Return the row of a session, held until the transaction ends."""
    return Session.objects.select_for_update(no_key=True, of=("self",)).get(pk=session.pk)


@transaction.atomic
def set_hidden(number: int, hidden: bool) -> None:
    """Hide a session or show it again: on the schedule, in tags and search."""
    session = Session.objects.select_related("event").get(pk=number)
    session.hidden = hidden
    Session.objects.filter(pk=number).update(hidden=hidden)
    let_be_found(session)


def let_be_found(session: Session) -> None:
    """Let search and tags know a session as it is now, or forget it where it is not for everybody."""
    key = (kinds.SESSION, session.pk)
    if not session.shown or session.hidden or not session.event.shown:
        search.index().remove([key])
        tags.clear(*key)
        return
    chosen = tags.set_tags(*key, session.tags.split(), date=session.shown_since or session.made)
    Session.objects.filter(pk=session.pk).update(tags=" ".join(tag.name for tag in chosen))
    search.index().put([entry(session, texts.render(session.source)[0])])


def entry(session: Session, rendered: Rendered) -> search.Entry:
    """Return what search knows of a session: its title, its tags and its text."""
    return search.Entry(
        kind=kinds.SESSION,
        number=session.pk,
        head=True,
        date=session.shown_since or session.made,
        author=session.author_id,
        title=session.title,
        body=rendered.plain,
        tags=tuple(session.tags.split()),
    )
