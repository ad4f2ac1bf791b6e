"""What the wiki does after the answer: telling those whom a change concerns.

Each task may run twice: what a task did is marked in the transaction that did it.
"""

from django.db import transaction
from django_tasks import task

from jeos.server.content import following, happenings, kinds, notifications, tags, texts
from jeos.server.content.models import Reason
from jeos.server.content.notifications import Event
from jeos.server.wiki.models import Change, What
from jeos.server.wiki.writing import source_of


@task()
@transaction.atomic
def announce(number: int) -> None:
    """Tell whom a change concerns: who is mentioned in it and was not before, and who follows the page."""
    change = Change.objects.select_related("page").filter(pk=number, page__hidden=False).first()
    if change is None or not Change.objects.filter(pk=number, told=False).update(told=True):
        return
    page = change.page
    address = page.get_absolute_url()
    told = {change.editor_id} | following.muting(kinds.WIKI_PAGE, page.pk)
    mentioned = _mentioned(source_of(page, change.version))
    if change.what == What.MADE:
        targets = [(following.TAG, tag.pk) for tag in tags.of(kinds.WIKI_PAGE, page.pk)]
    else:
        mentioned -= _mentioned(source_of(page, change.version - 1))
        targets = [(kinds.WIKI_PAGE, page.pk)]
    for reason, members, leads in (
        (Reason.MENTION, mentioned, address),
        (Reason.NEW, following.followers(targets), f"{address}compare/?to={change.version}"),
    ):
        leads = address if change.what == What.MADE else leads
        event = Event(reason, kinds.WIKI_PAGE, page.pk, leads, page.title, change.editor_id)
        notifications.tell(members - told, event)
        told |= members
    happenings.tell("page.created" if change.what == What.MADE else "page.changed", kinds.WIKI_PAGE, page.pk)


def _mentioned(source: str) -> set[int]:
    _rendered, members = texts.render(source)
    return {member.pk for member in members}
