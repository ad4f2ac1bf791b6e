"""The appliances of the example community, from `demo.toml`."""

from __future__ import annotations

import hashlib
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from jeos.model.advisory import Urgency
from jeos.model.image import Port
from jeos.model.publication import Download, Publication
from jeos.model.recipe import Property
from jeos.server.accounts.models import Member
from jeos.server.catalogue import publishers, publishing, reviewing, vulnerabilities
from jeos.server.catalogue.models import (
    Appliance,
    KnownVulnerability,
    Power,
    Publisher,
    Signature,
    Verdict,
    Verified,
    Version,
)

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
    _as_if_followed(row, appliance)
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


def _as_if_followed(row: Row, appliance: Appliance) -> None:
    """Let an appliance look as if its channel had been read: there is none, and `check_after` stays empty."""
    if "signed" not in row and "problem" not in row:
        return
    now = timezone.now()
    appliance.channel = f"https://updates.{row['publisher']}.example/{row['name']}"
    appliance.checked = now - timedelta(minutes=20)
    if "problem" in row:
        appliance.signature, appliance.signature_problem = Signature.FAILED, row["problem"]
    else:
        appliance.signature, appliance.fresh_until = Signature.VERIFIED, now + timedelta(days=27)
        appliance.keys = [
            {"role": role, "ids": [_digest(f"{row['name']} {role}")], "scheme": "ed25519", "threshold": 1}
            for role in ("root", "targets", "snapshot", "timestamp")
        ]
        Version.objects.filter(appliance=appliance).update(signed=True)
    appliance.save()


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
