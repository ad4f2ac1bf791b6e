"""What ideas do after the answer: telling those whom something concerns.

Each task may run twice: what a task did is marked in the transaction that did it.
"""

from django.db import transaction
from django_tasks import task

from jeos.server.content import following, happenings, kinds, notifications, tags, texts
from jeos.server.content.models import Reason
from jeos.server.content.notifications import Event
from jeos.server.ideas.models import Idea, Vote


@task()
@transaction.atomic
def announce(number: int) -> None:
    """Tell whom a new idea concerns: who is mentioned, and who follows one of its tags."""
    idea = Idea.objects.filter(pk=number, hidden=False).first()
    if idea is None or not Idea.objects.filter(pk=number, told=False).update(told=True):
        return
    told = {idea.author_id} | following.muting(kinds.IDEA, number)
    _rendered, mentioned = texts.render(idea.source)
    targets = [(following.TAG, tag.pk) for tag in tags.of(kinds.IDEA, number)]
    for reason, members in (
        (Reason.MENTION, {member.pk for member in mentioned}),
        (Reason.NEW, following.followers(targets)),
    ):
        event = Event(reason, kinds.IDEA, number, idea.get_absolute_url(), idea.title, idea.author_id)
        notifications.tell(members - told, event)
        told |= members
    happenings.tell("idea.created", kinds.IDEA, number)


@task()
@transaction.atomic
def announce_answer(number: int) -> None:
    """Tell its author, those who voted and those who follow it that the team answered an idea."""
    idea = Idea.objects.filter(pk=number, hidden=False).first()
    if idea is None or not Idea.objects.filter(pk=number, answer_told=False).update(answer_told=True):
        return
    voters = set(Vote.objects.filter(idea=idea).values_list("member_id", flat=True))
    members = voters | {idea.author_id} | following.followers([(kinds.IDEA, number)])
    event = Event(Reason.ANSWER, kinds.IDEA, number, idea.get_absolute_url(), idea.title, idea.answered_by_id)
    notifications.tell(members - following.muting(kinds.IDEA, number), event)
    happenings.tell("idea.answered", kinds.IDEA, number)
