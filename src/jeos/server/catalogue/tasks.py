"""What the catalogue does after the answer: telling who follows an appliance, and reading channels.

Each task may run twice: what a task did is marked in the transaction that did it.
"""

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_tasks import task

from jeos.core.errors import InputError, JeosError, NetworkError
from jeos.server import outside
from jeos.server.catalogue import channels, publishers, vulnerabilities
from jeos.server.catalogue.models import Appliance, KnownVulnerability, Publisher, Review, Seat, Version
from jeos.server.catalogue.templating import version_page
from jeos.server.content import following, happenings, kinds, notifications, tags, texts
from jeos.server.content.models import Notification, Reason
from jeos.server.content.notifications import Event
from jeos.server.jobs import schedule

LOOK = 300  # seconds between looks for channels that are to be read
BATCH = 200  # channels, or domains, that one look puts into the queue
PROOF_BYTES = 8 << 10  # of the file of a domain


def register() -> None:
    """Register the work that comes back."""
    schedule.every("catalogue.channels", enqueue=read_channels.enqueue, seconds=LOOK)
    schedule.every("catalogue.domains", enqueue=prove_domains.enqueue, seconds=LOOK)


@task()
def read_channels() -> int:
    """Put the channels that are to be read into the queue, and return how many."""
    numbers = channels.due(now=timezone.now(), most=BATCH)
    for number in numbers:
        read_channel.enqueue(number)
    return len(numbers)


@task(queue_name="steps")
def read_channel(number: int) -> None:
    """Read an appliance's channel, and take in what is signed."""
    from jeos.server import worker  # only where it is needed: it brings the steps along

    appliance = Appliance.objects.select_related("publisher").filter(pk=number).exclude(channel="").first()
    if appliance is None:
        return
    now = timezone.now()
    try:
        if not appliance.root:
            raise InputError("no root was given to check the channel with")
        found = worker.follow(
            appliance.channel,
            root=appliance.root.encode(),
            folder=channels.folder(appliance),
            known=channels.known(appliance),
            rules=settings.OUTSIDE,
        )
        channels.take(appliance, found, now=now)
    except JeosError as error:
        channels.fail(appliance, error, now=now)


@task()
def prove_domains() -> int:
    """Put the domains whose proof is to be looked at into the queue, and return how many."""
    numbers = publishers.to_prove(now=timezone.now(), most=BATCH)
    for number in numbers:
        prove_domain.enqueue(number)
    return len(numbers)


@task(queue_name="steps")
def prove_domain(number: int) -> None:
    """Look whether a publisher's domain says that it is this publisher's."""
    publisher = Publisher.objects.filter(pk=number).exclude(domain="").first()
    if publisher is None:
        return
    found, problem = "", ""
    try:
        address = f"https://{publisher.domain}{publishers.PROOF_FILE}"
        found = outside.fetch(address, rules=settings.OUTSIDE, limit=PROOF_BYTES).decode("utf-8", "replace")
    except NetworkError as error:
        problem = error.message
    publishers.note_proof(publisher, found, problem=problem, now=timezone.now())


@task(queue_name="steps")
def match_all() -> int:
    """Look for known vulnerabilities in every version, and return how many there are."""
    numbers = list(Version.objects.filter(packages__gt=0).order_by("-pk").values_list("pk", flat=True))
    for number in numbers:
        match_version.enqueue(number)
    return len(numbers)


@task(queue_name="steps")
def match_version(number: int) -> None:
    """Look for known vulnerabilities in a version."""
    version = Version.objects.filter(pk=number).first()
    if version is not None and KnownVulnerability.objects.exists():
        vulnerabilities.match(version, now=timezone.now())


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
    # Who had not looked yet is told of several versions by one row, which leads to the last of them.
    told = Notification.objects.filter(
        member__in=members, kind=kinds.APPLIANCE, number=appliance.pk, reason=Reason.NEW, seen=False
    )
    told.update(title=title[:200], url=url[:300])


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
