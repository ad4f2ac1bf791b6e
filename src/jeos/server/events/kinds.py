"""What events, sessions and topics are for the rest of the site: how they look in lists, and how they are hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from jeos.server.accounts.models import Member
from jeos.server.content import kinds, markdown
from jeos.server.content.kinds import Body, Card, Kind
from jeos.server.events import preparing, rights, submitting, times, topics
from jeos.server.events.models import Event, Session, Topic


def register() -> None:
    """Register all three."""
    kinds.register(
        Kind(
            code=kinds.EVENT,
            name="event",
            label=gettext_lazy("event"),
            cards=event_cards,
            body=event_body,
            set_hidden=preparing.set_hidden,
            texts=event_texts,
            sees=sees_event,
        )
    )
    kinds.register(
        Kind(
            code=kinds.SESSION,
            name="session",
            label=gettext_lazy("session"),
            cards=session_cards,
            tagged=Session,
            body=session_body,
            set_hidden=submitting.set_hidden,
            texts=session_texts,
            count_comments=count_comments,
            sees=sees_session,
        )
    )
    kinds.register(
        Kind(
            code=kinds.TOPIC,
            name="topic",
            label=gettext_lazy("topic"),
            cards=topic_cards,
            body=topic_body,
            set_hidden=topics.set_hidden,
        )
    )


def event_cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of events."""
    return {
        event.pk: Card(
            kind=kinds.EVENT,
            number=event.pk,
            title=event.name,
            url=event.get_absolute_url(),
            author="",
            date=event.made,
            excerpt=event.line or markdown.opening(event.source),
            note=event.place or _("event"),
        )
        for event in Event.objects.filter(pk__in=numbers, published=True, hidden=False)
    }


def event_body(number: int) -> Body | None:
    """Return an event as moderators need it."""
    event = Event.objects.filter(pk=number).first()
    if event is None:
        return None
    return Body(event.author_id, event.name, event.get_absolute_url(), event.source, event.hidden)


def sees_event(number: int, member: Member) -> bool:
    """Tell whether a member sees an event that not everybody sees."""
    event = Event.objects.filter(pk=number).first()
    return event is not None and rights.may_see_event(event, rights.standing(event, member))


def event_texts(numbers: Sequence[int]) -> Mapping[int, str]:
    """Return the HTML of events."""
    return dict(Event.objects.filter(pk__in=numbers).values_list("pk", "html"))


def session_cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of sessions that are, or were, on a schedule that everybody sees."""
    shown = Session.objects.filter(shown=True, hidden=False, event__published=True, event__hidden=False)
    rows = shown.filter(pk__in=numbers).select_related("event", "author")
    return {
        session.pk: Card(
            kind=kinds.SESSION,
            number=session.pk,
            title=session.title,
            url=session.get_absolute_url(),
            author="" if session.invited else session.author.handle,
            date=session.shown_since or session.made,
            excerpt=markdown.opening(session.source),
            note=f"{session.event.name} · {when(session)}",
        )
        for session in rows
    }


def when(session: Session) -> str:
    """Return when a session is, in words and in the event's time."""
    if session.cancelled or session.public_begins is None:
        return _("cancelled")
    return times.moment(session.public_begins, session.event.tz)


def session_body(number: int) -> Body | None:
    """Return a session as moderators need it."""
    session = Session.objects.filter(pk=number).select_related("event").first()
    if session is None:
        return None
    return Body(session.author_id, session.title, session.get_absolute_url(), session.source, session.hidden)


def sees_session(number: int, member: Member) -> bool:
    """Tell whether a member sees a session that not everybody sees: a speaker, a reviewer, an organiser."""
    session = Session.objects.filter(pk=number).select_related("event").first()
    if session is None or not sees_event(session.event_id, member):
        return False
    who = rights.standing(session.event, member)
    return rights.may_see(session, who, speaks=rights.speaks(session, member))


def session_texts(numbers: Sequence[int]) -> Mapping[int, str]:
    """Return the HTML of sessions."""
    return dict(Session.objects.filter(pk__in=numbers).values_list("pk", "html"))


def count_comments(number: int, change: int) -> None:
    """Add to the number of a session's comments."""
    Session.objects.filter(pk=number).update(comments=F("comments") + change)


def topic_cards(numbers: Sequence[int], member: Member | None) -> dict[int, Card]:
    """Return the cards of topics."""
    shown = Topic.objects.filter(pk__in=numbers, hidden=False, event__published=True, event__hidden=False)
    return {
        topic.pk: Card(
            kind=kinds.TOPIC,
            number=topic.pk,
            title=topic.title,
            url=topic_url(topic),
            author=topic.author.handle,
            date=topic.made,
            note=f"{topic.event.name} · {votes_words(topic.votes)}",
        )
        for topic in shown.select_related("event", "author")
    }


def topic_url(topic: Topic) -> str:
    """Return where a topic stands."""
    return f"/events/{topic.event.slug}/topics/#t{topic.pk}"


def topic_body(number: int) -> Body | None:
    """Return a topic as moderators need it."""
    topic = Topic.objects.filter(pk=number).select_related("event").first()
    if topic is None:
        return None
    return Body(topic.author_id, topic.title, topic_url(topic), topic.title, topic.hidden)


def votes_words(count: int) -> str:
    """Return how many votes there are, in words."""
    return ngettext("{n} vote", "{n} votes", count).format(n=count)
