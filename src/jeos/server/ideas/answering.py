"""What the team does with ideas: answer them, merge those that say the same, hide them."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from jeos.server.accounts.models import Member
from jeos.server.content import audit, comments, following, kinds, search, tags, texts
from jeos.server.content.models import Reference
from jeos.server.ideas import suggesting, voting
from jeos.server.ideas.models import CLOSED, Idea, Status, Vote


@transaction.atomic
def answer(idea: Idea, *, status: Status, source: str, actor: Member) -> None:
    """Say how an idea stands and why; votes come back with an end, and those who voted are told."""
    locked = Idea.objects.select_for_update(no_key=True).get(pk=idea.pk)
    rendered, _mentioned = texts.render(source)
    was = Status(locked.status)
    locked.status, locked.closed = status, status in CLOSED
    locked.answer, locked.answer_html = source, rendered.html
    locked.answered, locked.answered_by, locked.answer_told = timezone.now(), actor, False
    locked.save(update_fields=["status", "closed", "answer", "answer_html", "answered", "answered_by", "answer_told"])
    Reference.note(kinds.IDEA, idea.pk, source)
    voting.settle(locked)
    audit.record(
        actor, "idea.answer", kind=kinds.IDEA, number=idea.pk, details={"from": was.name, "to": Status(status).name}
    )
    idea.refresh_from_db()
    from jeos.server.ideas import tasks  # tasks import what writes, to be able to write themselves

    tasks.announce_answer.enqueue(idea.pk)


@transaction.atomic
def merge(source: Idea, target: Idea, *, actor: Member) -> None:
    """Let an idea become part of another with its votes, comments and followers; its address leads there.

    Who voted for both has voted once. Raises ValueError for an idea and itself, or one that was merged.
    """
    rows = {idea.pk: idea for idea in _held(source, target)}
    from_, into = rows[source.pk], rows[target.pk]
    if from_.pk == into.pk or from_.merged_into_id is not None or into.merged_into_id is not None or into.hidden:
        raise ValueError(f"idea {source.pk} cannot be merged into {target.pk}")
    both = Vote.objects.filter(idea=into).values("member")
    Vote.objects.filter(idea=from_, member__in=both).delete()
    Vote.objects.filter(idea=from_).update(idea=into)
    moved = comments.move(kinds.IDEA, from_.pk, into.pk)
    following.move(kinds.IDEA, from_.pk, into.pk)
    tags.clear(kinds.IDEA, from_.pk)
    search.index().remove([(kinds.IDEA, from_.pk)])
    Idea.objects.filter(pk=from_.pk).update(merged_into=into, hidden=True, comments=0, votes=0)
    Idea.objects.filter(merged_into=from_).update(merged_into=into)
    Idea.objects.filter(pk=into.pk).update(comments=into.comments + moved)
    voting.recount(into)
    voting.settle(into)
    audit.record(actor, "idea.merge", kind=kinds.IDEA, number=from_.pk, details={"into": into.pk})


def _held(*ideas: Idea) -> list[Idea]:
    """Return rows of ideas held until the transaction ends; by number, so that two who hold them wait in turn."""
    numbers = [idea.pk for idea in ideas]
    return list(Idea.objects.select_for_update(no_key=True).filter(pk__in=numbers).order_by("pk"))


@transaction.atomic
def set_hidden(number: int, hidden: bool) -> None:
    """Hide an idea or show it again: in lists, tags and search; votes on what is hidden come back."""
    idea = Idea.objects.select_for_update(no_key=True).get(pk=number)
    if idea.merged_into_id is not None:
        return
    idea.hidden = hidden
    Idea.objects.filter(pk=number).update(hidden=hidden)
    voting.settle(idea)
    if hidden:
        search.index().remove([(kinds.IDEA, number)])
        tags.clear(kinds.IDEA, number)
        return
    tags.set_tags(kinds.IDEA, number, idea.tags.split(), date=idea.made)
    suggesting.reindex(idea)
