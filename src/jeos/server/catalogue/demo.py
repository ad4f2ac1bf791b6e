"""The appliances of the example community, from `demo.toml`."""

from __future__ import annotations

import hashlib
import tempfile
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from jeos.core.errors import JeosError
from jeos.model.advisory import Urgency
from jeos.model.image import Port
from jeos.model.publication import Download, Publication
from jeos.model.recipe import Property
from jeos.server.accounts.models import Member
from jeos.server.catalogue import channels, publishers, publishing, reviewing, vulnerabilities
from jeos.server.catalogue.models import (
    Appliance,
    KnownVulnerability,
    Power,
    Publisher,
    Verdict,
    Verified,
    Version,
)

if TYPE_CHECKING:
    from jeos.server.worker import Content

SCRIPT = Path(__file__).with_name("demo.toml")
Row = dict[str, Any]


def fill(members: dict[str, Member]) -> None:
    """Make publishers and appliances, with versions, stars and reviews."""
    script = tomllib.loads(SCRIPT.read_text(encoding="utf-8"))
    made: dict[str, Publisher] = {}
    for row in script["publisher"]:
        owner, *others = (members[handle] for handle in row["members"])
        publisher = publishers.make(
            row["name"], title=row["title"], about=row["about"], home_page=row["home_page"], owner=owner
        )
        for member in others:
            publishers.seat(publisher, member, power=Power.MAINTAINER)
        if row.get("verified"):
            publishers.vouch(publisher, Verified.TEAM, actor=members["admin"])
        made[row["name"]] = publisher
    KnownVulnerability.objects.bulk_create(
        KnownVulnerability(origin="demo", distribution="debian-13", **{**row, "urgency": Urgency[row["urgency"]]})
        for row in script["advisory"]
    )
    for row in script["appliance"]:
        _appliance(row, script["base"], publisher=made[row["publisher"]], members=members)


def _appliance(row: Row, base: dict[str, str], *, publisher: Publisher, members: dict[str, Member]) -> None:
    """Publish the versions of one appliance, oldest first."""
    now = timezone.now()
    packages = dict(base)
    for version in row["version"]:
        packages.update(version.get("packages", {}))
        for gone in version.get("removed", ()):
            packages.pop(gone, None)
        when = now - timedelta(days=version["days"])
        one = _publication(row, version, packages, when=when)
        done = publishing.publish(one, publisher=publisher, by=members[row["by"]], now=when)
        vulnerabilities.match(done.version, now=now)
    appliance = done.version.appliance
    if "signed" in row:
        _follow(appliance, days=row["signed"])
    for handle in row["stars"]:
        reviewing.star(appliance, members[handle], wanted=True)
    for review in row.get("review", ()):
        reviewing.review(
            appliance,
            author=members[review["by"]],
            runs=review["runs"],
            verdict=Verdict[review["verdict"]],
            source=review["text"].strip(),
        )


def _follow(appliance: Appliance, *, days: int) -> None:
    """Write a channel of an appliance, signed so many days ago with keys that are made for it, and follow it once.

    The channel is gone then: its address leads nowhere, and a look later finds that it does.
    """
    from jeos.server import worker  # brings the steps along, which who answers has no need of

    now = timezone.now()
    signed = (now - timedelta(days=days)).timestamp()
    address = f"https://updates.{appliance.publisher.name}.example/{appliance.name}"
    with tempfile.TemporaryDirectory() as place:
        root = worker.write_example(Path(place), _contents(appliance), now=signed)
        appliance.channel, appliance.root = address, root.decode()
        appliance.save()
        try:
            folder = channels.folder(appliance)
            found = worker.follow_example(address, Path(place), root=root, folder=folder)
            channels.take(appliance, found, now=now)
        except JeosError as error:
            channels.fail(appliance, error, now=now)


def _contents(appliance: Appliance) -> dict[str, Content]:
    """Return what the channel of an appliance says of its versions."""
    from jeos.server.worker import Content

    return {
        row.version: Content(
            name=appliance.name,
            architecture=row.architecture,
            date=int(row.date.timestamp()),
            root_hash=row.root_hash,
            kernel_sha256=row.kernel_sha256,
            system_size=row.system_size,
            kernel_size=row.kernel_size,
            download_size=row.kernel_size + row.system_size // 3,
            notes=row.changes,
        )
        for row in Version.objects.filter(appliance=appliance)
    }


def _publication(row: Row, version: Row, packages: dict[str, str], *, when: datetime) -> Publication:
    name, number = row["name"], version["version"]
    files = f"https://files.{row['publisher']}.example/{name}_{number}"
    return Publication(
        name=name,
        version=number,
        architecture=row.get("architecture", "amd64"),
        date=int(when.timestamp()),
        title=row["title"],
        vendor=row["vendor"],
        summary=row["summary"],
        description=row["text"].strip(),
        licence=row["licence"],
        home_page=row["home_page"],
        tags=tuple(row["tags"]),
        changes=version["changes"].strip(),
        root_hash=_digest(f"{name} {number} root"),
        kernel_sha256=_digest(f"{name} {number} kernel"),
        disk_size=row["disk"] << 20,
        system_size=version["system"] << 20,
        kernel_size=19 << 20,
        memory=row["memory"],
        cpus=row.get("cpus", 1),
        ports=tuple(Port(**port) for port in row.get("port", ())),
        properties=tuple(Property(**one) for one in row.get("property", ())),
        downloads=tuple(
            Download(kind, f"{files}.{kind}", size=version["system"] << 20, sha256=_digest(f"{name} {number} {kind}"))
            for kind in row["formats"]
        ),
        sbom=_bill(packages),
    )


def _bill(packages: dict[str, str]) -> dict[str, object]:
    """Return a bill of materials of packages by name, as "VERSION" or "VERSION SOURCE"."""
    components = []
    for name, said in sorted(packages.items()):
        version, _, source = said.partition(" ")
        upstream = f"&upstream={source}" if source else ""
        url = f"pkg:deb/debian/{name}@{version}?arch=amd64&distro=debian-13{upstream}"
        components.append({"type": "library", "name": name, "version": version, "purl": url})
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}


def _digest(text: str) -> str:
    """Return digits that look like a digest: there is no such file."""
    return hashlib.sha256(text.encode()).hexdigest()
