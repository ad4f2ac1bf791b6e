"""Topics that members wish for at an event, and votes for them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from jeos.server.accounts.models import Member
from jeos.server.content import trust
from jeos.server.events.models import Event, Topic, TopicVote


@transaction.atomic
def suggest(event: Event, *, author: Member, title: str) -> Topic:
    """Suggest a topic; who suggests it wants it."""
    topic = Topic.objects.create(event=event, author=author, title=title)
    trust.count(author, now=topic.made)
    vote(topic, author, wanted=True)
    return topic


@transaction.atomic
def vote(topic: Topic, member: Member, *, wanted: bool) -> bool:
    """Vote for a topic, or take the vote back; return whether that changed anything."""
    locked = Topic.objects.select_for_update(no_key=True).get(pk=topic.pk)
    if wanted:
        _row, changed = TopicVote.objects.get_or_create(topic=locked, member=member)
    else:
        changed = TopicVote.objects.filter(topic=locked, member=member).delete()[0] > 0
    if changed:
        topic.votes = TopicVote.objects.filter(topic=locked).count()
        Topic.objects.filter(pk=topic.pk).update(votes=topic.votes)
    return changed


def own(member: Member | None, numbers: Iterable[int]) -> set[int]:
    """Return which of some topics a member voted for."""
    if member is None:
        return set()
    return set(TopicVote.objects.filter(member=member, topic__in=list(numbers)).values_list("topic_id", flat=True))


def set_hidden(number: int, hidden: bool) -> None:
    """Hide a topic or show it again."""
    Topic.objects.filter(pk=number).update(hidden=hidden)
