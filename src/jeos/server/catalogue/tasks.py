"""What the catalogue does after the answer: telling who follows an appliance.

Each task may run twice: what a task did is marked in the transaction that did it.
"""

from django.db import transaction
from django_tasks import task

from jeos.server.catalogue.models import Review, Seat, Version
from jeos.server.catalogue.templating import version_page
from jeos.server.content import following, happenings, kinds, notifications, tags, texts
from jeos.server.content.models import Reason
from jeos.server.content.notifications import Event


@task()
@transaction.atomic
def announce(number: int) -> None:
    """Tell who follows an appliance that there is a new version; of the first one, who follows its tags."""
    version = Version.objects.select_related("appliance__publisher").filter(pk=number).first()
    if version is None or version.withdrawn or version.appliance.hidden:
        return
    if not Version.objects.filter(pk=number, told=False).update(told=True):
        return
    appliance = version.appliance
    targets = [(kinds.APPLIANCE, appliance.pk)]
    if appliance.versions == 1:
        targets += [(following.TAG, tag.pk) for tag in tags.of(kinds.APPLIANCE, appliance.pk)]
    title = f"{appliance.title} {version.version}"
    url = version_page(appliance, version.version)
    event = Event(Reason.NEW, kinds.APPLIANCE, appliance.pk, url, title, version.by_id)
    members = following.followers(targets) - following.muting(kinds.APPLIANCE, appliance.pk)
    notifications.tell(members, event)
    happenings.tell("version.published", kinds.APPLIANCE, appliance.pk)


@task()
@transaction.atomic
def announce_review(number: int) -> None:
    """Tell those who publish an appliance, and who is mentioned, of a review."""
    review = Review.objects.select_related("appliance__publisher").filter(pk=number, hidden=False).first()
    if review is None or not Review.objects.filter(pk=number, told=False).update(told=True):
        return
    appliance = review.appliance
    muting = following.muting(kinds.APPLIANCE, appliance.pk)
    seats = set(Seat.objects.filter(publisher=appliance.publisher).values_list("member_id", flat=True))
    told = {review.author_id} | muting
    _rendered, mentioned = texts.render(review.source)
    for reason, members in ((Reason.MENTION, {member.pk for member in mentioned}), (Reason.NEW, seats)):
        event = Event(reason, kinds.REVIEW, number, review.get_absolute_url(), appliance.title, review.author_id)
        notifications.tell(members - told, event)
        told |= members
