"""What the API says of publishers, appliances, versions and reviews."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from jeos.server.accounts.models import Member
from jeos.server.api import shapes
from jeos.server.catalogue import reviewing, running
from jeos.server.catalogue.models import (
    Appliance,
    Finding,
    Package,
    Publisher,
    Review,
    Seat,
    Signature,
    Verdict,
    Verified,
    Version,
)
from jeos.server.catalogue.templating import urgency_name, version_page
from jeos.server.catalogue.views.lists import version_url

VERIFIED = {Verified.NO: "", Verified.DOMAIN: "domain", Verified.TEAM: "team"}
Words = Literal["good", "mixed", "bad"]


class PublisherOut(BaseModel):
    """Who publishes appliances."""

    name: str = Field(examples=["acme"])
    title: str = Field(examples=["Acme"])
    about: str = Field(description="plain text")
    home_page: str
    verified: str = Field(description="by what the site knows that it is who it says: domain, team, or empty")
    domain: str = Field(description="the domain that proves it; empty where none does")
    members: list[shapes.Author] = Field(description="who publishes for it")
    url: str = Field(examples=["https://exchange.example/catalogue/@acme/"])


class ApplianceLine(BaseModel):
    """An appliance in a list."""

    publisher: str = Field(examples=["acme"])
    name: str = Field(examples=["web"])
    number: int = Field(description="of this content, where the kind is `appliance`", examples=[12])
    title: str = Field(examples=["Web front"])
    summary: str
    licence: str = Field(examples=["MIT"])
    architecture: str = Field(examples=["amd64"])
    tags: list[str]
    verified: bool = Field(description="its publisher is")
    newest: str = Field(description="version; empty before the first", examples=["1.0"])
    versions: int
    updated: datetime = Field(description="when the newest version came")
    signature: str = Field(description="of its channel: none, waiting, verified, failed", examples=["verified"])
    stars: int
    starred: bool = Field(description="the caller gave one")
    reviews: int
    recommended: int = Field(description="of the reviews")
    url: str = Field(examples=["https://exchange.example/catalogue/@acme/web/"])


class KeyOut(BaseModel):
    """Who signs for a role of a channel."""

    role: str = Field(examples=["targets"])
    ids: list[str] = Field(description="of its keys")
    scheme: str = Field(examples=["ed25519"])
    threshold: int = Field(description="how many of them must sign")


class PortOut(BaseModel):
    """A port of the guest that is to be reached."""

    guest: int
    protocol: str = Field(examples=["tcp"])
    name: str


class PropertyOut(BaseModel):
    """A value that is set at deployment."""

    name: str = Field(examples=["domain"])
    type: str = Field(examples=["string"])
    label: str
    description: str
    default: str | None
    required: bool
    secret: bool
    pattern: str
    minimum: int | None
    maximum: int | None
    choices: list[str]


class ApplianceOut(ApplianceLine, shapes.Text):
    """An appliance as its newest version says; `source` is its description."""

    home_page: str
    vendor: str
    memory: int = Field(description="MiB that it wants; 0 where that is not known")
    cpus: int = Field(description="that it wants; 0 where that is not known")
    ports: list[PortOut]
    properties: list[PropertyOut]
    channel: str = Field(description="the address that updates come from; empty for none")
    signature_problem: str
    checked: datetime | None = Field(description="when the site read the channel last")
    fresh_until: datetime | None
    keys: list[KeyOut]
    hidden: bool = Field(description="only moderators and those who publish it see it")


class DownloadOut(BaseModel):
    """A file of a version."""

    format: str = Field(examples=["qcow2"])
    url: str
    size: int = Field(description="bytes; 0 where that is not known")
    sha256: str


class VersionLine(BaseModel):
    """A version in a list; sizes are bytes, and 0 where they are not known."""

    version: str = Field(examples=["1.0"])
    architecture: str = Field(examples=["amd64"])
    date: datetime = Field(description="when it was built")
    came: datetime = Field(description="when the site learnt of it")
    ring: str = Field(examples=["stable"])
    withdrawn: bool
    signed: bool = Field(description="the channel's signed metadata lists it, with this content")
    disk_size: int
    system_size: int
    kernel_size: int
    download_size: int
    packages: int
    vulnerabilities: dict[str, int] = Field(description="known ones by urgency", examples=[{"high": 1}])
    matched: datetime | None = Field(description="when they were looked for last")
    url: str


class VersionOut(VersionLine, shapes.Text):
    """A version; `source` is what is new in it."""

    root_hash: str = Field(description="of dm-verity; empty where it is not known")
    kernel_sha256: str
    downloads: list[DownloadOut]
    run: str = Field(description="commands that fetch and run it; empty where `jeos run` takes none of its files")
    sbom: str | None = Field(description="the address of its bill of materials (CycloneDX)")


class PackageOut(BaseModel):
    """A package in a version."""

    name: str = Field(examples=["libssl3t64"])
    version: str = Field(examples=["3.5.1-1"])
    kind: str = Field(examples=["deb"])
    distribution: str
    source: str = Field(examples=["openssl"])
    source_version: str


class VulnerabilityOut(BaseModel):
    """A known vulnerability of a version, once for each source package."""

    identifier: str = Field(examples=["CVE-2099-10001"])
    source: str = Field(examples=["openssl"])
    version: str = Field(description="of the source package")
    fixed: str = Field(description="the version that has it no more; empty where there is none")
    urgency: str = Field(examples=["high"])
    summary: str


class ReviewOut(shapes.Text):
    """What a member who runs an appliance says of it."""

    number: int = Field(examples=[12])
    author: shapes.Author
    runs: str = Field(description="the version", examples=["1.0"])
    verdict: Words
    made: datetime
    edited: datetime | None
    hidden: bool = Field(description="only its author and moderators see it")
    url: str


def publisher(row: Publisher) -> PublisherOut:
    """Return a publisher."""
    seats = Seat.objects.filter(publisher=row).select_related("member").order_by("-power", "pk")
    return PublisherOut(
        name=row.name,
        title=row.title,
        about=row.about,
        home_page=row.home_page,
        verified=VERIFIED[Verified(row.verified)],
        domain=row.domain if row.verified == Verified.DOMAIN else "",
        members=[shapes.author(seat.member) for seat in seats],
        url=shapes.address(row.get_absolute_url()),
    )


def _line(row: Appliance, own: set[int]) -> dict[str, object]:
    return {
        **{name: getattr(row, name) for name in ("name", "title", "summary", "licence", "architecture", "verified")},
        **{name: getattr(row, name) for name in ("newest", "versions", "updated", "stars", "reviews", "recommended")},
        "publisher": row.publisher.name,
        "number": row.pk,
        "tags": row.tags.split(),
        "signature": Signature(row.signature).name.lower(),
        "starred": row.pk in own,
        "url": shapes.address(row.get_absolute_url()),
    }


def lines(rows: Sequence[Appliance], member: Member | None) -> list[ApplianceLine]:
    """Return appliances as a list has them."""
    own = reviewing.starred(member, [row.pk for row in rows])
    return [ApplianceLine.model_validate(_line(row, own)) for row in rows]


def appliance(row: Appliance, member: Member | None) -> ApplianceOut:
    """Return an appliance."""
    own = reviewing.starred(member, [row.pk])
    plain = ("source", "html", "home_page", "channel", "signature_problem", "checked", "fresh_until", "keys", "hidden")
    facts = {name: row.facts[name] for name in ("vendor", "memory", "cpus", "ports", "properties")}
    return ApplianceOut.model_validate({**_line(row, own), **{name: getattr(row, name) for name in plain}, **facts})


def _version(row: Version, *, of: Appliance) -> dict[str, object]:
    plain = ("version", "architecture", "date", "came", "ring", "withdrawn", "signed", "packages", "matched")
    sizes = ("disk_size", "system_size", "kernel_size", "download_size")
    return {
        **{name: getattr(row, name) for name in plain + sizes},
        "vulnerabilities": row.findings,
        "url": shapes.address(version_page(of, row.version)),
    }


def versions(rows: Sequence[Version], *, of: Appliance) -> list[VersionLine]:
    """Return versions of an appliance as a list has them."""
    return [VersionLine.model_validate(_version(row, of=of)) for row in rows]


def version(row: Version, *, of: Appliance) -> VersionOut:
    """Return a version of an appliance."""
    row.appliance = of
    more = {
        "source": row.changes,
        "html": row.changes_html,
        "root_hash": row.root_hash,
        "kernel_sha256": row.kernel_sha256,
        "downloads": row.downloads,
        "run": running.line(of, row),
        "sbom": shapes.address(f"{version_url(row)}sbom/") if row.bill_sha256 else None,
    }
    return VersionOut.model_validate(_version(row, of=of) | more)


def packages(rows: Sequence[Package]) -> list[PackageOut]:
    """Return packages of a version."""
    return [
        PackageOut(
            name=row.name,
            version=row.release,
            kind=row.kind,
            distribution=row.distribution,
            source=row.source,
            source_version=row.source_release,
        )
        for row in rows
    ]


def vulnerabilities(rows: Sequence[Finding]) -> list[VulnerabilityOut]:
    """Return known vulnerabilities of a version."""
    return [
        VulnerabilityOut(
            identifier=row.identifier,
            source=row.source,
            version=row.release,
            fixed=row.fixed,
            urgency=urgency_name(row.urgency),
            summary=row.summary,
        )
        for row in rows
    ]


def reviews(rows: Sequence[Review]) -> list[ReviewOut]:
    """Return reviews of an appliance."""
    return [
        ReviewOut(
            source=row.source,
            html=row.html,
            number=row.pk,
            author=shapes.author(row.author),
            runs=row.runs,
            verdict=Verdict(row.verdict).name.lower(),  # type: ignore[arg-type] # one of these words
            made=row.made,
            edited=row.edited,
            hidden=row.hidden,
            url=shapes.address(row.get_absolute_url()),
        )
        for row in rows
    ]
