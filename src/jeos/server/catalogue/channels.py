"""What the site finds out by itself about an appliance: its channel, read by a worker, checked from the first root on.

What the keys vouch for becomes versions; where a publisher said something else of a version, the page says so. A
channel that cannot be read stays what it was until its signatures are outdated; one that others signed counts at once.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from jeos.core.errors import InputError, JeosError, NetworkError
from jeos.server.accounts.models import Member, Trust
from jeos.server.catalogue import publishing
from jeos.server.catalogue.models import Appliance, Publisher, Signature, Version
from jeos.server.content import kinds, moderation, reasons, texts
from jeos.server.content.reasons import Why

if TYPE_CHECKING:
    from jeos.server.worker import Channel, Release

EVERY = 3_600  # seconds between looks at a channel
LONGEST = 24 * EVERY  # between looks at one that fails again and again
DOUBLINGS = 5
DATE_LIMIT = 253_402_300_799  # the last second of the year 9999


def folder(appliance: Appliance) -> Path:
    """Return where what was trusted of an appliance's channel is kept; another root or channel begins anew."""
    digest = hashlib.sha256(f"{appliance.channel}\0{appliance.root}".encode()).hexdigest()[:16]
    return Path(settings.CHANNELS) / f"{appliance.pk}-{digest}"


def known(appliance: Appliance) -> dict[str, str]:
    """Return the digests of the descriptions that were read, by version."""
    rows = Version.objects.filter(appliance=appliance, signed=True).exclude(described="")
    return dict(rows.values_list("version", "described"))


def due(*, now: datetime, most: int) -> list[int]:
    """Return the appliances whose channel is to be read."""
    rows = Appliance.objects.filter(check_after__lte=now).order_by("check_after")
    return list(rows.values_list("pk", flat=True)[:most])


@transaction.atomic
def begin(publisher: Publisher, name: str, *, channel: str, root: str, by: Member) -> Appliance:
    """List an appliance of which only the channel is known yet. Raises ValueError for one that is listed."""
    if Appliance.objects.filter(publisher=publisher, name=name).exists():
        raise ValueError(f"{publisher.name} has {name} already")
    appliance = Appliance(publisher=publisher, name=name, title=name, by=by, verified=bool(publisher.verified))
    texts.fill(appliance, "")
    appliance.held = appliance.hidden = by.trust == Trust.NEW and not by.moderates
    set_channel(appliance, channel=channel, root=root)
    if appliance.hidden:
        moderation.hold(kinds.APPLIANCE, appliance.pk, author=by.pk, why=Why(reasons.CHANNEL_ALONE))
    return appliance


def set_channel(appliance: Appliance, *, channel: str, root: str) -> None:
    """Let an appliance follow another channel or root, as its publisher said; nothing counts as signed then."""
    appliance.channel, appliance.root = channel, root
    appliance.signature = Signature.WAITING if channel else Signature.NONE
    appliance.signature_problem, appliance.keys, appliance.fresh_until = "", [], None
    appliance.checked, appliance.failures = None, 0
    appliance.check_after = timezone.now() if channel else None
    appliance.save()
    Version.objects.filter(appliance=appliance).update(signed=False, described="")
    if channel:
        from jeos.server.catalogue import tasks  # which stand on this module

        tasks.read_channel.enqueue(appliance.pk)


@transaction.atomic
def take(appliance: Appliance, found: Channel, *, now: datetime) -> list[Version]:
    """Take in what a channel's keys vouch for; return the versions that are new.

    Raises InputError if it is another appliance's channel. Where it contradicts what was published, that is said.
    """
    Publisher.objects.select_for_update(no_key=True).get(pk=appliance.publisher_id)
    appliance.refresh_from_db(from_queryset=Appliance.objects.select_related("publisher"))
    for release in found.releases:
        if release.content is not None and release.content.name != appliance.name:
            raise InputError(f"the channel is that of {release.content.name}, not of {appliance.name}")
    rows = {row.version: row for row in Version.objects.filter(appliance=appliance)}
    fresh: list[Version] = []
    wrong: list[str] = []
    for release in reversed(found.releases):  # the newest comes last, and stands first in lists
        row = rows.get(release.version)
        if row is None:
            row = Version(appliance=appliance, version=release.version, came=now)
            fresh.append(row)
        if not _fill(row, release, now=now):
            wrong.append(release.version)
        row.save()
    appliance.keys = [
        {"role": key.role, "ids": list(key.ids), "scheme": key.scheme, "threshold": key.threshold} for key in found.keys
    ]
    appliance.fresh_until = datetime.fromtimestamp(min(found.expires, DATE_LIMIT), tz=UTC)
    appliance.checked, appliance.failures = now, 0
    appliance.check_after = now + timedelta(seconds=EVERY)
    appliance.signature = Signature.FAILED if wrong else Signature.VERIFIED
    appliance.signature_problem = (
        f"the channel has other content than was published here: {', '.join(wrong)}"[:500] if wrong else ""
    )
    publishing.settle(appliance, now=now if fresh else None)
    if fresh and not appliance.architecture:
        Appliance.objects.filter(pk=appliance.pk).update(architecture=fresh[-1].architecture)
    for row in fresh:
        publishing.after(row, appliance)
    return fresh


def _fill(row: Version, release: Release, *, now: datetime) -> bool:
    """Set what a channel says of a version; return whether it is the content that was published here."""
    row.ring, row.withdrawn = release.ring, release.withdrawn
    content = release.content
    if content is None:
        return True
    same = row.root_hash in ("", content.root_hash) and row.kernel_sha256 in ("", content.kernel_sha256)
    row.signed, row.described = same, release.description if same else ""
    if not same:
        return False
    row.root_hash, row.kernel_sha256 = content.root_hash, content.kernel_sha256
    row.architecture = row.architecture or content.architecture
    row.system_size, row.kernel_size = content.system_size, content.kernel_size
    row.download_size = content.download_size
    if row.pk is None:
        row.date = datetime.fromtimestamp(min(content.date, int(now.timestamp())), tz=UTC)
        publishing.say(row, content.notes)
    return True


def fail(appliance: Appliance, error: JeosError, *, now: datetime) -> None:
    """Note that a channel could not be read, or is not signed as it should be."""
    failures = min(appliance.failures + 1, 1_000)
    pause = min(LONGEST, EVERY * 2 ** min(failures, DOUBLINGS))
    outdated = appliance.fresh_until is not None and appliance.fresh_until < now
    unreachable = isinstance(error, NetworkError) and not outdated
    signature = appliance.signature if unreachable else Signature.FAILED
    Appliance.objects.filter(pk=appliance.pk).update(
        signature=signature,
        signature_problem=error.message[:500].replace("\x00", ""),
        failures=failures,
        check_after=now + timedelta(seconds=pause),
        checked=appliance.checked if unreachable else now,
    )
