"""Publishing: what `jeos publish --to` sends becomes a version of an appliance; search, tags and followers learn of it.

A version is published once: the same again changes what is said of it, and other content under its number is refused.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from jeos.core.errors import InputError
from jeos.model import bill
from jeos.model.publication import Publication
from jeos.model.version import newer
from jeos.server.accounts.models import Member
from jeos.server.catalogue.models import Appliance, Bill, Package, Publisher, Signature, Version
from jeos.server.content import following, kinds, moderation, reasons, search, tags, texts, trust
from jeos.server.content.markdown import Rendered
from jeos.server.content.models import Reference
from jeos.server.content.reasons import Why

BATCH = 1_000  # packages written at once


class Conflict(ValueError):  # noqa: N818 - named for what the answer says
    """The version was published already, with other content."""


@dataclass(frozen=True)
class Published:
    """A version as it is listed now; `new` if the site did not know it."""

    version: Version
    new: bool


@transaction.atomic
def publish(one: Publication, *, publisher: Publisher, by: Member, now: datetime | None = None) -> Published:
    """Take in a version. Raises Conflict for another content of one that is known, InputError for a wrong bill."""
    now = now or timezone.now()
    parts = bill.parts(one.sbom) if one.sbom else []
    Publisher.objects.select_for_update(no_key=True).get(pk=publisher.pk)
    appliance = Appliance.objects.filter(publisher=publisher, name=one.name).first()
    first = appliance is None
    if appliance is None:
        appliance = Appliance(
            publisher=publisher, name=one.name, by=by, made=now, updated=now, verified=bool(publisher.verified)
        )
    links = _describe(appliance, one)
    if first:
        appliance.held = appliance.hidden = trust.waits_for_review(by, links=links, mentions=0)
        appliance.save()
        following.follow_once(by.pk, kinds.APPLIANCE, appliance.pk)
        if appliance.hidden:
            moderation.hold(kinds.APPLIANCE, appliance.pk, author=by.pk, why=Why(reasons.NEW["appliance"]))
    version, new = _version(appliance, one, by=by, now=now)
    if one.sbom is not None and _keep_bill(version, one, parts):
        from jeos.server.catalogue import tasks  # tasks import what writes, to be able to write themselves

        tasks.match_version.enqueue(version.pk)
    settle(appliance, now=now if new else None)
    trust.count(by, now=now)
    if new:
        after(version, appliance)
    if appliance.channel:
        from jeos.server.catalogue import tasks  # tasks import what writes, to be able to write themselves

        tasks.read_channel.enqueue(appliance.pk)
    return Published(version, new)


def after(version: Version, appliance: Appliance) -> None:
    """Put into the queue what is done about a new version after the answer."""
    from jeos.server.catalogue import tasks  # tasks import what writes, to be able to write themselves

    if not appliance.hidden:
        tasks.announce.enqueue(version.pk)


def _describe(appliance: Appliance, one: Publication) -> int:
    """Set what an appliance is, unless the version is older than its newest; return how many links it has."""
    if appliance.newest and appliance.newest != one.version and not newer(one.version, appliance.newest):
        return 0
    rendered, _mentioned = texts.fill(appliance, one.description)
    appliance.title = one.title or one.name
    appliance.summary, appliance.licence, appliance.home_page = one.summary, one.licence, one.home_page
    appliance.architecture = one.architecture
    appliance.facts = {
        "vendor": one.vendor,
        "memory": one.memory,
        "cpus": one.cpus,
        "ports": [asdict(port) for port in one.ports],
        "properties": [asdict(property_) for property_ in one.properties],
    }
    if one.tags:
        appliance.tags = " ".join(tags.split(" ".join(one.tags)))
    if one.channel and (one.channel != appliance.channel or not appliance.root):
        appliance.channel, appliance.root = one.channel, appliance.root or one.root
        appliance.signature, appliance.check_after = Signature.WAITING, appliance.made
    return rendered.links


def _version(appliance: Appliance, one: Publication, *, by: Member, now: datetime) -> tuple[Version, bool]:
    """Return the row of a version, made or brought up to date, and whether it is new. Raises Conflict."""
    version = Version.objects.filter(appliance=appliance, version=one.version).first()
    new = version is None
    if version is None:
        version = Version(appliance=appliance, version=one.version, by=by, came=now)
    else:
        for what, said in (("root_hash", one.root_hash), ("kernel_sha256", one.kernel_sha256)):
            known = getattr(version, what)
            if known and said and known != said:
                raise Conflict(
                    f"{one.name} {one.version} was published already, with other content: its {what} is {known}"
                )
    version.date = datetime.fromtimestamp(min(one.date, int(now.timestamp())), tz=UTC)
    say(version, one.changes)
    version.architecture, version.ring = one.architecture, one.ring
    for field in ("root_hash", "kernel_sha256", "disk_size", "system_size", "kernel_size", "download_size"):
        setattr(version, field, getattr(one, field) or getattr(version, field))
    version.downloads = [asdict(download) for download in one.downloads] or version.downloads
    version.save()
    return version, new


def say(version: Version, changes: str) -> None:
    """Set what is new in a version of an appliance that is saved; the files in it are the appliance's."""
    version.changes, version.changes_html = changes, texts.render(changes)[0].html
    Reference.note(kinds.APPLIANCE, version.appliance_id, changes)


def _keep_bill(version: Version, one: Publication, parts: list[bill.Part]) -> bool:
    """Keep a bill of materials, and the packages in it; return false if it is the one that is kept."""
    document = json.dumps(one.sbom, separators=(",", ":"), sort_keys=True).encode()
    digest = hashlib.sha256(document).hexdigest()
    if digest == version.bill_sha256:
        return False
    Bill.objects.update_or_create(version=version, defaults={"data": zlib.compress(document, 9), "size": len(document)})
    Package.objects.filter(version=version).delete()
    rows = (
        Package(
            version=version,
            name=part.name,
            release=part.version,
            kind=part.kind,
            distribution=part.distribution,
            source=part.source,
            source_release=part.source_version,
        )
        for part in parts
    )
    Package.objects.bulk_create(rows, batch_size=BATCH)
    Version.objects.filter(pk=version.pk).update(bill_sha256=digest, packages=len(parts), matched=None, findings={})
    version.refresh_from_db()
    return True


def settle(appliance: Appliance, *, now: datetime | None) -> None:
    """Set what an appliance's row says about its versions to what is true; `now` if there is a new one."""
    rows = list(Version.objects.filter(appliance=appliance).values_list("version", "withdrawn"))
    offered = [version for version, withdrawn in rows if not withdrawn]
    appliance.newest, appliance.versions = newest_of(offered or [version for version, _withdrawn in rows]), len(rows)
    if now is not None:
        appliance.updated = now
    appliance.save()
    if not appliance.hidden:
        show(appliance)


def newest_of(versions: list[str]) -> str:
    """Return the newest of some versions, or "" of none."""
    newest = ""
    for version in versions:
        if not newest or newer(version, newest):
            newest = version
    return newest


def show(appliance: Appliance) -> None:
    """Let tags and search know an appliance as it is now."""
    chosen = tags.set_tags(kinds.APPLIANCE, appliance.pk, appliance.tags.split(), date=appliance.updated)
    names = " ".join(tag.name for tag in chosen)
    if names != appliance.tags:
        appliance.tags = names
        Appliance.objects.filter(pk=appliance.pk).update(tags=names)
    search.index().put([entry(appliance, texts.render(appliance.source)[0])])


def entry(appliance: Appliance, rendered: Rendered) -> search.Entry:
    """Return what search knows of an appliance: its title, its tags, its summary and its description."""
    return search.Entry(
        kind=kinds.APPLIANCE,
        number=appliance.pk,
        head=True,
        date=appliance.updated,
        author=appliance.by_id,
        title=f"{appliance.title} ({appliance.name})" if appliance.title != appliance.name else appliance.title,
        body="\n".join(part for part in (appliance.summary, rendered.plain) if part),
        tags=tuple(appliance.tags.split()),
    )


@transaction.atomic
def set_hidden(number: int, hidden: bool) -> None:
    """Hide an appliance or show it again, as moderators decide: in lists, tags and search."""
    appliance = _hold(number)
    appliance.held = hidden
    _hide_or_show(appliance)


@transaction.atomic
def take_down(number: int, wanted: bool) -> None:
    """Let those who publish an appliance take it down, or show it again unless moderators hide it."""
    appliance = _hold(number)
    appliance.taken_down = wanted
    _hide_or_show(appliance)


def _hold(number: int) -> Appliance:
    """Return an appliance whose row is held until the transaction ends."""
    rows = Appliance.objects.select_for_update(of=("self",), no_key=True).select_related("publisher")
    return rows.get(pk=number)


def _hide_or_show(appliance: Appliance) -> None:
    """Let an appliance be hidden if anybody has a reason, and lists know of it."""
    appliance.hidden = appliance.held or appliance.taken_down or appliance.publisher.hidden
    appliance.save(update_fields=["held", "taken_down", "hidden"])
    if appliance.hidden:
        search.index().remove([(kinds.APPLIANCE, appliance.pk)])
        tags.clear(kinds.APPLIANCE, appliance.pk)
        return
    show(appliance)


@transaction.atomic
def withdraw(version: Version, wanted: bool) -> None:
    """Withdraw a version, or offer it again. Raises ValueError for one of a channel, which itself says so."""
    if version.signed:
        raise ValueError(f"version {version.pk} is listed by a channel")
    Version.objects.filter(pk=version.pk).update(withdrawn=wanted)
    settle(_hold(version.appliance_id), now=None)


def choose(one: Publication, found: list[Publisher]) -> Publisher:
    """Return the publisher that a publication is for. Raises InputError if that is not clear."""
    if one.publisher:
        chosen = next((publisher for publisher in found if publisher.name == one.publisher), None)
        if chosen is None:
            raise InputError(
                f"you do not publish for {one.publisher}", hint="ask one of its owners for a seat, or name another"
            )
        return chosen
    if len(found) != 1:
        names = ", ".join(publisher.name for publisher in found)
        raise InputError(
            f"you publish for {names}" if found else "you do not publish for anybody yet",
            hint="name one with --publisher" if found else "make a publisher's page on the site: Appliances, Publish",
        )
    return found[0]
